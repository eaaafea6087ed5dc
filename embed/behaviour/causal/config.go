package causal

import (
	"errors"
	"fmt"
	"math"
)

// Errors of this package, wrapped with what is wrong.
var (
	// ErrConfig: the sizes of an encoder are out of range or do not go together.
	ErrConfig = errors.New("causal: bad configuration")

	// ErrFormat: a file of weights is damaged, or is none.
	ErrFormat = errors.New("causal: bad file of weights")
)

// Position is how a model knows the order of events.
type Position int

const (
	// Relative adds to an attention score a learned number for how many events lie
	// between: what was computed for an event stays true when more arrive.
	Relative Position = iota

	// FromEnd adds a learned vector for how many events follow. Every event must then
	// be computed anew when one arrives. It is here to be compared with.
	FromEnd
)

// Config are the sizes of an encoder. It is a plain value, written into the file of
// weights; a field that is absent there is zero.
type Config struct {
	// Items is the number of items that have a learned residual, 0 to 2^26. An item's
	// number is below it.
	Items int

	// TextDim is the number of components of an item's text vector (or of several
	// features laid side by side), 0 to 2^14. 0: items are known by their residual alone.
	TextDim int

	// Dim is the number of components of a user's and an item's vector, 1 to 2^12, a
	// multiple of Heads. Multiples of 32 are computed fastest.
	Dim int

	Layers      int // blocks of attention and feed-forward, 0 to 64
	Heads       int // of attention, at least 1
	FeedForward int // components between the two products of a feed-forward, 1 to 2^14

	// Window is how many events back attention reaches, the event itself included, 1 to 2^14.
	Window int

	// Types, Gaps and Values are how many kinds of events, buckets of time since the
	// event before, and buckets of value (a price, a rating) have a vector that is
	// added to the item's. 0: it does not count. At most 2^16 each.
	Types, Gaps, Values int

	// Position is how order is known.
	Position Position

	// PreNorm puts layer norm before each part of a block and once at the end, rather than
	// after each part.
	PreNorm bool

	// Scale, if above 0, scales users' and items' vectors to unit length and then their
	// product by it, up to 10,000. 0: the score is the inner product as it is.
	Scale float32

	// Epsilon of layer norm, above 0.
	Epsilon float32
}

// DefaultConfig is an encoder of so many items, and texts of so many components, of a
// size that trains on a laptop: 128 components, 2 blocks of 2 heads, 50 events.
func DefaultConfig(items, textDim int) Config {
	return Config{Items: items, TextDim: textDim, Dim: 128, Layers: 2, Heads: 2, FeedForward: 512, Window: 50, Epsilon: 1e-5}
}

// HeadDim is the number of components of one attention head.
func (c Config) HeadDim() int { return c.Dim / c.Heads }

// Validate returns an error that wraps [ErrConfig] and names each field that is out of
// range, or nil.
func (c Config) Validate() error {
	var errs []error
	for _, f := range []struct {
		name             string
		value, low, high int
	}{
		{"Items", c.Items, 0, 1 << 26}, {"TextDim", c.TextDim, 0, 1 << 14}, {"Dim", c.Dim, 1, 1 << 12},
		{"Layers", c.Layers, 0, 64}, {"Heads", c.Heads, 1, 1 << 8}, {"FeedForward", c.FeedForward, 1, 1 << 14},
		{"Window", c.Window, 1, 1 << 14}, {"Types", c.Types, 0, 1 << 16}, {"Gaps", c.Gaps, 0, 1 << 16}, {"Values", c.Values, 0, 1 << 16},
		{"Position", int(c.Position), int(Relative), int(FromEnd)},
	} {
		if f.value < f.low || f.value > f.high {
			errs = append(errs, fmt.Errorf("%w: %s is %d, must be from %d to %d", ErrConfig, f.name, f.value, f.low, f.high))
		}
	}
	if c.Heads > 0 && c.Dim%c.Heads != 0 {
		errs = append(errs, fmt.Errorf("%w: Dim is %d, must be a multiple of Heads, %d", ErrConfig, c.Dim, c.Heads))
	}
	if !(c.Scale >= 0 && c.Scale <= 1e4) {
		errs = append(errs, fmt.Errorf("%w: Scale is %g, must be from 0 (inner product) to 10000", ErrConfig, c.Scale))
	}
	if !(c.Epsilon > 0) || math.IsInf(float64(c.Epsilon), 0) {
		errs = append(errs, fmt.Errorf("%w: Epsilon is %g, must be above 0; 1e-5 is usual", ErrConfig, c.Epsilon))
	}
	return errors.Join(errs...)
}
