package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// Mode is what a load test does.
type Mode string

const (
	// ModeRate offers one rate for a time.
	ModeRate Mode = "rate"
	// ModeSaturation looks for the highest rate held, then measures at half of it.
	ModeSaturation Mode = "saturation"
	// ModeEvents measures durable events a second.
	ModeEvents Mode = "events"
	// ModeAll is ModeSaturation, then ModeEvents.
	ModeAll Mode = "all"
	// ModeStepped offers one rate after another.
	ModeStepped Mode = "stepped"
	// ModeSpike offers one rate with a spike in it.
	ModeSpike Mode = "spike"
)

// Options are a whole load test.
type Options struct {
	Target Target
	Mode   Mode
	// Plan is the open loop. Its rate holds for ModeRate and ModeSpike, its duration also for each step of ModeStepped, its
	// spike for ModeSpike, which needs one.
	Plan Plan
	// Rates are those of ModeStepped, 1 to 1,000, in the order in which they are offered.
	Rates []float64
	// Search holds for ModeSaturation and ModeAll; its bound on p99 is also what the steps of ModeStepped are held against.
	Search Search
	// Events holds for ModeEvents and ModeAll.
	Events EventsPlan
	// Empty is the length of a step of the search for the rate of empty calls, 2 s and more for figures to quote; 0: they
	// are not measured.
	Empty time.Duration
	// Users is who calls.
	Users Population
	// MaxItems bounds the catalog rows that the client holds, at about 100 bytes each; the first by id are taken. At least 1.
	MaxItems int
	// SyncDir, if not empty, is a folder in which one write and sync is timed, to stand beside the events a second.
	SyncDir string
	// Progress, if not nil, is told what goes on and its share done, 0 to 1. It is called from several goroutines, one at a time.
	Progress func(phase string, share float64)
	// Stepped, if not nil, is told of each step of a search when it is done.
	Stepped func(*Step)
}

func (o Options) validate() error {
	if o.MaxItems < 1 {
		return fmt.Errorf("load: at most %d items: must be at least 1", o.MaxItems)
	}
	if o.Empty < 0 {
		return fmt.Errorf("load: %v for the empty call: must be at least 0", o.Empty)
	}
	switch o.Mode {
	case ModeRate:
		return o.Plan.validate()
	case ModeSpike:
		if o.Plan.Spike == nil {
			return errors.New("load: no spike to offer; give --spike-factor and --spike-for")
		}
		return o.Plan.validate()
	case ModeStepped:
		return o.validateSteps()
	case ModeEvents:
		return o.Events.validate()
	case ModeSaturation, ModeAll:
		plan := o.Plan
		plan.Rate, plan.Duration = o.Search.Start, o.Search.Step
		err := errors.Join(o.Search.validate(), plan.validate())
		if o.Mode == ModeAll {
			err = errors.Join(err, o.Events.validate())
		}
		return err
	}
	return fmt.Errorf("load: mode %q: must be %s, %s, %s, %s, %s or %s", o.Mode, ModeRate, ModeStepped, ModeSpike, ModeSaturation, ModeEvents, ModeAll)
}

// Result is the outcome of a load test. Encoded, it is one JSON object; parts that the mode does not have are left out.
type Result struct {
	Mode     Mode     `json:"mode"`
	Addr     string   `json:"addr"`
	Mix      string   `json:"mix,omitempty"`
	Arrivals Arrivals `json:"arrivals,omitempty"`
	Seed     uint64   `json:"seed"`
	Users    int      `json:"users"`
	Items    int      `json:"items"` // known to the client
	Limit    int      `json:"limit"`
	// Sessions says how the calls came, if not one by one.
	Sessions    *SessionStats `json:"sessions,omitempty"`
	Connections int           `json:"connections"`
	InFlight    int           `json:"in_flight_bound"`
	DurationS   float64       `json:"duration_s"` // measured, of the step that the figures below are of
	WarmUpS     float64       `json:"warm_up_s"`

	// Step is the run of ModeRate, or the step of the highest rate held.
	*Step
	*Empty
	// Ratio is AchievedRPS over the empty calls' rate; RecommendRatio counts Recommend alone.
	Ratio          float64 `json:"ratio,omitempty"`
	RecommendRatio float64 `json:"recommend_ratio,omitempty"`
	// SaturationRPS is the highest rate held; Half is the run at half of it.
	SaturationRPS float64 `json:"saturation_rps,omitempty"`
	P99BoundMS    float64 `json:"p99_bound_ms,omitempty"`
	Half          *Step   `json:"half_saturation,omitempty"`
	// Steps are those of the search, or of ModeStepped, in order.
	Steps []StepSummary `json:"steps,omitempty"`
	*Events
	Machine Machine `json:"machine"`
	// Repetition counts the runs of a test that is repeated, from 1; 0: it is not.
	Repetition int `json:"repetition,omitempty"`

	full []*Step // of ModeStepped
}

// SessionStats is how sessions came.
type SessionStats struct {
	Steps     string  `json:"steps"`
	ThinkS    float64 `json:"think_s"`
	Stay      float64 `json:"stay"`
	MeanCalls float64 `json:"mean_calls"`
}

// StepSummary is a step of a search in short.
type StepSummary struct {
	Rate        float64 `json:"rate"`
	OfferedRPS  float64 `json:"offered_rps"`
	AchievedRPS float64 `json:"achieved_rps"`
	P50         float64 `json:"p50_ms"`
	P99         float64 `json:"p99_ms"`
	Failed      int64   `json:"failed"`
	// Errors are Failed by gRPC code.
	Errors        map[string]int64 `json:"errors,omitempty"`
	ClientLimited int64            `json:"client_limited"`
	ClientCores   float64          `json:"client_cores"`
	Held          bool             `json:"held"`
}

