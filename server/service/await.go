package service

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

// awaited is the context of a unary call whose message has not come. It ends with DeadlineExceeded when that takes too long:
// else whoever opens calls and sends nothing would keep their goroutines for ever.
type awaited struct {
	context.Context
	late  atomic.Bool
	timer *time.Timer
	keep  func() bool // ends the watch that stops the timer with the call
}

type awaitedKey struct{}

// awaitMessage bounds the time until arrived. Calls with a near deadline of their own need none of it.
func awaitMessage(ctx context.Context, atMost time.Duration) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	a := &awaited{Context: ctx}
	a.timer = time.AfterFunc(atMost, func() {
		a.late.Store(true)
		cancel()
	})
	a.keep = context.AfterFunc(ctx, func() { a.timer.Stop() })
	return a
}

// Err implements context.Context.
func (a *awaited) Err() error {
	if a.late.Load() {
		return context.DeadlineExceeded
	}
	return a.Context.Err()
}

// Value implements context.Context.
func (a *awaited) Value(key any) any {
	if key == (awaitedKey{}) {
		return a
	}
	return a.Context.Value(key)
}

// arrived is the interceptor of unary calls whose message is here: from now on nothing but the call's own deadline ends it.
func arrived(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if a, ok := ctx.Value(awaitedKey{}).(*awaited); ok {
		a.keep()
		a.timer.Stop()
	}
	deepen(false)
	return next(ctx, req)
}
