package shop

import "context"

// While a slow encoder's vectors are missing for much of a catalog, a bridge serves: a
// generation of an immediate encoder. Beside it the slow encoder's generation is filled,
// vectors without an index, and takes over when little is missing.

// bridges reports whether the bridge should serve, where it does or does not now. The two
// bounds lie apart, so that a catalog at one of them does not go to and fro.
func (s *Shop) bridges(now bool) bool {
	if s.encoding == nil || s.config.Encoding.Bridge == nil {
		return false
	}
	items := int64(s.table.Count())
	if items == 0 {
		return now // there is nothing to fill
	}
	target := s.gen.Load()
	if f := s.filling.Load(); f != nil {
		target = f
	}
	waiting, _ := s.encoding.backlog.len()
	// An item whose text has changed keeps the vector of the old one meanwhile.
	missing := min(waiting, items-target.encoded.Load())
	share := s.config.Encoding.Back
	if now {
		share = s.config.Encoding.Share
	}
	return float64(missing) > share*float64(items)
}

// change makes the generation that should serve, and swaps it in.
func (s *Shop) change(ctx context.Context) error {
	g := s.gen.Load()
	switch bridge := s.bridges(g.bridge); {
	case bridge == g.bridge: // another engine or another model
		return s.changeEngine(ctx)
	case bridge:
		return s.raiseBridge(ctx)
	}
	return s.install(ctx)
}

// beginBridged has the bridge serve from the start on, while the generation that was read
// is filled further.
func (s *Shop) beginBridged(ctx context.Context, fill *generation) (*generation, error) {
	g, err := s.newGeneration(s.config.Encoding.Bridge, true, nil)
	if err != nil {
		return nil, err
	}
	err = s.encodeCatalog(ctx, g, nil, func(_ []numbered, made []coded) error { return g.putAll(made) })
	s.filling.Store(fill)
	s.gen.Store(g)
	return g, err
}

// raiseBridge has the bridge serve. The vectors that served go on being filled.
func (s *Shop) raiseBridge(ctx context.Context) error {
	fill, err := s.newGeneration(s.config.Encoder, false, nil)
	if err != nil {
		return err
	}
	return s.renew(ctx, renewal{
		workers: restrained(),
		begin:   func() (*generation, error) { return s.newGeneration(s.config.Encoding.Bridge, true, nil) },
		gather: func(ctx context.Context, next *generation) error {
			return s.encodeCatalog(ctx, next, nil, func(batch []numbered, made []coded) error { return s.fill(next, batch, made) })
		},
		swapped: func(before *generation) {
			if !before.bridge {
				fill.space.adopt(before.space)
				s.filling.Store(fill)
			}
		},
	})
}

// install has the filled generation serve.
func (s *Shop) install(ctx context.Context) error {
	err := s.renew(ctx, renewal{
		workers: restrained(),
		begin: func() (*generation, error) {
			if f := s.filling.Load(); f != nil {
				return f, nil
			}
			return s.newGeneration(s.config.Encoder, false, nil)
		},
		gather:  func(context.Context, *generation) error { return nil },
		swapped: func(*generation) { s.filling.Store(nil) },
	})
	if err == nil {
		s.sweepSoon()
	}
	return err
}
