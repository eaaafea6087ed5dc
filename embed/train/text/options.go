package text

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"

	"github.com/kindred-rec/kindred/embed/train/text/internal/network"
	"github.com/kindred-rec/kindred/embed/train/text/internal/state"
	"github.com/kindred-rec/kindred/embed/transformer"
)

// Errors of this package, wrapped with what is wrong and what is wanted.
var (
	// ErrOptions: an option is out of its range, or two do not go together.
	ErrOptions = errors.New("text: bad options")

	// ErrExamples: there is nothing to learn from, or an example is not sound.
	ErrExamples = errors.New("text: bad examples")

	// ErrDiverged: the loss or its gradient was not finite. What was exported before
	// stays, and weights of the step before are in the state. A lower LearningRate
	// helps, or a Clip.
	ErrDiverged = errors.New("text: training diverged")

	// ErrState: the folder of the state is damaged or of another run. Remove it to begin
	// anew.
	ErrState = state.ErrState
)

// Adapter asks for low-rank changes of matrices instead of the matrices themselves
// (LoRA). What is exported has them multiplied in.
type Adapter struct {
	Rank     int      // 1 to 256
	Alpha    float64  // the change is Alpha/Rank times the product of both factors
	Matrices []string // of [Matrices], each once
}

// Matrices are what an adapter can change: query, key, value, attention_output,
// feed_forward_up and feed_forward_down of each layer.
func Matrices() []string { return slices.Clone(network.Matrices) }

// Options say how a model is trained. [Defaults] are a start; none of their fields is
// filled in silently.
type Options struct {
	// Backend is [transformer.Go], XLACPU or XLACUDA; Auto takes the first that there is
	// of XLACUDA, XLACPU and Go. Go computes the same, but slowly: it is for small models.
	Backend transformer.Backend
	Plugin  string // of an XLA backend; "" looks for it as transformer.FindPlugin does

	MaxTokens int    // of a text that are read, special ones included; 0 is what the model says
	Prompt    string // put before each text; "" is the model's default prompt

	Epochs       int     // passes over the examples, 1 to 10,000
	Batch        int     // examples of a step, 2 to 65,536
	LearningRate float64 // after warm-up, above 0
	Warmup       float64 // share of all steps in which the rate rises from 0, 0 to 1; then it falls to 0 in a line
	Decay        float64 // of AdamW, on matrices and tables, not on norms and biases; 0 is none
	Clip         float64 // bound of the gradient's norm; 0 is none
	Dropout      float64 // share of components set to 0 where BERT does, 0 to below 1
	HeadRate     float64 // multiplies the learning rate of a regression's head, above 0
	Seed         uint64  // of order, adapters and dropout

	Adapter          *Adapter // nil trains the matrices themselves
	FreezeEmbeddings bool
	FreezeLayers     int // the lowest ones, not trained

	// ChunkTexts is how many texts are computed in one block of a common length.
	ChunkTexts int
	// StepTokens bounds the memory: a batch that may have more tokens than this, padding
	// included, is computed in parts with the same result, a third slower. A token takes
	// about 4·layers·(12·hidden + 4·feedForward + 3·heads·tokens) bytes.
	StepTokens int

	// Patience is how many epochs without a better figure end the training; 0 never does.
	Patience int

	// State is a folder in which the run is kept, so that it can go on after it was
	// killed; "" keeps nothing. SaveEvery is after how many steps, 0 only after epochs.
	State     string
	SaveEvery int

	// Progress, unless nil, is told of each step. It is called between steps, by the
	// goroutine that trains.
	Progress func(Progress)
	Log      *slog.Logger // nil is slog's default
}

// Defaults are options that suit fine-tuning a small model on some ten thousand examples.
func Defaults() Options {
	return Options{Backend: transformer.Auto, Epochs: 2, Batch: 64, LearningRate: 3e-5, Warmup: 0.1, Decay: 0.01, Clip: 1,
		HeadRate: 30, ChunkTexts: 64, StepTokens: 1 << 14, Seed: 1}
}

