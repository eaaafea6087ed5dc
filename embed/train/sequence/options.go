package sequence

import (
	"errors"
	"fmt"
	"math"
	"runtime"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/optimize"
)

// ErrOptions is wrapped by errors about options that are out of range or do not go
// together.
var ErrOptions = errors.New("sequence: bad options")

// Schedule is how the learning rate changes after the warm-up.
type Schedule int

const (
	Constant Schedule = Schedule(optimize.Constant) // it does not
	Linear   Schedule = Schedule(optimize.Linear)   // it falls to 0 over all epochs
	Cosine   Schedule = Schedule(optimize.Cosine)   // it falls to a twentieth over all epochs, along half a wave
)

// Options are how a model is trained. [DefaultOptions] are a good start. What JSON leaves
// out has no influence on the result.
type Options struct {
	Config causal.Config

	Epochs  int // passes over the sequences, 1 to 100,000
	Batch   int // sequences of a step, 1 to 2^20
	Longest int // the last so many events of a sequence are used, 2 to 2^16; 0: Config.Window + 1

	// BatchTokens is the most events of a step, which bounds the memory of the two
	// passes: a step ends early rather than have more. At least Longest.
	BatchTokens int

	LearningRate float64  // above 0, to 1
	WarmUp       int      // steps over which the rate rises, at least 0
	Schedule     Schedule // of the rate after that
	WeightDecay  float64  // of matrices and tables, 0 to 1; norms and biases have none
	Beta1, Beta2 float64  // what Adam keeps of its means in a step, 0 to below 1
	Clip         float64  // the longest gradient, above 0; longer ones are scaled down to it. 0: any

	Dropout float32 // of input, blocks and output, 0 to below 1

	// ResidualDropout is the probability with which an item has its text alone in a step,
	// from 0 to 1, so that the model learns to serve items that have nothing else. Items
	// whose text vector is zero always keep theirs.
	ResidualDropout float32

	EventDropout   float32 // the probability with which an event of a sequence is left out, 0 to below 1
	Reverse        float32 // the probability with which a sequence is read backwards, 0 to 1
	LabelSmoothing float32 // the share of a target's probability that goes to all items alike, 0 to below 1

	// FullItems is the most items that a step has its softmax over, at least 1. If there are
	// more, it is over those of the step's events and Negatives others, drawn at random,
	// 1 to 2^24, half of them uniformly and half by how often they occur; then only these are
	// changed by a step, and LabelSmoothing must be 0.
	FullItems, Negatives int

	// EMA is how much of a running average of the weights is kept in a step, 0 to below 1.
	// The average is what is judged and returned. 0: none, the weights themselves are.
	EMA float64

	// Evaluate is after how many epochs the validation cases are asked, at least 1.
	// Patience is how many times in a row the best NDCG@10 may not be beaten before
	// training stops; 0: it never stops early.
	Evaluate, Patience int

	Seed    uint64 // of all that is random
	Workers int    `json:"-"` // goroutines, 1 to 256; 0: as many as there are processors. The result is the same for any number.

	// ScoreBytes is the memory of scores of users by items, at least 2^16: more rows at a
	// time take the items' vectors from memory less often. 32 MiB fit many processors' caches.
	ScoreBytes int

	MaxEvents int   `json:"-"` // of all sequences, 16 bytes each, at least 1; more are refused
	MaxBytes  int64 `json:"-"` // of memory, as [Options.Bytes] estimates it; what needs more is refused

	// Checkpoint, if not empty, is the file that training is saved to, at the end of
	// each epoch and after each CheckpointSteps steps (0: only at ends of epochs), so that a run
	// that was killed goes on from there with the same result.
	Checkpoint      string `json:"-"`
	CheckpointSteps int    `json:"-"`

	// Progress, if not nil, is called after each epoch by the goroutine that trains.
	Progress func(Epoch) `json:"-"`
}

