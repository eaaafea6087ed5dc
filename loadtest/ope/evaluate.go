package ope

import (
	"context"
	"fmt"
	"math"
)

// Result is a target, judged.
type Result struct {
	Target    string `json:"target,omitempty"` // its name; for the caller to set
	Log       string `json:"log,omitempty"`    // what it was judged by; for the caller to set
	Decisions int    `json:"decisions"`
	Rows      int    `json:"rows"`
	Clusters  int    `json:"clusters"`
	Lists     Lists  `json:"lists"`
	Seed      uint64 `json:"seed"`

	Confidence float64 `json:"confidence"`
	Method     Method  `json:"interval_method"`
	Clip       float64 `json:"clip,omitempty"`

	Support
	// Estimates in the order logged, ips, snips, dr, dm. Where the target was refused, that of the log alone.
	Estimates []Estimate `json:"estimates"`
	// Truth is what the target really earned, where that is known; nil: it is not.
	Truth *Estimate `json:"truth,omitempty"`
	// Refused says why there are no estimates; empty: there are.
	Refused string `json:"refused,omitempty"`
	// Notes are what a reader must know beside the figures: what was approximated, left out, or looks wrong.
	Notes []string `json:"notes,omitempty"`
}

// Estimate is a value of a policy: the mean over decisions of the rewards in all slots.
type Estimate struct {
	Estimator Estimator `json:"estimator"`
	Value     float64   `json:"value"`
	SE        float64   `json:"se,omitempty"`       // standard error; 0: unknown
	Interval  *Interval `json:"interval,omitempty"` // nil: there is none that would hold
}

// Estimate finds the estimate of an estimator.
func (r *Result) Estimate(by Estimator) (Estimate, bool) {
	for _, e := range r.Estimates {
		if e.Estimator == by {
			return e, true
		}
	}
	return Estimate{}, false
}

// Evaluate judges a target by a log. Where the support is too thin the error wraps ErrRefused, and the result says what
// there is. Other errors wrap ErrLog, ErrTarget or ErrOptions, or are the context's. Memory is about 100 bytes a row and
// 200 a cluster, beside the log.
func Evaluate(ctx context.Context, log *Log, target Target, o Options) (*Result, error) {
	if err := log.Check(); err != nil {
		return nil, err
	}
	if err := o.check(log); err != nil {
		return nil, err
	}
	w, err := newWeights(log, target, o.Lists, o.Clip)
	if err != nil {
		return nil, err
	}
	r := &Result{Decisions: log.Decisions(), Rows: len(log.Rows), Clusters: log.clusters(), Lists: o.Lists, Seed: o.Seed,
		Confidence: o.Confidence, Method: o.Interval, Clip: o.Clip}
	if r.Support, err = support(log, target, w, o.Lists); err != nil {
		return nil, err
	}
	if r.Refused = r.refusal(o); r.Refused != "" {
		if err := r.estimate(ctx, log, w, nil, []Estimator{Logged}, o); err != nil {
			return nil, err
		}
		return r, fmt.Errorf("%w: %s", ErrRefused, r.Refused)
	}
	r.remark()
	by, e := []Estimator{Logged, IPS, SNIPS}, (*expected)(nil)
	if chooser, ok := target.(Chooser); ok {
		if e, err = crossFit(log, chooser, o.Model, o.Folds, o.Seed); err != nil {
			return nil, err
		}
		by = append(by, DR, DM)
	} else {
		r.Notes = append(r.Notes, "no doubly robust estimate: the target's probability is known of the logged actions alone")
	}
	return r, r.estimate(ctx, log, w, e, by, o)
}

// LoggedValue is the mean reward of a log, with its interval: the value of the policy that made it.
func LoggedValue(ctx context.Context, log *Log, o Options) (Estimate, error) {
	if err := log.Check(); err != nil {
		return Estimate{}, err
	}
	if err := o.check(log); err != nil {
		return Estimate{}, err
	}
	r := &Result{Method: o.Interval, Confidence: o.Confidence}
	if err := r.estimate(ctx, log, nil, nil, []Estimator{Logged}, o); err != nil {
		return Estimate{}, err
	}
	return r.Estimates[0], nil
}

// significant is how many standard errors off a mean weight is no longer chance, also where its spread is underestimated.
const significant = 4

// refusal says why the support is too thin; empty: it is not.
func (s *Support) refusal(o Options) string {
	missing := max(0, 1-s.MeanWeight-significant*s.MeanWeightSE)
	switch {
	case s.MaxWeight == 0:
		return "the target never does what the log did: 100% of its choices are unexplored; judge it by a log with more exploration"
	case s.Unexplored > o.MaxUnexplored:
		return fmt.Sprintf("%.1f%% of the target's choices were never tried in the log; at most %.1f%% are allowed (the bound on the unexplored share)",
			100*s.Unexplored, 100*o.MaxUnexplored)
	case missing > o.MaxUnexplored:
		return fmt.Sprintf("the mean weight is %.3f ± %.3f: at least %.1f%% of the target's choices have no chance in the log; at most %.1f%% are allowed (the bound on the unexplored share)",
			s.MeanWeight, s.MeanWeightSE, 100*missing, 100*o.MaxUnexplored)
	case s.Effective < o.MinEffective:
		return fmt.Sprintf("the log is worth %.1f decisions to the target; at least %.4g are needed (the bound on the effective sample size; clipping raises it): largest weight %.4g, %.1f%% of choices unexplored",
			s.Effective, o.MinEffective, s.MaxWeight, 100*s.Unexplored)
	}
	return ""
}

