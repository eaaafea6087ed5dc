package shop

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/kindred-rec/kindred/server/internal/pause"
	"github.com/kindred-rec/kindred/server/record"
)

// Kept vectors that nobody needs are removed: those of other models when the present one
// serves, and from time to time those of texts that no item has any more. With an
// immediate encoder none are needed; they stay for one EncodingConfig.SweepEvery, so that
// a start with the wrong settings costs nothing.

const (
	sweepStep  = 1000                  // vectors that are looked at at once
	sweepPause = 10 * time.Millisecond // between steps that removed some
)

// sweepVectors removes what is not needed until the shop ends.
func (s *Shop) sweepVectors(done chan<- struct{}) {
	defer close(done)
	tick, stop := every(s.config.Encoding.SweepEvery)
	defer stop()
	for last := time.Now(); ; {
		texts := true
		select {
		case <-s.life.Done():
			return
		case <-s.replaced:
			texts = false
		case <-tick:
			if time.Since(last) < s.settings().Kept.Vectors {
				continue
			}
			last = time.Now()
		}
		if s.gen.Load().bridge {
			continue // after the swap
		}
		begin := time.Now()
		removed, err := s.sweep(s.life, texts)
		if err != nil && s.life.Err() == nil {
			s.config.Log.Warn("kept vectors not swept; tried again at the next time", "tenant", s.tenant, "error", err)
		}
		if removed > 0 {
			s.config.Log.Info("vectors that nobody needs were removed", "tenant", s.tenant, "vectors", removed, "seconds", time.Since(begin).Seconds())
		}
	}
}

// sweepSoon has the vectors of other models removed.
func (s *Shop) sweepSoon() {
	select {
	case s.replaced <- struct{}{}:
	default:
	}
}

// sweep removes the vectors of other models and, with texts, those of texts that no item
// has. It holds 16 bytes an item.
func (s *Shop) sweep(ctx context.Context, texts bool) (removed int, err error) {
	e := s.encoding
	unused := func(record.ModelHash, record.TextHash) bool { return true }
	if e != nil {
		e.startSweep()
		defer e.endSweep()
		var live []record.TextHash
		if texts {
			if live, err = s.liveTexts(ctx); err != nil {
				return 0, err
			}
		}
		unused = func(m record.ModelHash, t record.TextHash) bool { return m != e.model || texts && !e.needs(live, t) }
	}
	for from := []byte(nil); ; {
		next, n, err := s.sweepOnce(ctx, from, unused)
		removed += n
		if err != nil || next == nil {
			return removed, err
		}
		if from = next; n == 0 {
			continue
		}
		if err := pause.For(ctx, sweepPause); err != nil {
			return removed, err
		}
	}
}

// sweepOnce takes one step. Who asks for kept vectors meanwhile waits, so that none is
// found that is about to go.
func (s *Shop) sweepOnce(ctx context.Context, from []byte, unused func(record.ModelHash, record.TextHash) bool) ([]byte, int, error) {
	if e := s.encoding; e != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
	}
	return s.log.SweepVectors(ctx, from, sweepStep, unused)
}

func (e *slowEncoding) startSweep() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sweeping = map[record.TextHash]struct{}{}
}

func (e *slowEncoding) endSweep() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sweeping = nil
}

// needs reports whether an item has a text. Under e.mu.
func (e *slowEncoding) needs(live []record.TextHash, t record.TextHash) bool {
	_, found := slices.BinarySearchFunc(live, t, func(a, b record.TextHash) int { return bytes.Compare(a[:], b[:]) })
	_, asked := e.sweeping[t]
	return found || asked
}

// liveTexts are the texts of the catalog, sorted.
func (s *Shop) liveTexts(ctx context.Context) ([]record.TextHash, error) {
	live := make([]record.TextHash, 0, s.table.Count())
	err := s.log.ScanItems(func(_ uint32, it *record.Item) error {
		live = append(live, record.HashText(itemText(it)))
		return ctx.Err()
	})
	slices.SortFunc(live, func(a, b record.TextHash) int { return bytes.Compare(a[:], b[:]) })
	return live, err
}
