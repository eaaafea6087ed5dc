package batch

import (
	"time"

	"github.com/kindred-rec/kindred/embed"
)

// NewAt is New with a clock of the test's.
func NewAt(encoder embed.Encoder, config Config, now func() time.Time) (*Batcher, error) {
	return newAt(encoder, config, now)
}