// Progress is where a run stands after a step.
type Progress struct {
	Epoch, Epochs int // from 1
	Step, Steps   int // of the whole run, from 1
	Loss          float64
	Norm          float64 // of the gradient before it is clipped
	Rate          float64 // the learning rate
}

func (o Options) check(layers int) error {
	bad := func(name string, value any, want string) error {
		return fmt.Errorf("%w: %s is %v; want %s", ErrOptions, name, value, want)
	}
	within := func(x, low, high float64) bool { return x >= low && x <= high && !math.IsInf(x, 0) } // not NaN either
	switch {
	case o.Epochs < 1 || o.Epochs > 10_000:
		return bad("Epochs", o.Epochs, "1 to 10,000")
	case o.Batch < 2 || o.Batch > 1<<16:
		return bad("Batch", o.Batch, "2 to 65,536")
	case !within(o.LearningRate, math.SmallestNonzeroFloat64, math.MaxFloat64):
		return bad("LearningRate", o.LearningRate, "above 0, such as 3e-5")
	case !within(o.Warmup, 0, 1):
		return bad("Warmup", o.Warmup, "a share of the steps, 0 to 1")
	case !within(o.Decay, 0, math.MaxFloat64):
		return bad("Decay", o.Decay, "0 or more, such as 0.01")
	case !within(o.Clip, 0, math.MaxFloat64):
		return bad("Clip", o.Clip, "above 0, or 0 for no bound")
	case !within(o.Dropout, 0, 0.99):
		return bad("Dropout", o.Dropout, "0 to 0.99")
	case !within(o.HeadRate, math.SmallestNonzeroFloat64, math.MaxFloat64):
		return bad("HeadRate", o.HeadRate, "above 0")
	case o.ChunkTexts < 1 || o.ChunkTexts > 1<<16:
		return bad("ChunkTexts", o.ChunkTexts, "1 to 65,536")
	case o.StepTokens < 1:
		return bad("StepTokens", o.StepTokens, "at least 1")
	case o.Patience < 0:
		return bad("Patience", o.Patience, "at least 1, or 0 to never stop early")
	case o.SaveEvery < 0:
		return bad("SaveEvery", o.SaveEvery, "at least 1, or 0 to save after epochs alone")
	case o.SaveEvery > 0 && o.State == "":
		return bad("SaveEvery", o.SaveEvery, "a folder in State to save to")
	case o.FreezeLayers < 0 || o.FreezeLayers > layers:
		return bad("FreezeLayers", o.FreezeLayers, fmt.Sprintf("0 to the model's %d", layers))
	case o.FreezeLayers > 0 && !o.FreezeEmbeddings && o.Adapter == nil:
		return bad("FreezeEmbeddings", false, fmt.Sprintf("true with FreezeLayers %d: layers above changed embeddings would not fit them", o.FreezeLayers))
	}
	return o.Adapter.check()
}

func (a *Adapter) check() error {
	if a == nil {
		return nil
	}
	switch {
	case a.Rank < 1 || a.Rank > 256:
		return fmt.Errorf("%w: Adapter.Rank is %d; want 1 to 256", ErrOptions, a.Rank)
	case !(a.Alpha > 0) || math.IsInf(a.Alpha, 0):
		return fmt.Errorf("%w: Adapter.Alpha is %v; want above 0, such as twice the rank", ErrOptions, a.Alpha)
	case len(a.Matrices) == 0:
		return fmt.Errorf("%w: Adapter.Matrices is empty; want some of %v", ErrOptions, network.Matrices)
	}
	for i, m := range a.Matrices {
		if !slices.Contains(network.Matrices, m) || slices.Contains(a.Matrices[:i], m) {
			return fmt.Errorf("%w: Adapter.Matrices is %.200q; want some of %v, each once", ErrOptions, a.Matrices, network.Matrices)
		}
	}
	return nil
}

// rate is the learning rate of a step, from 1, of so many.
func (o Options) rate(step, steps int) float64 {
	rising := int(math.Ceil(o.Warmup * float64(steps)))
	if step <= rising {
		return o.LearningRate * float64(step) / float64(rising)
	}
	return o.LearningRate * float64(steps-step+1) / float64(steps-rising+1)
}
