package history

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Query asks what comes after a history: an event that attracts.
type Query struct {
	History []Event // oldest first, never empty
	Target  Event
}

// Cut is one history cut into parts. All slices share memory with the history.
type Cut struct {
	Train       []Event
	Valid, Test *Query // nil: this user is not asked
}

// LeaveOneOut cuts off the last event that attracts as the test, asked after all before it, and
// the one before that as the validation. What is trained on ends before the latter. A user
// who has no such two events, or nothing before them, is trained on whole and not asked.
func LeaveOneOut(h History) Cut {
	test := lastAttracting(h.Events, len(h.Events))
	valid := lastAttracting(h.Events, test)
	if valid < 1 {
		return Cut{Train: h.Events}
	}
	return Cut{Train: h.Events[:valid:valid], Valid: ask(h.Events, valid), Test: ask(h.Events, test)}
}

// lastAttracting is the place of the last event before end that attracts, or -1.
func lastAttracting(events []Event, end int) int {
	for i := end - 1; i >= 0; i-- {
		if events[i].Attracts() {
			return i
		}
	}
	return -1
}

func ask(events []Event, at int) *Query {
	return &Query{History: events[:at:at], Target: events[at]}
}

// ByTime trains on all before valid and asks for the first event that attracts from then on, and for the
// first one from test on, each after all before it. Events without a time come before all.
// The order of the two times is the caller's to keep; with a zero valid there is no validation.
func ByTime(h History, valid, test time.Time) Cut {
	end := since(h.Events, test)
	c := Cut{Test: firstAttracting(h.Events, end, len(h.Events))}
	begin := end
	if !valid.IsZero() {
		begin = min(since(h.Events, valid), end)
		c.Valid = firstAttracting(h.Events, begin, end)
	}
	c.Train = h.Events[:begin:begin]
	return c
}

// since is the place of the first event at or after a time.
func since(events []Event, t time.Time) int {
	from := t.UnixMicro()
	for i, e := range events {
		if e.Time != NoTime && e.Time >= from {
			return i
		}
	}
	return len(events)
}

func firstAttracting(events []Event, begin, end int) *Query {
	for i := max(begin, 1); i < end; i++ {
		if events[i].Attracts() {
			return ask(events, i)
		}
	}
	return nil
}

// Draw are users whose last event is the validation.
type Draw struct {
	seed  uint64
	bound uint64 // users whose hash is at most this are drawn
	n     int
}

// Draw draws n users by the seed, among those with an event that attracts after at least two others;
// all of them if there are fewer. It reads the log once and keeps n numbers.
func (l *Log) Draw(n int, seed uint64) (Draw, error) {
	if n < 0 {
		return Draw{}, fmt.Errorf("%w: %d users to draw; want 0 or more", ErrOptions, n)
	}
	var lowest hashes
	for h, err := range l.Users() {
		if err != nil {
			return Draw{}, err
		}
		if lastAttracting(h.Events, len(h.Events)) < 2 {
			continue
		}
		heap.Push(&lowest, drawHash(h.User, seed))
		if len(lowest) > n {
			heap.Pop(&lowest)
		}
	}
	d := Draw{seed: seed, n: len(lowest)}
	if d.n > 0 {
		d.bound = lowest[0]
	}
	return d, nil
}

func drawHash(user string, seed uint64) uint64 { return mix(userHash(user, seed) + 0xd4a) }

// Len is how many users were drawn.
func (d Draw) Len() int { return d.n }

// LastOf cuts off the last event that attracts of a user who was drawn, as the validation; all
// others are trained on whole.
func (d Draw) LastOf(h History) Cut {
	if d.n > 0 && drawHash(h.User, d.seed) <= d.bound {
		if at := lastAttracting(h.Events, len(h.Events)); at >= 2 {
			return Cut{Train: h.Events[:at:at], Valid: ask(h.Events, at)}
		}
	}
	return Cut{Train: h.Events}
}

// hashes are a heap with the largest on top.
type hashes []uint64

func (h hashes) Len() int           { return len(h) }
func (h hashes) Less(i, j int) bool { return h[i] > h[j] }
func (h hashes) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *hashes) Push(x any)        { *h = append(*h, x.(uint64)) }
func (h *hashes) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// ColdItems draws a share of so many items, from 0 to 1, by the seed: floor(share·items) of them.
// They are to be kept out of training, to measure how new items fare.
func ColdItems(items int, share float64, seed uint64) ([]bool, error) {
	if !(share >= 0 && share <= 1) {
		return nil, fmt.Errorf("%w: a share of %v cold items; want 0 to 1", ErrOptions, share)
	}
	cold := make([]bool, items)
	for _, i := range rand.New(rand.NewPCG(seed, 0xc01d)).Perm(items)[:int(share*float64(items))] {
		cold[i] = true
	}
	return cold, nil
}

// Without appends to into the events whose item is not cold; gaps reach back to the event
// that is kept before.
func Without(into, events []Event, cold []bool) []Event {
	whole := true // nothing was left out since the last kept event
	first := len(into)
	for _, e := range events {
		if cold[e.Item] {
			whole = false
			continue
		}
		if !whole {
			e.Gap = NoGap
			if n := len(into); n > first && e.Time != NoTime && into[n-1].Time != NoTime {
				e.Gap = time.Duration(min(e.Time-into[n-1].Time, math.MaxInt64/1000)) * time.Microsecond
			}
		}
		into, whole = append(into, e), true
	}
	return into
}
