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
	s.retryTarget()
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

// changeEngine makes a new generation of the vectors that serve, with the engines and the
// model that should, and swaps it in.
func (s *Shop) changeEngine(ctx context.Context) error {
	return s.renew(ctx, renewal{workers: restrained(), begin: s.successor, gather: func(_ context.Context, next *generation) error {
		if !next.following {
			s.adopt(next)
		}
		return nil
	}})
}

// successor makes another generation of the vectors that serve. It shares their space,
// unless that needs another engine.
func (s *Shop) successor() (*generation, error) {
	g := s.gen.Load()
	if s.choose(g.engine, int(g.encoded.Load())) != g.engine {
		return s.like(g)
	}
	return s.newGeneration(g.encoder, g.bridge, g.space)
}

// adopt gives the next generation the vectors of the one that serves.
func (s *Shop) adopt(next *generation) {
	s.applying.Lock()
	defer s.applying.Unlock()
	next.space.adopt(s.gen.Load().space)
}

// renewal says how the next generation is made.
type renewal struct {
	workers int
	begin   func() (*generation, error)              // makes it, while no other is being made
	gather  func(context.Context, *generation) error // gives it its vectors
	swapped func(before *generation)                 // under Shop.applying; nil: nothing to do
}

// renew makes the next generation: it gathers its vectors, gets its model, then its
// indexes are built, and it serves. Errors end it, and so does Close; what serves stays.
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
	if err := s.equip(ctx, next, how.workers); err != nil {
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

// buildBest builds the indexes that a generation lacks.
func (s *Shop) buildBest(ctx context.Context, g *generation, workers int) error {
	s.applying.Lock()
	s.touched = touchedSet{} // what was touched so far, the builds read
	s.applying.Unlock()
	now := s.gen.Load()
	if !g.following {
		if err := s.buildSpace(ctx, g.space, now.engine, workers); err != nil {
			return err
		}
	}
	if g.model == nil || g.model.following {
		return nil
	}
	before := Flat
	if now.model != nil {
		before = now.model.engine
	}
	return s.buildSpace(ctx, g.model.space, before, workers)
}

// buildSpace builds the index of the engine that should serve, where another did before,
// and checks it. A graph that finds too little and need not serve gives way to a scan.
func (s *Shop) buildSpace(ctx context.Context, g *space, before Engine, workers int) error {
	for {
		engine := s.chooseFor(g.failed, before, int(g.encoded.Load()))
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
			for _, x := range next.spaces() {
				x.following = true
			}
			next.name()
			before := s.gen.Swap(next)
			if swapped != nil {
				swapped(before)
			}
			if s.models != nil {
				s.models.moved.tell()
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

// bringOver makes the indexes of a generation that do not follow their vectors do so for
// some items.
func bringOver(ctx context.Context, next *generation, moved touchedSet) error {
	for _, x := range next.spaces() {
		if x.following {
			continue
		}
		if err := bringOverTo(ctx, x, moved); err != nil {
			return err
		}
	}
	return nil
}

func bringOverTo(ctx context.Context, g *space, moved touchedSet) error {
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
