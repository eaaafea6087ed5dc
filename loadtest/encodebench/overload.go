package encodebench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Overload says how a running worker is overloaded. All fields are needed but Key, Metrics
// and Progress.
type Overload struct {
	Addr      string        // of the worker, HOST:PORT
	Key       string        // bearer token; "" sends none
	Metrics   string        // the worker's HTTP port, HOST:PORT; "" leaves memory out
	Texts     string        // file of texts, one a line
	CallTexts int           // texts of a call, 1 to 1,024
	Times     float64       // load offered, as a multiple of the capacity
	Capacity  time.Duration // how long the capacity is measured
	Quiet     time.Duration // how long half of the capacity is offered
	Duration  time.Duration // of the overload
	Callers   int           // of the closed loop that finds the capacity, 1 to 480
	Seed      uint64        // of arrivals and texts

	// Progress is told what is done and which share of it, 0 to 1; nil for nobody.
	Progress func(what string, share float64)
}

// OverloadLine is what is printed. Latencies are in milliseconds from when a call was due,
// for refused calls too. Quantiles without a call are 0.
type OverloadLine struct {
	Encoder string `json:"encoder"`
	Backend string `json:"backend"`

	CapacityTextsPerS float64 `json:"capacity_texts_per_s"`
	QuietP50          float64 `json:"quiet_p50_ms"`
	QuietP99          float64 `json:"quiet_p99_ms"`
	QuietRefused      int     `json:"quiet_refused"`

	OfferedTextsPerS  float64 `json:"offered_texts_per_s"` // arrivals, client_limited included
	AcceptedTextsPerS float64 `json:"accepted_texts_per_s"`
	AcceptedP50       float64 `json:"accepted_p50_ms"`
	AcceptedP99       float64 `json:"accepted_p99_ms"`
	P99Ratio          float64 `json:"p99_ratio"` // accepted by quiet

	Calls                   int            `json:"calls"` // of the overload, as all counts from here on
	Accepted                int            `json:"accepted"`
	Refused                 int            `json:"refused"`
	RefusedP99              float64        `json:"refused_p99_ms"`
	RefusedWithoutRetryInfo int            `json:"refused_without_retry_info"`
	Errors                  map[string]int `json:"errors,omitempty"` // by code, without refusals
	// ClientLimited arrivals were not sent, since too many calls were under way: above 0
	// the figures tell of the client.
	ClientLimited int `json:"client_limited"`

	// Memory of the worker's process at the begin and the end of the overload, and the
	// most that was seen, each second.
	RSSStart float64 `json:"rss_start_mb,omitempty"`
	RSSEnd   float64 `json:"rss_end_mb,omitempty"`
	RSSMax   float64 `json:"rss_max_mb,omitempty"`
}

// maxOutstanding bounds the calls under way: 60 of the 64 that a worker takes on each
// connection.
const (
	connections    = 8
	maxOutstanding = connections * 60
)

func (o *Overload) check() error {
	switch {
	case o.CallTexts < 1 || o.CallTexts > 1024:
		return fmt.Errorf("--call-texts %d: want 1 to 1,024", o.CallTexts)
	case !(o.Times > 0) || o.Times > 1000:
		return fmt.Errorf("--overload %g: want a multiple of the capacity, above 0 to 1,000", o.Times)
	case o.Callers < 1 || o.Callers > maxOutstanding:
		return fmt.Errorf("--callers %d: want 1 to %d", o.Callers, maxOutstanding)
	case o.Capacity <= 0 || o.Quiet <= 0 || o.Duration <= 0:
		return errors.New("--duration: each part must last longer than 0")
	case o.Texts == "":
		return errors.New("--addr needs texts to send; name their file with --texts")
	}
	return nil
}

// RunOverload measures a running worker and writes one JSON line: its capacity in a closed
// loop, then half of that and then a multiple of that in open loops, whose arrivals do not
// wait for answers. Calls are queries and are not tried again.
func RunOverload(ctx context.Context, o Overload, out io.Writer) error {
	if o.Progress == nil {
		o.Progress = func(string, float64) {}
	}
	if err := o.check(); err != nil {
		return err
	}
	texts, err := readLines(o.Texts)
	if err != nil {
		return err
	}
	c, err := dialWorker(ctx, o)
	if err != nil {
		return err
	}
	defer c.close()
	line := OverloadLine{Encoder: c.model, Backend: c.backend}
	b := &bench{Overload: o, client: c, texts: texts, random: rand.New(rand.NewPCG(o.Seed, 0x6f766572))}
	if line.CapacityTextsPerS, err = b.capacity(ctx); err != nil {
		return err
	}
	calls := line.CapacityTextsPerS / float64(o.CallTexts)
	quiet, err := b.open(ctx, "quiet", calls/2, o.Quiet)
	if err != nil {
		return err
	}
	line.QuietP50, line.QuietP99, line.QuietRefused = quantile(quiet.accepted, .5), quantile(quiet.accepted, .99), len(quiet.refused)
	memory, stop := watchMemory(ctx, o.Metrics)
	loaded, err := b.open(ctx, "overload", calls*o.Times, o.Duration)
	stop()
	if err != nil {
		return err
	}
	if err := memory.err; err != nil {
		return err
	}
	line.RSSStart, line.RSSEnd, line.RSSMax = memory.first, memory.last, memory.most
	line.overload(loaded, o)
	return writeOverload(out, line)
}

