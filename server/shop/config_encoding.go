package shop

import (
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/embed"
)

// EncodingConfig says how a catalog gets its vectors from a slow encoder, one that is not
// immediate (embed.Immediate). With an immediate one nothing of it counts but SweepEvery.
// Zero fields take the default named.
type EncodingConfig struct {
	// Bridge is an immediate encoder whose vectors serve while too many of the slow one's
	// are missing. Nil: none, and an item without a vector is found by other sources.
	Bridge embed.Encoder
	// Share is how much of the catalog may lack vectors when the slow encoder's begin to
	// serve, 0 to 1. Past Back of it, such as after a large import, the bridge serves
	// again. Defaults .01 and .2.
	Share, Back float64
	// Batch is how many texts go into one call of the encoder, and Lanes how many calls
	// are under way at once. Defaults 256 and 4. Their texts and vectors are all that is
	// held in memory of what waits, beside a bit an item; texts are bounded by 8 MiB too.
	Batch, Lanes int
	// Pause is the time before a failed call is tried again. It doubles with each further
	// one up to MaxPause, and is jittered. Defaults 500 ms and a minute.
	Pause, MaxPause time.Duration
	// SweepEvery is the time between sweeps of kept vectors that no item needs any more.
	// Default 6 hours; negative: none.
	SweepEvery time.Duration
	// Seed draws the jitter.
	Seed uint64
}

func (c EncodingConfig) withDefaults() EncodingConfig {
	orElse(&c.Share, .01)
	orElse(&c.Back, .2)
	orElse(&c.Batch, 256)
	orElse(&c.Lanes, 4)
	orElse(&c.Pause, 500*time.Millisecond)
	orElse(&c.MaxPause, max(time.Minute, c.Pause))
	orElse(&c.SweepEvery, 6*time.Hour)
	return c
}

// validate reports the first setting that cannot work.
func (c EncodingConfig) validate() error {
	switch {
	case c.Bridge != nil && !embed.IsImmediate(c.Bridge):
		return fmt.Errorf("shop.EncodingConfig.Bridge is %q, which is slow: give an immediate encoder, such as static.Default()", c.Bridge.Info().Model)
	case !(c.Share > 0 && c.Share <= c.Back && c.Back <= 1):
		return fmt.Errorf("shop.EncodingConfig.Share is %v and Back %v: give more than 0, at most 1, and Back of at least Share", c.Share, c.Back)
	case c.Batch < 1 || c.Batch > 1<<12 || c.Lanes < 1 || c.Lanes > 256:
		return fmt.Errorf("shop.EncodingConfig.Batch is %d and Lanes %d: give 1 to 4,096 and 1 to 256", c.Batch, c.Lanes)
	case c.Pause < 0 || c.MaxPause < c.Pause:
		return fmt.Errorf("shop.EncodingConfig.Pause is %v and MaxPause %v: give more than 0, and MaxPause of at least Pause", c.Pause, c.MaxPause)
	}
	return nil
}
