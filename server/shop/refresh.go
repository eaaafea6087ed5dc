package shop

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Refresh builds a new generation from the stored catalog, on all cores, and swaps it
// in. The old one serves meanwhile; what changes meanwhile is brought over before the
// swap. Where a change of engines is under way, Refresh follows it.
func (s *Shop) Refresh(ctx context.Context) error {
	if s.encoding != nil {
		s.encoding.retryRefused()
	}
	return s.renew(ctx, renewal{
		workers: allCores(),
		begin:   func() (*generation, error) { return s.like(s.gen.Load()) },
		gather: func(ctx context.Context, next *generation) error {
			if next.slow {
				s.adopt(next) // an item whose text waits keeps the vector that it has
			}
			return s.encodeCatalog(ctx, next, nil, func(batch []numbered, made []coded) error { return s.fill(next, batch, made) })
		},
	})
}

// changeEngine builds a new generation of the vectors that serve and swaps it in.
func (s *Shop) changeEngine(ctx context.Context) error {
	return s.renew(ctx, renewal{
		workers: restrained(),
		begin:   func() (*generation, error) { return s.like(s.gen.Load()) },
		gather:  func(_ context.Context, next *generation) error { s.adopt(next); return nil },
	})
}

// adopt gives the next generation the vectors of the one that serves.
func (s *Shop) adopt(next *generation) {
	s.applying.Lock()
	defer s.applying.Unlock()
	next.encoded.Store(next.vectors.adopt(s.gen.Load().vectors))
}

// renewal says how the next generation is made.
type renewal struct {
	workers int
	begin   func() (*generation, error)              // makes it, while no other is being made
	gather  func(context.Context, *generation) error // gives it its vectors
	swapped func(before *generation)                 // under Shop.applying; nil: nothing to do
}

// renew makes the next generation: it gathers its vectors, then its index is built, and
// it serves. Errors end it, and so does Close; what serves stays.
func (s *Shop) renew(ctx context.Context, how renewal) error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.life, func() { cancel(errClosing) })()
	if s.life.Err() != nil {
		return errClosing
	}
	next, err := how.begin()
	if err != nil {
		return err
	}
	s.applying.Lock()
	s.touched = touchedSet{}
	s.next.Store(next) // from here on the applier changes the vectors of both
	s.applying.Unlock()
	defer s.abandon()
	if err := how.gather(ctx, next); err != nil {
		return renewError(ctx, err)
	}
	if err := s.buildBest(ctx, next, how.workers); err != nil {
		return renewError(ctx, err)
	}
	return s.exchange(ctx, next, how.swapped)
}

var errClosing = errors.New("the service is stopping")

// renewError says that the service is stopping, where that is why a renewal failed.
func renewError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// abandon ends the filling of a generation.
func (s *Shop) abandon() {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.next.Store(nil)
	s.touched = nil
}

// fill gives a generation vectors of the scanned catalog. The scan may be behind the
// applier: an item that is gone stays gone, and one that changed was set by the
// applier, from the newer row.
func (s *Shop) fill(g *generation, batch []numbered, made []coded) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.refillWords(batch)
	for _, c := range made {
		if s.table.Row(c.number) == nil || s.touched.has(c.number) {
			continue
		}
		if err := g.put(c.number, c.vector); err != nil {
			return err
		}
	}
	return nil
}

// buildBest builds the index of the engine that should serve, and checks it. A graph
// that finds too little and need not serve gives way to a scan.
func (s *Shop) buildBest(ctx context.Context, g *generation, workers int) error {
	for {
		s.applying.Lock()
		s.touched = touchedSet{} // what was touched so far, the build reads
		s.applying.Unlock()
		engine := s.choose(s.gen.Load().engine, int(g.encoded.Load()))
		if err := s.build(ctx, g, engine, workers); err != nil {
			return err
		}
		if err := s.selfCheck(ctx, g); err != nil {
			return fmt.Errorf("checking the new index: %w", err)
		}
		if !s.giveUpGraph(g) {
			return nil
		}
	}
}

// exchange brings over what the applier changed since the build began, and swaps. Most
// is brought over while the applier goes on.
func (s *Shop) exchange(ctx context.Context, next *generation, swapped func(before *generation)) error {
	for rounds := 0; ; rounds++ {
		s.applying.Lock()
		moved := s.touched
		s.touched = touchedSet{}
		if len(moved) <= fewMoved || rounds == maxRounds {
			defer s.applying.Unlock()
			if err := bringOver(ctx, next, moved); err != nil {
				return err
			}
			next.following = true
			before := s.gen.Swap(next)
			if swapped != nil {
				swapped(before)
			}
			return nil
		}
		s.applying.Unlock()
		if err := bringOver(ctx, next, moved); err != nil {
			return err
		}
	}
}

const (
	// fewMoved is how many items are brought over under the applier's lock: some
	// milliseconds in a graph.
	fewMoved = 16
	// maxRounds ends an exchange that writers outrun: the rest is brought over under
	// the lock, and they wait.
	maxRounds = 16
)

// bringOver makes the index of a generation follow its vectors for some items.
func bringOver(ctx context.Context, g *generation, moved touchedSet) error {
	for number := range moved {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		v := g.vectors.Vector(number)
		if have, ok := g.index.Vector(number, nil); ok == (v != nil) && slices.Equal(have, v) {
			continue
		}
		if err := place(g.index, number, v); err != nil {
			return fmt.Errorf("item number %d: %w", number, err)
		}
	}
	return nil
}

// touchedSet holds the items that the applier set while a generation was being made.
type touchedSet map[uint32]struct{}

func (t touchedSet) has(n uint32) bool { _, ok := t[n]; return ok }
