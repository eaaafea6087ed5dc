package hnsw

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Build adds items 0 to n-1, whose vectors vector returns, from workers
// goroutines (0 means one for each processor), and waits for them. With one
// worker the graph depends on the configuration and the vectors alone; with
// more, on their timing too, at equal recall. vector may be called
// concurrently; what it returns is read at once and not kept. The first error,
// or that of ctx, stops the build.
func (x *Index) Build(ctx context.Context, n, workers int, vector func(id uint32) []float32) error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for ctx.Err() == nil {
				id := next.Add(1) - 1
				if id >= int64(n) {
					return
				}
				if err := x.Add(uint32(id), vector(uint32(id))); err != nil {
					stop(fmt.Errorf("building: %w", err))
				}
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return x.learnAll()
}
