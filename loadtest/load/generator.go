package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// Plan is one open-loop run at a constant rate, or with a spike in it.
type Plan struct {
	// Rate is arrivals a second, above 0 to 10,000,000.
	Rate float64
	// Spike raises the rate for a time. Nil: it stays.
	Spike *Spike
	// Sessions makes the calls those of visitors who come, think and leave, at Rate calls a second in all; Mix must then be
	// empty. Nil: each call is by itself.
	Sessions *Sessions
	// Arrivals is how they are spread.
	Arrivals Arrivals
	// Mix is what they are.
	Mix Mix
	// Duration is how long is measured, above 0; WarmUp, at least 0, goes before and counts nowhere.
	Duration, WarmUp time.Duration
	// InFlight bounds the calls under way, and with them the client's memory: 1 to 100,000. An arrival past it is not sent
	// and counts as client_limited.
	InFlight int
	// Limit is how many items a call asks for, 1 to 1,000.
	Limit int
	// Seed makes the schedule, the users and the items the same again.
	Seed uint64
	// GiveUp ends the run with ErrServerLost after so long without any answer, above 0; 0: only the end of the run tells.
	GiveUp time.Duration
}

// maxRate is the highest rate that a plan may have, calls a second.
const maxRate = 1e7

func (p Plan) validate() error {
	if !(p.Rate > 0 && p.Rate <= maxRate) {
		return fmt.Errorf("load: rate %v: must be above 0 and at most 10,000,000 a second", p.Rate)
	}
	if p.Duration <= 0 || p.WarmUp < 0 || p.Duration > math.MaxInt64/4 || p.WarmUp > math.MaxInt64/4 {
		return fmt.Errorf("load: duration %v after a warm-up of %v: must be above 0 and at least 0", p.Duration, p.WarmUp)
	}
	if p.InFlight < 1 || p.InFlight > 100_000 {
		return fmt.Errorf("load: %d in flight: must be 1 to 100,000", p.InFlight)
	}
	if p.Limit < 1 || p.Limit > 1000 {
		return fmt.Errorf("load: limit %d: must be 1 to 1,000", p.Limit)
	}
	switch {
	case p.Mix == (Mix{}) && p.Sessions == nil:
		return errors.New("load: the mix is empty; give it as recommend=80,event=20")
	case p.Mix != (Mix{}) && p.Sessions != nil:
		return errors.New("load: a mix and sessions exclude each other: what sessions do is their steps; give one of --mix and --sessions")
	case p.GiveUp < 0:
		return fmt.Errorf("load: give up after %v: must be at least 0", p.GiveUp)
	}
	return errors.Join(p.Spike.validate(p), p.Sessions.validate(p.Rate), p.Arrivals.validate())
}

// mix is the share of each sort of call.
func (p Plan) mix() Mix {
	if p.Sessions != nil {
		return p.Sessions.mix()
	}
	return p.Mix
}

// Traffic is who calls and about what.
type Traffic struct {
	Users Population
	// Items of the catalog. May be empty only if the mix is Recommend alone.
	Items []Item
}

func (t Traffic) validate(mix Mix) error {
	if mix.needsItems() && len(t.Items) == 0 {
		return fmt.Errorf("load: the mix %s names items and the server's catalog is empty; import one, as with: go run ./server import --format amazon --data DIR --addr ADDR", mix)
	}
	return t.Users.validate()
}

// Constant runs a plan. Each arrival is sent when it is due, whether or not earlier ones were answered, and its latency
// counts from when it was due: what waits behind a stalled server shows with its whole wait. An error means that the run
// could not be made, or is ErrServerLost and comes with what was measured until then; calls that fail are counted.
//
// progress, if not nil, is told the share that is done, 0 to 1, from another goroutine.
func (c *Client) Constant(ctx context.Context, plan Plan, traffic Traffic, progress func(share float64)) (*Step, error) {
	if err := errors.Join(plan.validate(), traffic.validate(plan.mix())); err != nil {
		return nil, err
	}
	arrivals := newSequence(plan, traffic.Users, len(traffic.Items)) // before the clock starts: it may draw visitors of the past
	pace, err := newPacer()
	if err != nil {
		return nil, err
	}
	g := newGenerator(c, plan, traffic, pace)
	g.arrivals, g.progress = arrivals, progress
	step, err := g.run(ctx)
	return step, errors.Join(err, pace.close())
}

