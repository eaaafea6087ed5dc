package batch

import (
	"errors"
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/embed"
)

var (
	// ErrOutOfMemory is what an encoder wraps when a batch was too large for its
	// memory. The batcher tries smaller ones; callers see it when not even one text
	// fits. A retry does not help until memory is freed.
	ErrOutOfMemory = errors.New("batch: encoder is out of memory")

	// ErrTooLarge: one text is larger than the queue's bound in bytes. A retry does
	// not help.
	ErrTooLarge = errors.New("batch: text is larger than the queue")

	// ErrConfig is wrapped by the errors of New. The error names the setting, its
	// value and its bound.
	ErrConfig = errors.New("batch: bad configuration")

	// ErrEncoder is wrapped by what callers get when the encoder panicked.
	ErrEncoder = errors.New("batch: encoder failed")
)

// errClosed is what calls get from Close on.
var errClosed = fmt.Errorf("%w: the batcher was closed", embed.ErrUnavailable)

// OverloadError refuses a call because the queue is full, or because an interactive call
// would wait for longer than Config.Latency. Nothing of the call was
// encoded. It wraps [embed.ErrOverloaded].
type OverloadError struct {
	// RetryAfter is when there is likely room, from 10 ms to 5 s: the time in which half
	// of what waits in a full queue is done, or Wait and up to as much again by chance.
	RetryAfter time.Duration
	// Wait is what the call would have waited and MaxWait is Config.Latency; Wait is 0
	// while the encoder's rate is not known, MaxWait when the queue was full.
	Wait, MaxWait time.Duration
	// Texts and Bytes wait now in the lane, of at most MaxTexts and MaxBytes.
	Texts, MaxTexts int
	Bytes, MaxBytes int
}

// Error names what waits, the bounds and the way out.
func (e *OverloadError) Error() string {
	if e.MaxWait > 0 {
		return fmt.Sprintf("%v: %d texts wait already, for %v, at most %v may be; try again in %v",
			embed.ErrOverloaded, e.Texts, e.Wait.Round(time.Millisecond), e.MaxWait, e.RetryAfter)
	}
	return fmt.Sprintf("%v: %d of %d texts and %d of %d bytes wait already; try again in %v",
		embed.ErrOverloaded, e.Texts, e.MaxTexts, e.Bytes, e.MaxBytes, e.RetryAfter)
}

// Unwrap returns [embed.ErrOverloaded].
func (e *OverloadError) Unwrap() error { return embed.ErrOverloaded }
