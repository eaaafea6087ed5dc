package simulate

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
)

// Options say what is compared and how. Start from DefaultOptions.
type Options struct {
	Policies []PolicyName // no name twice; differences are to kindred where it is there, else to the first
	Seeds    int          // worlds, with the seeds World.Seed and those after it; 1 to 100
	Window   int          // visits that are answered from one state, 1 to 1,000
	Server   ServerOptions
	// Connect gives the connection to an empty tenant for a world, and what ends it. Needed for kindred.
	Connect func(ctx context.Context, seed uint64) (grpc.ClientConnInterface, func() error, error)
	// Record, if not nil, is told of what happened in each copy, in order, by one goroutine of each policy.
	Record func(policy PolicyName, seed uint64, acts []Act) error
	// Progress, if not nil, is told what share, 0 to 1, is done.
	Progress func(share float64)
}

// DefaultOptions compare all policies that need no server.
func DefaultOptions() Options {
	return Options{Policies: []PolicyName{PolicyNeighbours, PolicyPopularity, PolicyRandom, PolicyOracle}, Seeds: 1, Window: 32, Server: DefaultServerOptions()}
}

func (o Options) validate() error {
	switch {
	case o.Seeds < 1 || o.Seeds > 100:
		return bad("%d seeds: must be 1 to 100", o.Seeds)
	case o.Window < 1 || o.Window > 1000:
		return bad("window %d: must be 1 to 1,000 visits", o.Window)
	case len(o.Policies) == 0:
		return bad("no policy to run; name some of %v", PolicyNames())
	}
	for i, p := range o.Policies {
		if !slices.Contains(PolicyNames(), p) {
			return bad("policy %q: must be one of %v", p, PolicyNames())
		}
		if slices.Contains(o.Policies[:i], p) {
			return bad("policy %q stands twice", p)
		}
	}
	if slices.Contains(o.Policies, PolicyKindred) && o.Connect == nil {
		return bad("policy %s needs a server: give --addr of one with an empty tenant, or --self, or leave it out of --policies", PolicyKindred)
	}
	return o.Server.validate()
}

// Run lets every policy work in its own copy of the same worlds. An error that comes in the middle leaves a Result of the days
// that all copies had ended, with Result.Failure; a Result is nil only where there is nothing to tell.
func Run(ctx context.Context, config Config, o Options) (*Result, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := config.validate(); err != nil {
		return nil, err
	}
	start := time.Now()
	r := &Result{Config: config, Seeds: o.Seeds, Window: o.Window}
	var worlds []*worldRun
	for i := range o.Seeds {
		c := config
		c.Seed += uint64(i)
		run, err := runWorld(ctx, c, o, i, r)
		if run != nil && run.daysDone > 0 && (run.daysDone == c.Days || i == 0) {
			worlds = append(worlds, run) // a later world that was not finished would not compare
		}
		if err != nil {
			r.fill(o, worlds)
			r.Seconds = time.Since(start).Seconds()
			return r, err
		}
	}
	r.fill(o, worlds)
	r.Seconds = time.Since(start).Seconds()
	return r, nil
}

// worldRun is all copies of one world.
type worldRun struct {
	copies   []*shopCopy
	daysDone int // that ended in all copies
	kindred  *kindred
}

func runWorld(ctx context.Context, c Config, o Options, place int, r *Result) (run *worldRun, err error) {
	w, err := NewWorld(c)
	if err != nil {
		return nil, err
	}
	s, err := newShelves(w)
	if err != nil {
		return nil, err
	}
	run = &worldRun{}
	for _, name := range o.Policies {
		p, end, err := run.newPolicy(ctx, s, name, o)
		if err != nil {
			return nil, err
		}
		defer func() {
			if e := end(); e != nil && err == nil {
				err = e
			}
		}()
		run.copies = append(run.copies, newShopCopy(s, p, o.Server.Surface, o.Window))
	}
	for day := -w.HistoryDays; day < w.Days; day++ {
		if failure, err := run.day(ctx, w, day); err != nil {
			r.Failure = failure
			return run, fmt.Errorf("simulate: policy %s, seed %d, day %d, after %d visits of the day: %w", failure.Policy, w.Seed, day, failure.VisitsOfDay, err)
		}
		if o.Progress != nil {
			all := float64(w.HistoryDays + w.Days)
			o.Progress((float64(place) + float64(day+w.HistoryDays+1)/all) / float64(o.Seeds))
		}
	}
	return run, nil
}

func (run *worldRun) newPolicy(ctx context.Context, s *shelves, name PolicyName, o Options) (p Policy, end func() error, err error) {
	end = func() error { return nil }
	switch name {
	case PolicyRandom:
		p = random{w: s.World}
	case PolicyPopularity:
		p = &popular{w: s.World}
	case PolicyNeighbours:
		p = newNeighbours(s.World)
	case PolicyOracle:
		p = knowing{o: newOracle(s)}
	case PolicyKindred:
		var conn grpc.ClientConnInterface
		if conn, end, err = o.Connect(ctx, s.Seed); err != nil {
			return nil, nil, fmt.Errorf("simulate: %w: %w", ErrServer, err)
		}
		if run.kindred, err = newKindred(ctx, s.World, conn, o.Server); err != nil {
			_ = end() // the first error tells more
			return nil, nil, err
		}
		p = run.kindred
	}
	if o.Record != nil {
		p = recorded{p, func(acts []Act) error { return o.Record(name, s.Seed, acts) }}
	}
	return p, end, nil
}

// Failure says where a run ended too early.
type Failure struct {
	Policy      string `json:"policy"`
	Seed        uint64 `json:"seed"`
	Day         int    `json:"day"` // below 0: of the history
	VisitsOfDay int    `json:"visits_of_the_day"`
	DaysDone    int    `json:"days_done"`
	Error       string `json:"error"`
}

// day lets a day happen in all copies, side by side, and counts it if all ended it.
func (run *worldRun) day(ctx context.Context, w *World, day int) (*Failure, error) {
	plan := w.plan(day)
	var failed *shopCopy // the first; the others end because of it
	var once sync.Once
	group, groupCtx := errgroup.WithContext(ctx)
	for _, c := range run.copies {
		group.Go(func() error {
			err := c.day(groupCtx, day, plan)
			if err != nil {
				once.Do(func() { failed = c })
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return &Failure{Policy: failed.policy.Name(), Seed: w.Seed, Day: day, VisitsOfDay: failed.visitsDone, DaysDone: run.daysDone, Error: err.Error()}, err
	}
	if day < 0 {
		return nil, nil
	}
	for _, c := range run.copies {
		c.commit(day)
	}
	run.daysDone++
	return nil, nil
}

// plan is all visits of a day in time order, bots' too.
func (w *World) plan(day int) []Visit {
	var all []Visit
	for n := range w.Users + w.Bots {
		all = w.visitsOf(all, w.User(n), day)
	}
	slices.SortFunc(all, func(a, b Visit) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return a.User - b.User
	})
	return all
}

// recorded hands what a policy learns to a log as well.
type recorded struct {
	Policy
	record func([]Act) error
}

// Learn implements Policy.
func (r recorded) Learn(ctx context.Context, acts []Act) error {
	if err := r.record(acts); err != nil {
		return err
	}
	return r.Policy.Learn(ctx, acts)
}
