package transition

import (
	"errors"
	"fmt"
	"runtime"
)

// ErrOptions is wrapped by errors about settings that are out of range.
var ErrOptions = errors.New("transition: bad option")

// Options say how counts are made and factored. A zero field takes its default.
type Options struct {
	// Rank is the number of components, 1 to 1,024. Default 256. It is cut to the number
	// of items.
	Rank int
	// Reach is how many items after an item count, 1 to 1,000. Default 5.
	Reach int
	// Decay is what an item counts relative to the one before it, above 0, at most 1. Default 0.7.
	Decay float32
	// Backward is what the opposite direction counts, 0 to 1. Default 0.3; a negative
	// value means 0.
	Backward float32
	// OutPrior and InPrior damp the counts of rare items, above 0. Defaults 1 and 3.
	OutPrior, InPrior float32
	// Iterations of the subspace, 1 to 100. Default 6.
	Iterations int
	// MaxPairs bounds the pairs that are counted, at least 1,024. Default 50 million.
	MaxPairs int
	// Seed of the first block. Default 1.
	Seed uint64
	// Workers, default one a processor. The result does not depend on it.
	Workers int
}

func (o Options) withDefaults() (Options, error) {
	set(&o.Rank, 256)
	set(&o.Reach, 5)
	set(&o.Decay, 0.7)
	set(&o.Backward, 0.3)
	set(&o.OutPrior, 1)
	set(&o.InPrior, 3)
	set(&o.Iterations, 6)
	set(&o.MaxPairs, 50_000_000)
	set(&o.Seed, 1)
	set(&o.Workers, runtime.GOMAXPROCS(0))
	o.Backward = max(o.Backward, 0)
	var errs []error
	check := func(ok bool, name string, value any, bound string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%w: %s is %v, must be %s", ErrOptions, name, value, bound))
		}
	}
	check(o.Rank >= 1 && o.Rank <= 1024, "Rank", o.Rank, "from 1 to 1024")
	check(o.Reach >= 1 && o.Reach <= 1000, "Reach", o.Reach, "from 1 to 1000")
	check(o.Decay > 0 && o.Decay <= 1, "Decay", o.Decay, "above 0 and at most 1")
	check(o.Backward <= 1, "Backward", o.Backward, "at most 1")
	check(o.OutPrior > 0, "OutPrior", o.OutPrior, "above 0")
	check(o.InPrior > 0, "InPrior", o.InPrior, "above 0")
	check(o.Iterations >= 1 && o.Iterations <= 100, "Iterations", o.Iterations, "from 1 to 100")
	check(o.MaxPairs >= 1024, "MaxPairs", o.MaxPairs, "at least 1024")
	check(o.Workers >= 1 && o.Workers <= 1024, "Workers", o.Workers, "from 1 to 1024")
	return o, errors.Join(errs...)
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
