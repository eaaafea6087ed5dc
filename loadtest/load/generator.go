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

// Plan is one open-loop run at a constant rate.
type Plan struct {
	// Rate is arrivals a second, above 0 to 10,000,000.
	Rate float64
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
}

func (p Plan) validate() error {
	if !(p.Rate > 0 && p.Rate <= 1e7) {
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
	if p.Mix == (Mix{}) {
		return errors.New("load: the mix is empty; give it as recommend=80,event=20")
	}
	return p.Arrivals.validate()
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
// could not be made; calls that fail are counted.
//
// progress, if not nil, is told the share that is done, 0 to 1, from another goroutine.
func (c *Client) Constant(ctx context.Context, plan Plan, traffic Traffic, progress func(share float64)) (*Step, error) {
	if err := errors.Join(plan.validate(), traffic.validate(plan.Mix)); err != nil {
		return nil, err
	}
	pace, err := newPacer()
	if err != nil {
		return nil, err
	}
	g := &generator{client: c, plan: plan, traffic: traffic, progress: progress, pace: pace, hands: make(chan arrival),
		unique: "load-" + strconv.FormatInt(time.Now().UnixNano(), 36) + "-"}
	for range 2 * runtime.GOMAXPROCS(0) {
		g.recorders = append(g.recorders, newRecorder())
	}
	step, err := g.run(ctx)
	return step, errors.Join(err, pace.close())
}

// generator makes one run.
type generator struct {
	client    *Client
	plan      Plan
	traffic   Traffic
	progress  func(share float64)
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
	timeline := newTimeline(g.plan, g.recorders, g.progress)
	usage := startUsage()
	err := g.schedule(g.client.authorize(ctx))
	close(g.hands)
	g.wait.Wait()
	timeline.finish(g.pace.now())
	if err != nil {
		return nil, err
	}
	sum := newTally()
	for _, r := range g.recorders {
		sum.add(r.measured)
	}
	sum.limited = g.limited
	return newStep(g.plan, g.scheduled, sum, timeline.points, usage.cores()), nil
}

// longestSleep is how late a cancelled run may notice.
const longestSleep = 100 * time.Millisecond

// schedule hands out the arrivals when they are due.
func (g *generator) schedule(ctx context.Context) error {
	arrivals := newSequence(g.plan, g.traffic.Users, len(g.traffic.Items))
	for a, more := arrivals.draw(); more; a, more = arrivals.draw() {
		for left := a.due - g.pace.now(); left > 0; left = a.due - g.pace.now() {
			if err := g.pace.sleep(min(left, longestSleep)); err != nil {
				return err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		g.hand(ctx, a)
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