func newGenerator(c *Client, plan Plan, traffic Traffic, pace *pacer) *generator {
	g := &generator{client: c, plan: plan, traffic: traffic, pace: pace, hands: make(chan arrival),
		unique: "load-" + strconv.FormatInt(time.Now().UnixNano(), 36) + "-"}
	for range 2 * runtime.GOMAXPROCS(0) {
		r := newRecorder()
		r.spike = plan.Spike != nil
		g.recorders = append(g.recorders, r)
	}
	return g
}

// generator makes one run.
type generator struct {
	client    *Client
	plan      Plan
	traffic   Traffic
	progress  func(share float64)
	arrivals  *sequence
	pace      *pacer
	hands     chan arrival // to a worker that is idle
	workers   int          // so far; each serves one call at a time
	wait      sync.WaitGroup
	recorders []*recorder // several, so that workers seldom meet at one
	unique    string

	scheduled int64 // measured arrivals
	limited   int64 // of those, not sent
}

func (g *generator) run(ctx context.Context) (*Step, error) {
	ctx = g.client.authorize(ctx)
	scheduling, stop := context.WithCancelCause(ctx) // calls under way outlive it
	defer stop(nil)
	timeline := newTimeline(g.plan, g.recorders, g.progress, func() {
		if g.plan.GiveUp > 0 && g.lost(ctx, g.contact(), g.pace.now(), g.plan.GiveUp) {
			stop(ErrServerLost)
		}
	})
	usage := startUsage()
	err := g.schedule(ctx, scheduling)
	close(g.hands)
	ended := g.pace.now()
	g.wait.Wait()
	timeline.finish(g.pace.now())
	if err != nil && !errors.Is(err, ErrServerLost) {
		return nil, err
	}
	return g.sum(ctx, timeline.points, ended, usage.cores(), err != nil)
}

// sum counts the run together. It may have ended early.
func (g *generator) sum(ctx context.Context, points []Point, ended time.Duration, cores float64, lost bool) (*Step, error) {
	sum := newTally()
	for _, r := range g.recorders {
		sum.add(r.measured)
	}
	sum.limited = g.limited
	plan := g.plan
	plan.Duration = max(min(plan.Duration, ended-plan.WarmUp), 0)
	if !lost {
		plan.Duration = g.plan.Duration // the last arrival comes a little before the end
	}
	step := newStep(plan, g.scheduled, sum, points, cores)
	if plan.Spike != nil {
		step.Spike = newSpikeStats(g.plan, sum, points)
	}
	heard := g.contact()
	if lost || g.lost(ctx, heard, g.pace.now(), 0) {
		at := heard.last.Seconds()
		step.ServerLostS = &at
		return step, lostError(g.client.target.Addr, step, g.scheduled-g.limited)
	}
	return step, nil
}

func (g *generator) contact() contact {
	var sum contact
	for _, r := range g.recorders {
		r.mu.Lock()
		sum.add(r.contact)
		r.mu.Unlock()
	}
	return sum
}

// longestSleep is how late a cancelled run may notice.
const longestSleep = 100 * time.Millisecond

// schedule hands out the arrivals when they are due, until the context of the scheduling ends; their calls are made under the
// other one.
func (g *generator) schedule(calls, ctx context.Context) error {
	for a, more := g.arrivals.draw(); more; a, more = g.arrivals.draw() {
		for left := a.due - g.pace.now(); left > 0; left = a.due - g.pace.now() {
			if err := g.pace.sleep(min(left, longestSleep)); err != nil {
				return err
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		g.hand(calls, a)
	}
	return nil
}

// hand gives an arrival to an idle worker, or else to a new one, or else counts it.
func (g *generator) hand(ctx context.Context, a arrival) {
	if a.measured {
		g.scheduled++
	}
	select {
	case g.hands <- a:
		return
	default:
	}
	if g.workers == g.plan.InFlight {
		if a.measured {
			g.limited++
		}
		return
	}
	number := g.workers
	g.workers++
	g.wait.Go(func() { g.work(ctx, number, a) })
}

// work serves arrivals until there are no more.
func (g *generator) work(ctx context.Context, number int, a arrival) {
	conn := g.client.conns[number%len(g.client.conns)]
	c := newCaller(conn, g.traffic.Users, g.traffic.Items, g.plan.Limit, g.unique+strconv.Itoa(number)+"-")
	to := g.recorders[number%len(g.recorders)]
	for more := true; more; a, more = <-g.hands {
		o := outcome{arrival: a, sent: g.pace.now()}
		o.err = g.invoke(ctx, c, a)
		o.end = g.pace.now()
		to.record(o, &c.reply)
	}
}

func (g *generator) invoke(ctx context.Context, c *caller, a arrival) error {
	ctx, cancel := context.WithTimeout(ctx, g.client.target.Timeout)
	defer cancel()
	return c.call(ctx, a)
}
