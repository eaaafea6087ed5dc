package simulate

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// WriteOptions say how a world is written to files. Start from DefaultWriteOptions.
type WriteOptions struct {
	Dir     string // made where it is absent; files that are there already are an error
	Packed  bool   // with zstd
	Workers int    // goroutines that make items, 1 to 256
	// Pool is how many candidates a list is drawn from, World.Limit to 1,000.
	Pool int
	// Progress, if not nil, is told what share, 0 to 1, of items and then of days is done.
	Progress func(what string, share float64)
}

// DefaultWriteOptions use all processors.
func DefaultWriteOptions() WriteOptions {
	return WriteOptions{Workers: min(256, runtime.GOMAXPROCS(0)), Pool: 30}
}

// maxWrittenUsers bounds the users of a written log, and with them memory: 64 bytes each and those of a day's visits.
const maxWrittenUsers = 2_000_000

func (o WriteOptions) validate(w *World) error {
	switch {
	case o.Dir == "":
		return bad("no directory to write to")
	case o.Workers < 1 || o.Workers > 256:
		return bad("%d workers: must be 1 to 256", o.Workers)
	case o.Pool < w.Limit || o.Pool > 1000 || o.Pool > w.Items/2:
		return bad("a pool of %d candidates: must be %d, the limit, to 1,000, and at most half of the %d items",
			o.Pool, w.Limit, w.Items)
	case w.Users+w.Bots > maxWrittenUsers:
		return bad("%d users and bots: a written log holds a little of each in memory, at most %d", w.Users+w.Bots, maxWrittenUsers)
	}
	return nil
}

// Written says what was written. Encoded, it is one JSON object.
type Written struct {
	Items        int     `json:"items"`
	ItemsPerS    float64 `json:"items_per_s"`
	ItemsSeconds float64 `json:"items_seconds"`
	ItemsBytes   int64   `json:"items_bytes"` // before packing

	Events        int     `json:"events"`
	EventsPerS    float64 `json:"events_per_s"`
	EventsSeconds float64 `json:"events_seconds"`
	EventsBytes   int64   `json:"events_bytes"`
	Decisions     int     `json:"decisions"`

	// PeakRSS is the most memory that the process held, in bytes; 0: this system does not say.
	PeakRSS int64  `json:"peak_rss_bytes"`
	Truth   *Truth `json:"truth"`
}

// Write writes a world as items.jsonl and events.jsonl, for package dataset; decisions.jsonl, what was shown with exact
// propensities, and feedback.jsonl, what came of it, for package ope; and truth.json, what some policies would have brought. Items go through a bounded number of buffers and users
// are visited day by day: memory does not grow with items.
func Write(ctx context.Context, config Config, o WriteOptions) (*Written, error) {
	w, err := NewWorld(config)
	if err != nil {
		return nil, err
	}
	if err := o.validate(w); err != nil {
		return nil, err
	}
	result := &Written{Items: w.OnShelf(w.Days - 1)}
	if err := result.writeItems(ctx, w, o); err != nil {
		return nil, err
	}
	if err := result.writeLog(ctx, w, o); err != nil {
		return nil, err
	}
	result.PeakRSS = peakRSS()
	return result, nil
}

func (r *Written) writeItems(ctx context.Context, w *World, o WriteOptions) (err error) {
	f, err := create(o.Dir, "items.jsonl", o.Packed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	start := time.Now()
	if err := streamItems(ctx, w, o, r.Items, f); err != nil {
		return err
	}
	r.ItemsSeconds = time.Since(start).Seconds()
	r.ItemsPerS, r.ItemsBytes = float64(r.Items)/r.ItemsSeconds, f.bytes
	return nil
}

// chunk is how many items are made at a time: about 1.5 MB.
const chunk = 4096

// streamItems makes items on several goroutines and writes them in order.
func streamItems(ctx context.Context, w *World, o WriteOptions, n int, f *file) error {
	ctx, cancel := context.WithCancel(ctx)
	free := make(chan []byte, 2*o.Workers) // all the buffers there are
	for range cap(free) {
		free <- make([]byte, 0, 400*chunk)
	}
	order := make(chan chan []byte, o.Workers) // results in the order of items
	done := make(chan struct{})
	go func() {
		defer close(done)
		makeItems(ctx, w, n, free, order)
	}()
	defer func() { // nobody is left behind, whatever failed
		cancel()
		<-done
	}()
	written := 0
	for piece := range order {
		select {
		case b := <-piece:
			if _, err := f.Write(b); err != nil {
				return err
			}
			free <- b[:0]
		case <-ctx.Done():
			return ctx.Err()
		}
		written = min(n, written+chunk)
		if o.Progress != nil {
			o.Progress("items", float64(written)/float64(n))
		}
	}
	return ctx.Err()
}

// makeItems hands chunks out to goroutines, no more at once than order has room for, and returns when all have ended.
func makeItems(ctx context.Context, w *World, n int, free chan []byte, order chan<- chan []byte) {
	workers := make(chan struct{}, cap(order))
	defer func() {
		for range cap(workers) {
			workers <- struct{}{}
		}
	}()
	defer close(order)
	for from := 0; from < n; from += chunk {
		var b []byte
		select {
		case b = <-free:
		case <-ctx.Done():
			return
		}
		piece := make(chan []byte, 1)
		workers <- struct{}{}
		go func() {
			defer func() { <-workers }()
			for i := from; i < min(from+chunk, n); i++ {
				b = appendItem(b, w, w.Item(i))
			}
			piece <- b
		}()
		select {
		case order <- piece:
		case <-ctx.Done():
			return
		}
	}
}
