package ope

import "fmt"

// Options say how a target is judged. Start from DefaultOptions.
type Options struct {
	// Lists says how the slots of a decision hang together. Where decisions have one row, both are the same.
	Lists Lists
	// Clip bounds the weights, 0: not at all. A bound narrows the intervals and makes IPS, SNIPS and DR lean towards what the
	// log did in the rows it cuts; intervals are then about the clipped mean. Support says how much was cut.
	Clip float64
	// Model of rewards, for DR and DM.
	Model RewardModel
	// Folds that the model is fitted and judged in, 2 to 100.
	Folds int

	Interval   Method
	Confidence float64 // of the intervals, above 0.5, below 1
	// Resamples of the studentized interval, 200 to 100,000.
	Resamples int
	// Seed of folds and resamples.
	Seed uint64

	// MinEffective decisions, or more, that the log must be worth to the target; below, the target is refused. At least 1.
	MinEffective float64
	// MinRewards that must effectively be at work (Support.Rewards) for the studentized and the normal interval: with fewer
	// they hold the truth too seldom, whatever the number of decisions. Below, IPS has the Gamma interval and SNIPS and DR
	// have none. Not used with Bernstein. At least 0.
	MinRewards float64
	// MaxUnexplored share, or less, of the target's choices that the log may have left untried; above, the target is refused.
	// 0 to 1. The same holds for weight that is missing: a mean weight so far below 1 that chance does not explain it.
	MaxUnexplored float64

	// Progress is told the share of the work that is done. Nil: nobody asks. Called from one goroutine.
	Progress func(share float64)
}

// DefaultOptions are what the figures of this package's self-check are about.
func DefaultOptions() Options {
	return Options{Lists: Cascade, Model: Means{Strength: 20}, Folds: 5, Interval: Studentized, Confidence: 0.95, Resamples: 1000, Seed: 1,
		MinEffective: 100, MinRewards: 30, MaxUnexplored: 0.05}
}

// Bounds of Options.
const (
	maxFolds     = 100
	minResamples = 200
	maxResamples = 100_000
)

func (o Options) check(log *Log) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...)
	}
	switch {
	case o.Lists != Cascade && o.Lists != Independent:
		return bad("Lists is %q; must be %s or %s", o.Lists, Cascade, Independent)
	case !(o.Clip >= 0):
		return bad("Clip is %v; must be above 0, or 0 for none", o.Clip)
	case o.Model == nil:
		return bad("Model is nil; Means{Strength: 20} is a start")
	case o.Folds < 2 || o.Folds > maxFolds:
		return bad("Folds is %d; must be 2 to %d", o.Folds, maxFolds)
	case o.Interval != Studentized && o.Interval != Normal && o.Interval != Bernstein:
		return bad("Interval is %q; must be %s, %s or %s", o.Interval, Studentized, Normal, Bernstein)
	case !(o.Confidence > 0.5 && o.Confidence < 1):
		return bad("Confidence is %v; must be above 0.5 and below 1", o.Confidence)
	case o.Resamples < minResamples || o.Resamples > maxResamples:
		return bad("Resamples is %d; must be %d to %d", o.Resamples, minResamples, maxResamples)
	case !(o.MinEffective >= 1):
		return bad("MinEffective is %v; must be at least 1", o.MinEffective)
	case !(o.MinRewards >= 0):
		return bad("MinRewards is %v; must be at least 0", o.MinRewards)
	case !(o.MaxUnexplored >= 0 && o.MaxUnexplored <= 1):
		return bad("MaxUnexplored is %v; must be 0 to 1", o.MaxUnexplored)
	case o.Interval == Bernstein && (o.Clip == 0 || log.MaxReward == 0):
		return bad("the Bernstein interval needs a bound on weights and rewards: Clip is %v, MaxReward %v", o.Clip, log.MaxReward)
	case o.Interval == Bernstein && log.clusters() != log.Decisions():
		return bad("the Bernstein interval needs independent decisions; these stand in clusters")
	}
	return nil
}