func summarize(s *Step) StepSummary {
	return StepSummary{Rate: s.Rate, OfferedRPS: s.OfferedRPS, AchievedRPS: s.AchievedRPS, P50: s.P50, P99: s.P99,
		Failed: s.failed(), Errors: s.Errors, ClientLimited: s.ClientLimited, ClientCores: s.ClientCores, Held: s.Held != nil && *s.Held}
}

// Run makes a whole load test. An error means that there is nothing to report, unless it is ErrServerLost: that one comes with
// the result so far. Calls that fail are counted, unless all do.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := errors.Join(o.validate(), o.Users.validate()); err != nil {
		return nil, err
	}
	client, err := Dial(ctx, o.Target)
	if err != nil {
		return nil, err
	}
	r := &runner{Options: o, client: client, traffic: Traffic{Users: o.Users}}
	r.result = &Result{Mode: o.Mode, Addr: o.Target.Addr, Users: o.Users.size(), Limit: o.Plan.Limit, Seed: o.Plan.Seed,
		Connections: o.Target.Connections, InFlight: o.Plan.InFlight, Machine: MachineFor(o.Target.Addr)}
	r.describe()
	err = r.run(ctx)
	if lost := errors.Is(err, ErrServerLost); lost || err == nil {
		return r.result, cmp.Or(err, client.Close())
	}
	return nil, errors.Join(err, client.Close())
}

// describe says what the open loop offers.
func (r *runner) describe() {
	if r.Mode == ModeEvents {
		return
	}
	res := r.result
	res.Mix, res.Arrivals, res.WarmUpS = r.Plan.mix().String(), r.Plan.Arrivals, r.Plan.WarmUp.Seconds()
	if s := r.Plan.Sessions; s != nil {
		res.Sessions = &SessionStats{Steps: s.String(), ThinkS: s.Think.Seconds(), Stay: s.Stay, MeanCalls: s.meanCalls()}
	}
}

type runner struct {
	Options
	client  *Client
	traffic Traffic
	result  *Result
}

func (r *runner) run(ctx context.Context) error {
	if err := r.readItems(ctx); err != nil {
		return err
	}
	if r.Empty > 0 && r.Mode != ModeEvents {
		empty, err := r.client.Empty(ctx, r.Empty, cmp.Or(r.Search.P99, emptyP99), r.Plan, r.phase("empty calls"))
		if err != nil {
			return err
		}
		r.result.Empty = &empty
	}
	switch r.Mode {
	case ModeRate, ModeSpike:
		return r.constant(ctx)
	case ModeStepped:
		return r.stepped(ctx)
	case ModeSaturation:
		return r.saturation(ctx)
	case ModeEvents:
		return r.events(ctx)
	default:
		if err := r.saturation(ctx); err != nil {
			return err
		}
		return r.events(ctx)
	}
}

// emptyP99 bounds empty calls where no search for saturation has a bound of its own.
const emptyP99 = 50 * time.Millisecond

func (r *runner) phase(name string) func(float64) {
	if r.Progress == nil {
		return nil
	}
	return func(share float64) { r.Progress(name, share) }
}

func (r *runner) readItems(ctx context.Context) error {
	if r.Mode != ModeEvents && r.Mode != ModeAll && !r.Plan.mix().needsItems() && r.Plan.Sessions == nil {
		return nil
	}
	items, err := r.client.Items(ctx, r.MaxItems)
	r.traffic.Items, r.result.Items = items, len(items)
	return err
}

func (r *runner) constant(ctx context.Context) error {
	plan := r.Plan
	if r.Mode != ModeSpike {
		plan.Spike = nil
	}
	step, err := r.client.Constant(ctx, plan, r.traffic, r.phase(fmt.Sprintf("%.0f a second", plan.Rate)))
	if step == nil {
		return err
	}
	if r.adopt(step, plan.Duration); err != nil {
		return err
	}
	return someSucceeded(step)
}

func (r *runner) saturation(ctx context.Context) error {
	plan := r.Plan
	plan.Spike = nil
	steps, best, err := r.client.Saturate(ctx, r.Search, plan, r.traffic, r.Stepped, r.phase("search for saturation"))
	for _, s := range steps {
		r.result.Steps = append(r.result.Steps, summarize(s))
	}
	if err != nil {
		return err
	}
	r.result.SaturationRPS, r.result.P99BoundMS = best.Rate, millis(r.Search.P99)
	half := plan
	half.Rate, half.Duration = best.Rate/2, r.Search.Step
	r.adopt(best, r.Search.Step)
	r.result.Half, err = r.client.Constant(ctx, half, r.traffic, r.phase("half of saturation"))
	return err
}

func someSucceeded(s *Step) error {
	if s.Histogram.TotalCount() == 0 && s.OfferedRPS > 0 {
		return fmt.Errorf("load: no call succeeded: %s", whyNot(s))
	}
	return nil
}

// adopt makes a step the one whose figures stand first in the result.
func (r *runner) adopt(s *Step, span time.Duration) {
	res := r.result
	res.Step, res.DurationS = s, span.Seconds()
	if res.Empty != nil {
		res.Ratio = s.AchievedRPS / res.Empty.RPS
		res.RecommendRatio = s.Calls[KindRecommend.String()].RPS / res.Empty.RPS
	}
}

func (r *runner) events(ctx context.Context) error {
	events, err := r.client.Events(ctx, r.Events, r.traffic, r.phase("durable events"))
	if err != nil {
		return err
	}
	if r.SyncDir != "" {
		d, err := SyncTime(r.SyncDir)
		if err != nil {
			return err
		}
		events.SyncP50 = millis(d)
	}
	r.result.Events = events
	return nil
}