// DefaultOptions are those that a shop's data was tried with.
func DefaultOptions(c causal.Config) Options {
	return Options{
		Config: c, Epochs: 60, Batch: 128, BatchTokens: 1 << 14,
		LearningRate: 1e-3, WeightDecay: 0.01, Beta1: 0.9, Beta2: 0.999, Clip: 5,
		Dropout: 0.4, Evaluate: 2, Patience: 6, FullItems: 1 << 17, Negatives: 1 << 13, ScoreBytes: 32 << 20, MaxEvents: 1 << 26, MaxBytes: 4 << 30,
	}
}

// samples reports whether a step is over some of the items.
func (o Options) samples() bool { return o.Config.Items > o.FullItems }

// longest is Longest with its default.
func (o Options) longest() int {
	if o.Longest == 0 {
		return o.Config.Window + 1
	}
	return o.Longest
}

func (o Options) workers() int {
	if o.Workers == 0 {
		return min(runtime.GOMAXPROCS(0), 256)
	}
	return o.Workers
}

// Validate returns an error that wraps [ErrOptions] or [causal.ErrConfig] and names each
// field that is out of range, or nil.
func (o Options) Validate() error {
	errs := []error{o.Config.Validate()}
	whole := func(name string, value, low, high int) {
		if value < low || value > high {
			errs = append(errs, fmt.Errorf("%w: %s is %d, must be from %d to %d", ErrOptions, name, value, low, high))
		}
	}
	number := func(name string, value float64, ok bool, want string) {
		if !ok || math.IsNaN(value) || math.IsInf(value, 0) {
			errs = append(errs, fmt.Errorf("%w: %s is %g, must be %s", ErrOptions, name, value, want))
		}
	}
	share := func(name string, value float64) {
		number(name, value, value >= 0 && value < 1, "from 0 to below 1")
	}
	whole("Epochs", o.Epochs, 1, 100_000)
	whole("Batch", o.Batch, 1, 1<<20)
	whole("Longest", o.longest(), 2, 1<<16)
	whole("BatchTokens", o.BatchTokens, o.longest(), 1<<20)
	whole("WarmUp", o.WarmUp, 0, math.MaxInt32)
	whole("Schedule", int(o.Schedule), int(Constant), int(Cosine))
	whole("FullItems", o.FullItems, 1, math.MaxInt)
	whole("Negatives", o.Negatives, 1, 1<<24)
	whole("Evaluate", o.Evaluate, 1, 100_000)
	whole("Patience", o.Patience, 0, 100_000)
	whole("Workers", o.workers(), 1, 256)
	whole("ScoreBytes", o.ScoreBytes, 1<<16, math.MaxInt)
	whole("MaxEvents", o.MaxEvents, 1, math.MaxInt)
	whole("CheckpointSteps", o.CheckpointSteps, 0, math.MaxInt32)
	whole("Config.Items", o.Config.Items, 1, 1<<26)
	number("LearningRate", o.LearningRate, o.LearningRate > 0 && o.LearningRate <= 1, "above 0, to 1")
	number("WeightDecay", o.WeightDecay, o.WeightDecay >= 0 && o.WeightDecay <= 1, "from 0 to 1")
	number("Clip", o.Clip, o.Clip >= 0, "at least 0")
	number("ResidualDropout", float64(o.ResidualDropout), o.ResidualDropout >= 0 && o.ResidualDropout <= 1, "from 0 to 1")
	number("Reverse", float64(o.Reverse), o.Reverse >= 0 && o.Reverse <= 1, "from 0 to 1")
	share("Beta1", o.Beta1)
	share("Beta2", o.Beta2)
	share("Dropout", float64(o.Dropout))
	share("EventDropout", float64(o.EventDropout))
	share("LabelSmoothing", float64(o.LabelSmoothing))
	share("EMA", o.EMA)
	if o.samples() && o.LabelSmoothing > 0 {
		errs = append(errs, fmt.Errorf("%w: LabelSmoothing is %g, must be 0 with Config.Items, %d, above FullItems, %d", ErrOptions, o.LabelSmoothing, o.Config.Items, o.FullItems))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if need := o.Bytes(); need > o.MaxBytes {
		return fmt.Errorf("%w: training takes about %d MiB, MaxBytes allows %d; allow more, or lower Config.Items, Dim, BatchTokens or ScoreBytes",
			ErrOptions, need>>20, o.MaxBytes>>20)
	}
	return nil
}
