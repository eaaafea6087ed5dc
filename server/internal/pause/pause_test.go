package pause

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestAPauseEndsWithItsTimeOrItsContext(t *testing.T) {
	begin := time.Now()
	if err := For(t.Context(), 10*time.Millisecond); err != nil || time.Since(begin) < 10*time.Millisecond {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := For(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("past the deadline: %v", err)
	}
}