// remark notes weights that do not average 1.
func (r *Result) remark() {
	if off := math.Abs(r.MeanWeight - 1); off > significant*r.MeanWeightSE && off > 1e-6 {
		r.Notes = append(r.Notes, fmt.Sprintf("the mean weight is %.4f, more than %d standard errors from 1: the propensities are not those of the log's policy, or a part of the target's choices has no chance in it",
			r.MeanWeight, significant))
	}
	if r.ClippedShare > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("weights are clipped at %g: %.3g%% of the rows, %.3g%% of the weight; intervals are about the clipped mean",
			r.Clip, 100*r.ClippedShare, 100*r.ClippedWeight))
	}
}

// estimate adds the estimates, with their intervals. DM gets none.
func (r *Result) estimate(ctx context.Context, log *Log, w *weights, e *expected, by []Estimator, o Options) error {
	var samples []*sample
	var kept []int
	for _, name := range by {
		s := sampleOf(name, log, w, e)
		value, se, ok := s.estimate()
		if !ok {
			r.Notes = append(r.Notes, fmt.Sprintf("no %s estimate: in some slot the target never does what the log did", name))
			continue
		}
		estimate := Estimate{Estimator: name, Value: value, SE: se}
		switch {
		case name == DM:
			estimate.SE = 0 // that of a model's own opinion says nothing of its error
		case o.Interval != Bernstein && name != Logged && r.Rewards < o.MinRewards:
			estimate.Interval = r.sparse(name, s, log)
		case se == 0:
			r.Notes = append(r.Notes, fmt.Sprintf("no interval of %s: all decisions say the same, as where none was rewarded", name))
		default:
			samples, kept = append(samples, s), append(kept, len(r.Estimates))
		}
		r.Estimates = append(r.Estimates, estimate)
	}
	return r.intervals(ctx, log, samples, kept, o)
}

// sparse gives the interval of an estimate for which too few rewards are at work, or notes that there is none.
func (r *Result) sparse(by Estimator, s *sample, log *Log) *Interval {
	low, high := rewardRange(log)
	switch {
	case by == IPS && low >= 0 && high > 0:
		largest := r.MaxWeight
		if r.Clip > 0 {
			largest = min(largest, r.Clip)
		}
		r.Notes = append(r.Notes, fmt.Sprintf("effectively %.1f rewards are at work: too few for the %s interval; that of ips is the gamma interval, which is wide on purpose",
			r.Rewards, r.Method))
		return new(gamma(s, r.Confidence, largest*high))
	default:
		r.Notes = append(r.Notes, fmt.Sprintf("no interval of %s: effectively %.1f rewards are at work, too few for one that holds", by, r.Rewards))
		return nil
	}
}

// intervals gives the estimates with numbers kept the intervals of their samples.
func (r *Result) intervals(ctx context.Context, log *Log, samples []*sample, kept []int, o Options) error {
	if len(samples) == 0 {
		return nil
	}
	if o.Interval == Studentized {
		intervals, bounded, err := studentized(ctx, samples, o, o.Progress)
		if err != nil {
			return err
		}
		for j, at := range kept {
			if bounded[j] {
				r.Estimates[at].Interval = &intervals[j]
			} else {
				r.Notes = append(r.Notes, fmt.Sprintf("no interval of %s: too few decisions were rewarded for one with %g%% confidence", r.Estimates[at].Estimator, 100*o.Confidence))
			}
		}
		return nil
	}
	for j, at := range kept {
		e := &r.Estimates[at]
		if o.Interval == Normal {
			e.Interval = new(normal(e.Value, e.SE, o.Confidence))
			continue
		}
		if e.Estimator == SNIPS {
			r.Notes = append(r.Notes, "no interval of snips: the Bernstein bound is about means, not ratios")
			continue
		}
		e.Interval = new(bernstein(samples[j], o.Confidence, rangeOf(e.Estimator, log, o)))
	}
	return nil
}

// rangeOf bounds how far apart what two decisions add to an estimate can lie.
func rangeOf(by Estimator, log *Log, o Options) float64 {
	longest := 0
	eachStep(log, func(_ int, _, step int32) { longest = max(longest, int(step)+1) })
	perRow := o.Clip // IPS: weight times reward
	switch by {
	case Logged:
		perRow = 1
	case DR: // the correction lies within ±Clip, and the model's opinion is weighted with what the rows before it have
		perRow = 2*o.Clip + max(1, o.Clip)
	}
	return float64(longest) * perRow * log.MaxReward
}
