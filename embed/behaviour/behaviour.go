package behaviour

import (
	"errors"
	"time"
)

// Touch is one act of a user on an item.
type Touch struct {
	// Vector is the item's vector, [dim] float32 of unit length. Nil, or all zeros,
	// means that it is not known; the touch is skipped and takes no rank.
	Vector []float32

	// Weight says how much the act attracts to the item, or, below 0, repels from
	// it. Any finite number; only the ratios between touches matter. A touch of
	// weight 0 is skipped and takes no rank.
	Weight float32

	// Age is how long ago it was. Negative means unknown: such a touch counts as
	// being as old as the nearest newer one whose age is known, or as young as the
	// youngest of all if there is none.
	Age time.Duration
}

// ErrTouch is wrapped by errors about a history that cannot be encoded: a vector
// of another dimension, or a number that is not finite. The error names the touch.
var ErrTouch = errors.New("behaviour: bad touch")

// Encoder turns a history into a vector. Implementations are pure, deterministic
// and safe for concurrent use.
type Encoder interface {
	// Encode writes a vector of unit length to dst, [dim] float32, and returns true;
	// or it writes zeros and returns false, because the touches say nothing or with
	// an error that wraps ErrTouch. Touches are in time order, the newest last. What
	// dst held before does not matter. Touches are not changed or kept.
	Encode(dst []float32, touches []Touch) (ok bool, err error)
}
