package sequence

import (
	"errors"
	"fmt"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
)

// ErrDiverged is wrapped by [DivergedError].
var ErrDiverged = errors.New("sequence: training diverged")

// DivergedError says where a loss or a gradient stopped being a finite number. The weights
// were not changed by that step.
type DivergedError struct {
	Epoch, Step int    // of the run, from 1; the step in the epoch
	Tensor      string // the first parameter whose gradient is not finite, or "loss"
}

func (e *DivergedError) Error() string {
	return fmt.Sprintf("%v: epoch %d, step %d: %s is not a finite number; lower LearningRate or Clip", ErrDiverged, e.Epoch, e.Step, e.Tensor)
}

// Unwrap gives [ErrDiverged].
func (e *DivergedError) Unwrap() error { return ErrDiverged }

// Epoch is what one pass over the sequences gave.
type Epoch struct {
	Number int     `json:"epoch"` // from 1
	Loss   float64 `json:"loss"`  // the mean over its steps

	// Valid are the metrics on the validation cases after it; nil if they were not asked.
	Valid *Metrics `json:"valid,omitempty"`

	Rate            float64 `json:"rate"`              // the learning rate of its last step
	Seconds         float64 `json:"seconds"`           // that its training took, without validation
	TokensPerSecond float64 `json:"tokens_per_second"` // events that were input
}

// Result is a trained encoder.
type Result struct {
	Config  causal.Config
	Weights *causal.Weights // the best on the validation cases, or the last
	Best    Epoch           // the epoch that they are of; its number is 0 if none was finished
	Curve   []Epoch
	Short   int    // sequences of fewer than two events, which taught nothing
	Stopped string // why training ended, in words
}
