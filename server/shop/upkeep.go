package shop

import (
	"context"
	"errors"
	"time"
)

// upkeep keeps what serves in shape: one goroutine that changes the engine when the
// catalog has outgrown it, and the vectors when a slow encoder's are there, checks
// recall by the clock and when a catalog has doubled, writes snapshots, and saves counters
// that wait for it. It ends with s.life and closes done.
func (s *Shop) upkeep(done chan<- struct{}) {
	defer close(done)
	ctx := s.life
	check, stopCheck := every(s.config.Index.CheckEvery)
	defer stopCheck()
	snapshot, stopSnapshot := every(s.config.Index.SnapshotEvery)
	defer stopSnapshot()
	save, stopSave := every(saveEvery)
	defer stopSave()
	s.checkServing(ctx)
	for s.fit(ctx); ; {
		select {
		case <-ctx.Done():
			return
		case <-s.outgrown:
			s.fit(ctx)
			if s.unchecked() {
				s.checkServing(ctx)
				s.fit(ctx)
			}
		case <-check:
			s.checkServing(ctx)
			s.fit(ctx)
		case <-snapshot:
			s.maybeSnapshot()
		case <-save:
			s.maybeCheckpointLater()
		}
	}
}

// saveEvery is how often it is looked whether counters wait to be saved.
const saveEvery = 5 * time.Second

// every ticks; never for 0 or less.
func every(d time.Duration) (<-chan time.Time, func()) {
	if d <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(d)
	return t.C, t.Stop
}

// notice wakes the upkeep if another engine or other vectors should serve, or the graph
// should be checked. The applier
// and the encoder's backlog call it after each batch; it does not wait.
func (s *Shop) notice() {
	if !s.misfit() && !s.unchecked() {
		return
	}
	select {
	case s.outgrown <- struct{}{}:
	default: // it is awake
	}
}

// unchecked reports whether a graph that serves holds twice as many items as at its
// last check: what was enough effort then may not be now.
func (s *Shop) unchecked() bool {
	if s.config.Index.CheckEvery < 0 {
		return false
	}
	for _, x := range s.gen.Load().spaces() {
		check := x.check.Load()
		if x.engine == HNSW && check != nil && x.encoded.Load() >= 2*max(1, check.items) {
			return true
		}
	}
	return false
}

// checkServing checks the graphs that serve, if any do.
func (s *Shop) checkServing(ctx context.Context) {
	if s.config.Index.CheckEvery < 0 {
		return
	}
	for _, x := range s.gen.Load().spaces() {
		if err := s.selfCheck(ctx, x); err != nil && ctx.Err() == nil {
			s.config.Log.Error("index not checked", "tenant", s.tenant, "error", err)
			return
		}
		s.giveUpGraph(x)
	}
}

// changeTries bounds how often a change of generations is tried before the next check or
// change of the catalog.
const changeTries = 5

// fit changes what serves if another engine, or other vectors, should.
func (s *Shop) fit(ctx context.Context) {
	pause := s.config.Index.Retry
	for try := 1; s.misfit() && ctx.Err() == nil; try++ {
		from := s.gen.Load()
		begin := time.Now()
		s.config.Log.Info("changing the index engine, the vectors or the model", "tenant", s.tenant, "from", from.id, "items", from.encoded.Load())
		err := s.changeUnlessOutdated(ctx)
		if errors.Is(err, errSuperseded) {
			try--
			continue
		}
		if err == nil {
			s.config.Log.Info("index engine changed", "tenant", s.tenant, "to", s.gen.Load().id, "seconds", time.Since(begin).Seconds())
			s.tidySnapshot()
			s.maybeSnapshot() // a graph takes minutes to build again after a crash
			continue
		}
		if errors.Is(err, errClosing) {
			return
		}
		if try == changeTries {
			s.config.Log.Error("index engine not changed; tried again with the next check", "tenant", s.tenant, "tries", try, "error", err)
			return
		}
		s.config.Log.Warn("index engine not changed; trying again", "tenant", s.tenant, "in", pause, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause *= 2
	}
}
