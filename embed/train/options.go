package train

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/train/sequence"
	"github.com/kindred-rec/kindred/embed/train/transition"
)

// ErrData is wrapped by errors about what is to be trained on.
var ErrData = errors.New("train: bad data")

// Data is what a model is made of. Nothing of it is changed.
type Data struct {
	// Items are the ids of the items, different from each other; an event's item is an index.
	Items []string

	// Text are the items' text vectors, [items, TextDim] float32 of unit length, or zeros
	// for an item without text. Empty: items have no texts.
	Text    []float32
	TextDim int

	// Sequences are what each user did that speaks for an item, oldest first. It is read
	// several times and must give the same each time.
	Sequences iter.Seq[[]sequence.Event]

	// Valid are questions that are not in Sequences. With none nothing stops early and the
	// weights of the parts are the default ones.
	Valid []sequence.Case

	// HideSeen ranks only what is not in a question's history.
	HideSeen bool

	// Numbering says what the events' types, gaps and values mean. Zero: they have none.
	Numbering learned.Numbering
}

// Options say how. The zero value is not one of them: begin with [DefaultOptions].
type Options struct {
	// Sequence is the transformer's. The items, texts and tables of its Config are
	// those of the data.
	Sequence sequence.Options

	// Transition is the counts'. Their Seed and Workers are the transformer's.
	Transition transition.Options

	// Texts is the usual weight of the likeness of texts beside the transformer, at least 0, and
	// TextDecay what an event counts for it relative to the one after it, above 0, to 1. It finds items that nobody
	// touched yet. 0: it is left out, and vectors are shorter by TextDim.
	Texts, TextDecay float32

	// MinEvents is how many events an item needs for a row of its own, at least 1. Others
	// are served by their texts.
	MinEvents int

	// Decay is what an event counts for the factored counts relative to the one after it,
	// above 0, to 1; Recent how many of the last events do.
	Decay  float32
	Recent int

	// Counts is the usual weight of the counts beside the transformer, at least 0; 0 leaves
	// them out, unless validation says otherwise.
	Counts float32

	// Ridge holds what a text predicts of an item's factors back, above 0.
	Ridge float64

	// Progress, if not nil, is told of each part as it begins.
	Progress func(stage Stage)
}

// Stage is a part of the work.
type Stage string

// The stages, in their order.
const (
	Transitions Stage = "counting what follows what"
	Transformer Stage = "training the transformer"
	Weighing    Stage = "weighing the parts"
)

// DefaultOptions are those that were chosen on validation parts of public logs. The size
// of the transformer's tables is filled in from the data.
func DefaultOptions() Options {
	o := Options{Sequence: sequence.DefaultOptions(causal.DefaultConfig(1, 0)), Texts: 8, TextDecay: 0.3, MinEvents: 1, Decay: 0.6, Recent: 10, Counts: 16, Ridge: 10}
	o.Sequence.Seed = 1
	o.Sequence.EventDropout, o.Sequence.ResidualDropout = 0.2, 0.2
	return o
}

// Report says what was made, for people and manifests.
type Report struct {
	Transformer sequence.Result `json:"-"`
	Curve       []sequence.Epoch
	Rows        int     // items with enough events
	Cases       int     // validation cases that were asked
	Stopped     string  // why the transformer's training ended
	Pairs       int64   // that were factored
	Dropped     int64   // pairs that were given up for want of memory
	Texts       float32 // weight of the likeness of texts that was chosen
	Counts      float32 // weight of the counts that was chosen
	Valid       float64 // mean of 1/log2(1+rank), up to rank 100, with it; 0: no validation
	Alone       float64 // the same of the transformer alone
	Seconds     float64
}

// Result is a trained model.
type Result struct {
	Model  learned.Model
	Report Report
}

func (d Data) check() error {
	if len(d.Items) == 0 {
		return fmt.Errorf("%w: no items: there is nothing to recommend", ErrData)
	}
	if len(d.Text) != len(d.Items)*d.TextDim {
		return fmt.Errorf("%w: Text has %d numbers; %d items of %d components need %d", ErrData, len(d.Text), len(d.Items), d.TextDim, len(d.Items)*d.TextDim)
	}
	if d.Sequences == nil {
		return fmt.Errorf("%w: Sequences is nil", ErrData)
	}
	return nil
}

// GapBounds are bounds of the time between two events that tell a session from a return:
// a minute, ten, an hour, six, a day, three, a week, a month, in seconds.
func GapBounds() []float64 {
	var bounds []float64
	for _, d := range []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 72 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour} {
		bounds = append(bounds, d.Seconds())
	}
	return bounds
}