func (l *OverloadLine) overload(t *outcomes, o Overload) {
	perS := float64(o.CallTexts) / o.Duration.Seconds()
	l.Calls, l.Accepted, l.Refused = t.calls, len(t.accepted), len(t.refused)
	l.OfferedTextsPerS, l.AcceptedTextsPerS = round(float64(t.calls)*perS), round(float64(len(t.accepted))*perS)
	l.AcceptedP50, l.AcceptedP99 = quantile(t.accepted, .5), quantile(t.accepted, .99)
	l.RefusedP99, l.RefusedWithoutRetryInfo = quantile(t.refused, .99), t.withoutRetryInfo
	l.Errors, l.ClientLimited = t.errors, t.limited
	if l.QuietP99 > 0 {
		l.P99Ratio = math.Round(100*l.AcceptedP99/l.QuietP99) / 100
	}
}

// bench is one measurement.
type bench struct {
	Overload
	client *workerClient
	texts  []string
	random *rand.Rand // of the one goroutine that makes calls due
}

// draw gives the texts of a call: a run of lines from anywhere.
func (b *bench) draw(first int) []string {
	list := make([]string, b.CallTexts)
	for i := range list {
		list[i] = b.texts[(first+i)%len(b.texts)]
	}
	return list
}

// warmShare of the closed loop does not count.
const warmShare = 10

// capacity gives the texts a second that callers get who each send the next call when the
// last one is answered. One that is refused waits as it is told to.
func (b *bench) capacity(ctx context.Context) (float64, error) {
	begin := time.Now()
	from, to := begin.Add(b.Capacity/warmShare), begin.Add(b.Capacity)
	counts, errs := make([]int, b.Callers), make([]error, b.Callers)
	var wg sync.WaitGroup
	for i := range b.Callers {
		first := b.random.IntN(len(b.texts))
		wg.Go(func() {
			for ctx.Err() == nil && time.Now().Before(to) {
				a := b.client.embed(ctx, i, b.draw(first))
				first += b.CallTexts
				if now := time.Now(); a.err == nil && now.After(from) && now.Before(to) {
					counts[i] += b.CallTexts
				} else if a.refused { // those that were not keep the worker busy
					sleepUntil(ctx, now.Add(max(a.retryAfter, time.Millisecond)))
				} else if errs[i] = a.err; a.err != nil {
					return
				}
			}
		})
	}
	b.ticking("capacity", b.Capacity, func() { wg.Wait() })
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		return 0, fmt.Errorf("finding the capacity: %w", err)
	}
	sum := 0
	for _, n := range counts {
		sum += n
	}
	if sum == 0 {
		return 0, fmt.Errorf("no call of %d texts was answered within %v: send fewer", b.CallTexts, b.Capacity)
	}
	return round(float64(sum) / to.Sub(from).Seconds()), nil
}

// open offers so many calls a second with Poisson arrivals and waits for all answers.
func (b *bench) open(ctx context.Context, what string, rate float64, d time.Duration) (*outcomes, error) {
	t := &outcomes{errors: map[string]int{}}
	places := make(chan struct{}, maxOutstanding)
	var wg sync.WaitGroup
	begin := time.Now()
	shown := begin
	for next := b.random.ExpFloat64() / rate; next < d.Seconds() && ctx.Err() == nil; next += b.random.ExpFloat64() / rate {
		due := begin.Add(time.Duration(next * float64(time.Second)))
		sleepUntil(ctx, due)
		if now := time.Now(); now.Sub(shown) > time.Second/4 {
			shown = now
			b.Progress(what, min(1, now.Sub(begin).Seconds()/d.Seconds()))
		}
		t.calls++
		select {
		case places <- struct{}{}:
		default:
			t.limited++
			continue
		}
		place, first := t.calls, b.random.IntN(len(b.texts))
		wg.Go(func() {
			a := b.client.embed(ctx, place, b.draw(first))
			t.add(a, time.Since(due))
			<-places
		})
	}
	wg.Wait()
	return t, ctx.Err()
}

// ticking shows progress while work goes on.
func (b *bench) ticking(what string, d time.Duration, work func()) {
	done := make(chan struct{})
	go func() { work(); close(done) }()
	tick := time.NewTicker(time.Second / 4)
	defer tick.Stop()
	for begin := time.Now(); ; {
		select {
		case <-done:
			return
		case <-tick.C:
			b.Progress(what, min(1, time.Since(begin).Seconds()/d.Seconds()))
		}
	}
}

func sleepUntil(ctx context.Context, due time.Time) {
	d := time.Until(due)
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// outcomes are those of the calls of an open loop.
type outcomes struct {
	calls, limited int // of the goroutine that makes calls due

	mu                sync.Mutex
	accepted, refused []time.Duration // latencies; 8 bytes a call
	withoutRetryInfo  int
	errors            map[string]int
}

func (t *outcomes) add(a answer, latency time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case a.err == nil:
		t.accepted = append(t.accepted, latency)
	case a.refused:
		t.refused = append(t.refused, latency)
		if a.retryAfter == 0 {
			t.withoutRetryInfo++
		}
	default:
		t.errors[a.code]++
	}
}

// quantile in milliseconds, by the nearest rank; 0 of nothing.
func quantile(list []time.Duration, share float64) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return round(list[min(int(share*float64(len(list))), len(list)-1)].Seconds() * 1000)
}
