package batch

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/kindred-rec/kindred/embed"
)

// Defaults and bounds of [Config].
const (
	DefaultTokens   = 16 << 10
	DefaultMaxTexts = 8 << 10
	DefaultMaxBytes = 32 << 20
	DefaultLatency  = 40 * time.Millisecond

	maxShapes  = 256
	maxWorkers = 1024
)

// Config says how batches are made. The zero value of a field means its default.
type Config struct {
	// Tokens bounds a batch: rows times length, padding included. Default 16,384,
	// from 1 to 2^24. A text longer than that runs alone.
	Tokens int

	// Lengths are the lengths in tokens to which the texts of a [Staged] encoder are
	// padded, ascending; the last is the encoder's MaxTokens. Default: powers of two
	// from 16 on.
	Lengths []int

	// Rows are the numbers of texts to which a batch is padded, ascending. A length
	// goes with every number whose product is within Tokens, and with the first in
	// any case. Default 1, 8, 32, 64, 128, 256. A plain encoder's batches are not
	// padded; the last number bounds them.
	Rows []int

	// MaxTexts and MaxBytes bound what was accepted and is not answered, in texts and
	// in bytes of text. Default 8,192 and 32 MiB, at least 16 and 64 KiB. Their
	// texts are the callers' memory; the batcher adds about 100 bytes a text, and
	// the tokens of those in the pool.
	MaxTexts, MaxBytes int

	// Latency bounds what an interactive call waits before its texts run, as far as the
	// encoder's rate foretells it: a call that would wait longer is refused at once, and
	// a batch takes at most half of it, or the fewest texts that a batch can have.
	// Default 40 ms, from 1 ms to 1 hour. It does not bind an encoder that does Tokens
	// in half of that time.
	Latency time.Duration

	// Tokenizers is the number of goroutines of the first stage. Default GOMAXPROCS.
	Tokenizers int

	// Runners is the number of batches that the encoder does at once. Default 1, which
	// suits a GPU or an encoder that uses all cores for one batch.
	Runners int
}

// resolve fills in the defaults and checks everything against the encoder.
func (c Config) resolve(info embed.Info, staged bool) (Config, error) {
	setDefault(&c.Tokens, DefaultTokens)
	setDefault(&c.MaxTexts, DefaultMaxTexts)
	setDefault(&c.MaxBytes, DefaultMaxBytes)
	setDefault(&c.Latency, DefaultLatency)
	setDefault(&c.Tokenizers, runtime.GOMAXPROCS(0))
	setDefault(&c.Runners, 1)
	if c.Rows == nil {
		c.Rows = []int{1, 8, 32, 64, 128, 256}
	}
	if staged && info.MaxTokens < 1 {
		return c, fmt.Errorf("%w: encoder %q bounds its tokens by %d: a staged encoder needs a bound of at least 1",
			ErrConfig, info.Model, info.MaxTokens)
	}
	if staged && c.Lengths == nil {
		c.Lengths = powers(16, info.MaxTokens)
	}
	if err := c.check(); err != nil {
		return c, err
	}
	if share := laneShare(c.MaxBytes); info.MaxBytes > share {
		return c, fmt.Errorf("%w: MaxBytes is %d, of which a lane has %d, and the encoder %q reads %d bytes of a text; raise it to %d",
			ErrConfig, c.MaxBytes, share, info.Model, info.MaxBytes, (info.MaxBytes+2)/3*4+4)
	}
	if staged {
		return c, c.checkShapes(info)
	}
	return c, nil
}

func setDefault[T int | time.Duration](value *T, otherwise T) {
	if *value == 0 {
		*value = otherwise
	}
}

// powers are the doublings of first below last, and last.
func powers(first, last int) []int {
	var list []int
	for n := first; n < last; n *= 2 {
		list = append(list, n)
	}
	return append(list, last)
}

func (c Config) check() error {
	for _, bound := range []struct {
		name                string
		value, least, bound int
	}{
		{"Tokens", c.Tokens, 1, 1 << 24},
		{"MaxTexts", c.MaxTexts, 16, 1 << 24},
		{"MaxBytes", c.MaxBytes, 64 << 10, 1 << 40},
		{"Tokenizers", c.Tokenizers, 1, maxWorkers},
		{"Runners", c.Runners, 1, maxWorkers},
	} {
		if bound.value < bound.least || bound.value > bound.bound {
			return fmt.Errorf("%w: %s is %d; want %d to %d, or 0 for the default",
				ErrConfig, bound.name, bound.value, bound.least, bound.bound)
		}
	}
	if err := checkLatency(c.Latency); err != nil {
		return err
	}
	return ascending("Rows", c.Rows)
}

func ascending(name string, list []int) error {
	if len(list) == 0 || list[0] < 1 || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
		return fmt.Errorf("%w: %s are %d; want ascending numbers of at least 1", ErrConfig, name, list)
	}
	return nil
}

func (c Config) checkShapes(info embed.Info) error {
	if err := ascending("Lengths", c.Lengths); err != nil {
		return err
	}
	if last := c.Lengths[len(c.Lengths)-1]; last != info.MaxTokens {
		return fmt.Errorf("%w: the last of Lengths is %d and the encoder %q keeps %d tokens of a text; make them equal",
			ErrConfig, last, info.Model, info.MaxTokens)
	}
	if n := len(c.Lengths) * len(c.Rows); n > maxShapes {
		return fmt.Errorf("%w: %d Lengths and %d Rows make %d shapes, at most %d may be; leave some out",
			ErrConfig, len(c.Lengths), len(c.Rows), n, maxShapes)
	}
	return nil
}
