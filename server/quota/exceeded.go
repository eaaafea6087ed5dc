package quota

import (
	"fmt"
	"sync"
	"time"
)

// again is how long one Exceeded stands for further refusals of its quota: a caller that floods is answered with what was
// said already, at most so much too late.
const again = 20 * time.Millisecond

// Exceeded says which quota a call is past. It may be shared by several calls: see Answer.
type Exceeded struct {
	// Subject is "tenant NAME" or "key ID".
	Subject string
	// Name is one of Names, or Calls.
	Name string
	// Rate is the bound, a second; of Calls, at once.
	Rate float64
	// Wait is when to come again, at most 20 ms later than need be.
	Wait time.Duration

	until  int64 // it stands until then, in nanoseconds since 1970
	once   sync.Once
	answer error
}

// Calls is the name of the bound on a key's calls under way.
const Calls = "calls under way"

// Error implements error.
func (e *Exceeded) Error() string {
	if e.Name == Calls {
		return fmt.Sprintf("the %s has %g calls under way, which is its bound; wait for one to end", e.Subject, e.Rate)
	}
	return fmt.Sprintf("the quota of %s of the %s is used up: %g a second; come again in %v",
		e.Name, e.Subject, e.Rate, e.Wait.Round(time.Millisecond))
}

// Answer is what the first caller made of it, for the wire.
func (e *Exceeded) Answer(make func(*Exceeded) error) error {
	e.once.Do(func() { e.answer = make(e) })
	return e.answer
}

// tell returns what the meter says of its i-th quota, the same as lately if it was asked lately.
func (m *meter) tell(i int, kind, name string, rate float64, now int64, wait time.Duration) *Exceeded {
	if e := m.told[i].Load(); e != nil && now < e.until && e.Rate == rate {
		return e
	}
	e := &Exceeded{Subject: kind + " " + name, Name: Names[i], Rate: rate, Wait: wait, until: now + int64(min(wait, again))}
	m.told[i].Store(e)
	return e
}
