package histories

import (
	"container/list"
	"sync"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/bundle/registry"
)

// shelf holds the encoders of the bundles that were used last. Safe for concurrent use.
type shelf struct {
	bundles *registry.Registry
	load    func(*bundle.Bundle) (Encoder, error)
	limit   int

	mu    sync.Mutex
	order *list.List // of *loaded, the last used first
	by    map[bundle.Hash]*list.Element
}

// loaded is an encoder that is being loaded, or was.
type loaded struct {
	hash    bundle.Hash
	once    sync.Once
	encoder Encoder
	err     error
}

func newShelf(c Config) (*shelf, error) {
	r, err := registry.Open(c.Dir, registry.Options{Keep: c.Keep, Limits: bundle.Limits{Bytes: c.BundleBytes}})
	if err != nil {
		return nil, err
	}
	return &shelf{bundles: r, load: c.Load, limit: c.Loaded, order: list.New(), by: map[bundle.Hash]*list.Element{}}, nil
}

// take returns the encoder of a bundle, which it loads if need be. Errors are those of
// package bundle, or the loader's.
func (s *shelf) take(h bundle.Hash) (Encoder, error) {
	e := s.entry(h)
	e.once.Do(func() {
		b, release, err := s.bundles.Hold(h)
		if err != nil {
			e.err = err
			return
		}
		defer release()
		e.encoder, e.err = s.load(b)
	})
	if e.err != nil {
		s.forget(e)
	} else {
		s.trim()
	}
	return e.encoder, e.err
}

func (s *shelf) entry(h bundle.Hash) *loaded {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.by[h]; ok {
		s.order.MoveToFront(at)
		return at.Value.(*loaded)
	}
	e := &loaded{hash: h}
	s.by[h] = s.order.PushFront(e)
	return e
}

// trim lets go of what was not used for longest. Streams that use it go on.
func (s *shelf) trim() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.order.Len() > s.limit {
		last := s.order.Back()
		s.order.Remove(last)
		delete(s.by, last.Value.(*loaded).hash)
	}
}

// forget lets a bundle be tried again.
func (s *shelf) forget(e *loaded) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.by[e.hash]; ok && at.Value == e {
		s.order.Remove(at)
		delete(s.by, e.hash)
	}
}

// hashes are those in memory, the last used first.
func (s *shelf) hashes() (list []bundle.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := s.order.Front(); at != nil; at = at.Next() {
		list = append(list, at.Value.(*loaded).hash)
	}
	return list
}
