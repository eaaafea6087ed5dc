package covisit

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Errors of this package, wrapped with what happened.
var (
	// ErrOptions: an option is out of its range.
	ErrOptions = errors.New("covisit: bad option")
	// ErrStep: a step has an item past MaxItems or a weight that is not positive
	// and finite. Nothing was counted.
	ErrStep = errors.New("covisit: bad step")
	// ErrCheckpoint: a checkpoint is damaged, or made under other options.
	ErrCheckpoint = errors.New("covisit: bad checkpoint")
)

// Options bound the graph and shape its counts. A zero field means its default.
type Options struct {
	// MaxItems is the first item number that is refused. Default 1<<20, at most
	// 1<<28. Eight bytes are reserved for 64 items.
	MaxItems int
	// MaxNeighbours of one item, 1 to 4096. Default 128.
	MaxNeighbours int
	// MaxPairs of all items together, at 12 bytes each. Default 16 Mi (192 MiB).
	MaxPairs int
	// Window is how many steps back a pair may lie, 1 to 1000. Default 10.
	Window int
	// StepDecay is the factor for each further step, above 0 to 1. Default 0.8.
	StepDecay float64
	// HalfLife of the evidence in the time of the steps. 0: evidence is kept for
	// ever. At least a second otherwise.
	HalfLife time.Duration
	// MaxGap is the longest time between two steps of a pair. 0: no limit.
	MaxGap time.Duration
}

const (
	mostItems      = 1 << 28
	mostNeighbours = 4096
	mostWindow     = 1000
)

func (o Options) withDefaults() (Options, error) {
	setDefault(&o.MaxItems, 1<<20)
	setDefault(&o.MaxNeighbours, 128)
	setDefault(&o.MaxPairs, 16<<20)
	setDefault(&o.Window, 10)
	if o.StepDecay == 0 {
		o.StepDecay = 0.8
	}
	for _, check := range []struct {
		name            string
		value, min, max int
	}{
		{"MaxItems", o.MaxItems, 1, mostItems},
		{"MaxNeighbours", o.MaxNeighbours, 1, mostNeighbours},
		{"MaxPairs", o.MaxPairs, 1, math.MaxInt},
		{"Window", o.Window, 1, mostWindow},
	} {
		if check.value < check.min || check.value > check.max {
			return o, fmt.Errorf("%w: %s is %d; it must lie in [%d, %d]", ErrOptions, check.name, check.value, check.min, check.max)
		}
	}
	if !(o.StepDecay > 0 && o.StepDecay <= 1) {
		return o, fmt.Errorf("%w: StepDecay is %v; it must lie in (0, 1]", ErrOptions, o.StepDecay)
	}
	if o.HalfLife != 0 && o.HalfLife < time.Second {
		return o, fmt.Errorf("%w: HalfLife is %v; it must be 0 (none) or at least 1s", ErrOptions, o.HalfLife)
	}
	if o.MaxGap < 0 {
		return o, fmt.Errorf("%w: MaxGap is %v; it must be 0 (no limit) or more", ErrOptions, o.MaxGap)
	}
	return o, nil
}

func setDefault(field *int, value int) {
	if *field == 0 {
		*field = value
	}
}
