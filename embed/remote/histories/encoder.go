package histories

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/bundle"
)

// Encoder makes the vectors of many users by one bundle. It is immutable and safe for
// concurrent use; what it computes on it shares among the calls.
type Encoder interface {
	// Dim is the number of components of a user's vector, TextDim of a text's; 0: it reads
	// no texts.
	Dim() int
	TextDim() int
	// Encode writes [len(users), Dim] float32: rows as [learned.Encoder.User] makes them,
	// zeros for who has nothing to say. Failed counts those whose vector is not finite,
	// zeros too. The error is the context's, or tells that nothing could be computed.
	Encode(ctx context.Context, users [][]learned.Event, out []float32) (failed int, err error)
}

// InGo returns a loader of encoders that compute in pure Go, on so many processors
// together.
func InGo(processors int) func(*bundle.Bundle) (Encoder, error) {
	places := make(chan struct{}, max(1, processors))
	return func(b *bundle.Bundle) (Encoder, error) {
		e, err := learned.Open(b)
		if err != nil {
			return nil, err
		}
		return &goEncoder{e, places}, nil
	}
}

// goEncoder spreads users over processors. Who computes a few of them holds a place.
type goEncoder struct {
	*learned.Encoder
	places chan struct{}
}

// fewUsers are computed at a time: some milliseconds.
const fewUsers = 8

// Encode implements Encoder.
func (e *goEncoder) Encode(ctx context.Context, users [][]learned.Event, out []float32) (int, error) {
	var next, failed atomic.Int64
	var workers sync.WaitGroup
	for range min(cap(e.places), (len(users)+fewUsers-1)/fewUsers) {
		workers.Go(func() {
			for {
				from := int(next.Add(fewUsers)) - fewUsers
				if from >= len(users) {
					return
				}
				select {
				case e.places <- struct{}{}:
				case <-ctx.Done():
					return
				}
				failed.Add(e.few(users[from:min(from+fewUsers, len(users))], out[from*e.Dim():]))
				<-e.places
			}
		})
	}
	workers.Wait()
	return int(failed.Load()), ctx.Err()
}

func (e *goEncoder) few(users [][]learned.Event, out []float32) (failed int64) {
	for i, events := range users {
		row := out[i*e.Dim() : (i+1)*e.Dim()]
		if _, err := e.User(row, events); err != nil {
			clear(row)
			failed++
		}
	}
	return failed
}
