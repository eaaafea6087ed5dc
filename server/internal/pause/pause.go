// Package pause waits, and no longer than a context allows.
package pause

import (
	"context"
	"time"
)

// For waits so long; nil, or at the end of the context its error. Nothing of the wait is left behind.
func For(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
