package training

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/train"
	"github.com/kindred-rec/kindred/ranker/clicks"
	"github.com/kindred-rec/kindred/ranker/selection"
)

var (
	// ErrTooLittle: the log is too small to learn from. Waiting helps.
	ErrTooLittle = errors.New("too little to train on")
	// ErrOptions: a setting is out of its range; the error names it.
	ErrOptions = errors.New("training: bad option")
	// ErrEncoder: the text encoder is not the one that the service has.
	ErrEncoder = errors.New("training: another text encoder")
)

// The least that a model is trained on.
const (
	MinEvents = 100 // events that speak for an item
	MinUsers  = 20  // users with two of them
	MinItems  = 2   // items with one
)

// DefaultMemory is what Options.Memory is where nothing else is said.
const DefaultMemory = 2 << 30

// MinMemory is the least that Options.Memory can be.
const MinMemory = 64 << 20

// Options say how. Dir and Encoder are required; the zero value of all else means its
// default.
type Options struct {
	// Dir is where the bundle's folder is made, and files that are removed at the end.
	Dir string
	// Encoder makes the vectors of items' texts.
	Encoder embed.Encoder
	// Parent is the bundle that serves.
	Parent bundle.Hash

	Epochs  int    // passes over the log, at most; 1 to 100,000. Default 60
	Dim     int    // components of the transformer, 32 to 512, a multiple of 32. Default 128
	Seed    uint64 // of all that is drawn. Default 1
	Workers int    // goroutines, 1 to 256. Default as many as run at once
	Memory  int64  // bytes, at least 64 MiB. Default 2 GiB
	Cases   int    // users whose last item is the validation, 1 to 100,000. Default 2,000

	// Ranker is what kind of model scores. Default selection.Auto: a network where it is clearly
	// better than weights on choices that neither was trained on.
	Ranker selection.Kind
	// RankerFile is a model of LightGBM or XGBoost that scores instead, as package trees
	// reads it.
	RankerFile string
	// Objectives are what lists are to lead to, and weigh in what is learned from clicks. nil:
	// clicks.DefaultObjectives.
	Objectives []clicks.Objective

	// Checkpoint is a folder that training is saved to, so that a run that was killed goes on.
	// Empty: it begins anew.
	Checkpoint string

	// Tune, if not nil, changes the trainer's options at the end.
	Tune func(*train.Options)
	// Resuming, if not nil, is told that a run goes on from a checkpoint, of so many acts.
	Resuming func(acts int64)
	// Progress, if not nil, is told how far it is, by the goroutine that called Run.
	Progress func(Progress)

	own *forest // of RankerFile
}

// Progress says how far a run is.
type Progress struct {
	Stage string // in a few words
	// Epoch is the one that has ended, of at most Epochs; 0: none has.
	Epoch, Epochs int
	Loss          float64       // its mean
	NDCG          float64       // on the validation; 0: it was not asked in this epoch
	Left          time.Duration // until all epochs are done, estimated
}

func (o Options) withDefaults() (Options, error) {
	if o.Epochs == 0 {
		o.Epochs = train.DefaultOptions().Sequence.Epochs
	}
	if o.Dim == 0 {
		o.Dim = 128
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Workers == 0 {
		o.Workers = min(runtime.GOMAXPROCS(0), 256)
	}
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	if o.Cases == 0 {
		o.Cases = 2000
	}
	kind, err := selection.ParseKind(string(o.Ranker))
	if err != nil {
		return o, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	o.Ranker = kind
	if _, err := clicks.New(clicks.Options{Objectives: o.Objectives}); err != nil {
		return o, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	switch {
	case o.Dir == "":
		return o, fmt.Errorf("%w: Dir is empty: name a folder for the bundle", ErrOptions)
	case o.Encoder == nil:
		return o, fmt.Errorf("%w: Encoder is nil: give the text encoder of the service", ErrOptions)
	case o.Epochs < 1 || o.Epochs > 100_000:
		return o, fmt.Errorf("%w: epochs is %d; it must lie in [1, 100,000]", ErrOptions, o.Epochs)
	case o.Dim < 32 || o.Dim > 512 || o.Dim%32 != 0:
		return o, fmt.Errorf("%w: dim is %d; it must be a multiple of 32 in [32, 512]", ErrOptions, o.Dim)
	case o.Workers < 1 || o.Workers > 256:
		return o, fmt.Errorf("%w: workers is %d; it must lie in [1, 256]", ErrOptions, o.Workers)
	case o.Memory < MinMemory:
		return o, fmt.Errorf("%w: memory is %d MiB; it must be at least %d", ErrOptions, o.Memory>>20, MinMemory>>20)
	case o.Cases < 1 || o.Cases > 100_000:
		return o, fmt.Errorf("%w: cases is %d; it must lie in [1, 100,000]", ErrOptions, o.Cases)
	}
	return o, nil
}

// objectives are those that count.
func (o *Options) objectives() []clicks.Objective {
	if o.Objectives == nil {
		return clicks.DefaultObjectives()
	}
	return o.Objectives
}

func (o *Options) say(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}
