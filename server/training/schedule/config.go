package schedule

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/kindred-rec/kindred/server/training"
)

// ErrConfig: a setting is out of its range; the error names it.
var ErrConfig = errors.New("schedule: bad setting")

// Config says when and how tenants are trained. Command and Dir are required where Every or
// After is set.
type Config struct {
	// Every is the time from the start of one training to the next, at least a second. 0:
	// time alone is no reason.
	Every time.Duration
	// After is how many new events are a reason, at least 1. 0: none are.
	After int64
	// Cores is how many processors a child uses, 1 to 256. 0: half of those there are.
	Cores int
	// Memory bounds a child, in bytes, at least 64 MiB. 0: 1 GiB.
	Memory int64
	// Command is the program and its first arguments, which end with the options of training:
	// "kindred", "train", "--encoder", "static".
	Command []string
	// Dir is where checkpoints are kept between a child that was killed and the next.
	Dir string

	// Poll is how often tenants are looked at. 0: 5 s.
	Poll time.Duration
	// Backoff is the wait after a first failure. 0: a minute.
	Backoff time.Duration
	// Grace is how long a child may take to end when the service stops. 0: 5 s.
	Grace time.Duration
	Log   *slog.Logger
}

// On reports whether anything is ever trained.
func (c Config) On() bool { return c.Every != 0 || c.After != 0 }

func (c Config) withDefaults() (Config, error) {
	if c.Cores == 0 {
		c.Cores = min(max(1, runtime.NumCPU()/2), 256)
	}
	if c.Memory == 0 {
		c.Memory = 1 << 30
	}
	if c.Poll == 0 {
		c.Poll = 5 * time.Second
	}
	if c.Backoff == 0 {
		c.Backoff = time.Minute
	}
	if c.Grace == 0 {
		c.Grace = 5 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Every != 0 && c.Every < time.Second:
		return c, fmt.Errorf("%w: every is %s; it must be 0 or at least 1s", ErrConfig, c.Every)
	case c.After < 0:
		return c, fmt.Errorf("%w: after is %d events; it must be 0 or more", ErrConfig, c.After)
	case c.Cores < 1 || c.Cores > 256:
		return c, fmt.Errorf("%w: cores is %d; it must lie in [1, 256]", ErrConfig, c.Cores)
	case c.Memory < training.MinMemory:
		return c, fmt.Errorf("%w: memory is %d MiB; it must be at least %d", ErrConfig, c.Memory>>20, training.MinMemory>>20)
	case len(c.Command) == 0 || c.Dir == "":
		return c, fmt.Errorf("%w: Command and Dir are required", ErrConfig)
	}
	return c, nil
}
