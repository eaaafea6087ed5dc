package shop

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// saving writes checkpoints of the counters, one at a time, on a goroutine of its own: a
// checkpoint goes through the log's committer, which may be waiting for the applier, so
// that the applier must not wait for it. The applier makes the copy that is written; Close
// waits for what is under way.
type saving struct {
	busy  atomic.Bool
	ended sync.WaitGroup
	at    atomic.Uint64             // place in the log of the last checkpoint
	pause atomic.Pointer[time.Time] // no other one before; with the monotonic clock, which nobody sets
	bytes int                       // of the last copy, the applier's
}

const (
	// savingShare is the largest share of the time that is spent on saving: many counters
	// take seconds to save, and while many events come they change again at once.
	savingShare = 0.1
	// mostUnsaved bounds, in Config.CheckpointEvery, what may wait for that: a start after a
	// crash reads it.
	mostUnsaved = 4
)

// due reports whether a checkpoint should be made at a place.
func (v *saving) due(seq, every uint64, now time.Time) bool {
	unsaved, until := seq-min(seq, v.at.Load()), v.pause.Load()
	rested := until == nil || !now.Before(*until) || unsaved >= mostUnsaved*every
	return unsaved >= every && rested && !v.busy.Load()
}

// maybeCheckpoint saves the counters after enough entries. Whoever calls it holds
// Shop.applying, so that they stand still while they are copied.
func (s *Shop) maybeCheckpoint(seq uint64) {
	v := &s.saving
	begin := time.Now()
	if !v.due(seq, s.config.CheckpointEvery, begin) {
		return
	}
	raw, err := s.copyCounters()
	if err != nil {
		s.config.Log.Error("counters not saved; a restart reads more of the log", "error", err)
		return
	}
	v.busy.Store(true)
	v.ended.Go(func() {
		defer v.busy.Store(false)
		if err := s.saveCounters(seq, raw); err != nil {
			s.config.Log.Warn("counters not saved; a restart reads more of the log", "error", err)
		}
		end := time.Now()
		until := end.Add(time.Duration(float64(end.Sub(begin)) * (1/savingShare - 1)))
		v.pause.Store(&until)
	})
}

// maybeCheckpointLater saves what a burst of events left behind that ended before it could
// be saved: no later one may come to see to it.
func (s *Shop) maybeCheckpointLater() {
	s.applying.Lock()
	defer s.applying.Unlock()
	seq, _ := s.applied.load()
	s.maybeCheckpoint(seq)
}

// copyCounters is the counters as a checkpoint holds them. They must stand still.
func (s *Shop) copyCounters() ([]byte, error) {
	s.counters.events, s.counters.latest = s.events.Load(), s.clock.at.Load()
	s.counters.weights, s.counters.acts = s.strength.sum, s.strength.acts
	room := s.saving.bytes + s.saving.bytes/8 // they grow
	raw, err := s.counters.appendBinary(make([]byte, 0, room))
	if err != nil {
		return nil, fmt.Errorf("counters: %w", err)
	}
	s.saving.bytes = len(raw)
	return raw, nil
}

// saveCounters writes a copy of the counters, which hold the log up to a place.
func (s *Shop) saveCounters(seq uint64, raw []byte) error {
	err := s.log.PutCheckpoint(checkpointKind, seq, func(w io.Writer) error {
		_, err := w.Write(raw)
		return err
	})
	if err == nil {
		s.saving.at.Store(seq)
	}
	return err
}
