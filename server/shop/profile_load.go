package shop

import (
	"slices"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// profileBefore returns the profile of a number for the applier: one that is not
// in memory is read as it was before a sequence.
func (s *Shop) profileBefore(number, seq uint64) *profile {
	p := s.profiles.get(number)
	if err := s.load(p, seq); err != nil {
		s.config.Log.Error("profile not read; its next events count alone", "error", err)
	}
	return p
}

// load reads a profile that is not loaded yet: its events before a sequence (0: all).
// On an error it stays unloaded and the next request tries again.
func (s *Shop) load(p *profile, before uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loaded {
		s.profiles.hits.Add(1)
		return nil
	}
	s.profiles.misses.Add(1)
	past, err := s.readPast(p.number, before, time.Time{})
	if err != nil {
		return err
	}
	p.touches, p.showings, p.optOut, p.loaded = past.touches, past.showings, past.optOut, true
	if n := len(p.touches); n > 0 {
		p.seq = p.touches[n-1].seq
	}
	if n := len(p.showings); n > 0 {
		p.shownSeq = p.showings[n-1].seq
	}
	p.weigh()
	return nil
}

// past is what the log tells of a user, oldest first.
type past struct {
	touches  []touch
	showings []showing
	optOut   bool
}

// readProfile is [Shop.readPast] without impressions.
func (s *Shop) readProfile(number, before uint64, asOf time.Time) ([]touch, bool, error) {
	p, err := s.readPast(number, before, asOf)
	return p.touches, p.optOut, err
}

// readPast reads what a profile keeps of a user from the log. Events that say nothing of
// taste (impressions, searches) are no touches, so up to four times HistoryEvents events
// are read to find HistoryEvents touches; impressions are those met on the way, the last
// keptShowings.
func (s *Shop) readPast(number, before uint64, asOf time.Time) (past, error) {
	limit := s.config.HistoryEvents
	types := s.settings().types
	var p past
	for read := 0; read < 4*limit && len(p.touches) < limit; {
		events, err := s.log.HistoryUntil(number, before, limit, asOf)
		if err != nil {
			return past{}, err
		}
		for i := range events {
			p.meet(&events[i], types.weight(&events[i].Event), limit)
		}
		if len(events) < limit {
			break
		}
		read += len(events)
		before = events[len(events)-1].Seq
	}
	slices.Reverse(p.touches)
	slices.Reverse(p.showings)
	profile, err := s.log.ProfileByNumber(number)
	p.optOut = profile.OptOut
	return p, err
}

// meet adds an event, which is older than those before it, while there is room.
func (p *past) meet(e *record.Stored, weight float32, limit int) {
	if len(p.touches) == limit {
		return
	}
	if t, ok := touchOf(e, weight); ok {
		p.touches = append(p.touches, t)
	}
	if e.Type == record.TypeImpression && e.ItemNumber != record.NoItem && len(p.showings) < keptShowings {
		p.showings = append(p.showings, showingOf(e))
	}
}

func showingOf(e *record.Stored) showing {
	return showing{seq: e.Seq, at: e.Time.UnixMicro(), item: e.ItemNumber}
}

// appendShowing adds an impression to a profile in memory.
func (p *profile) appendShowing(x showing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loaded {
		p.show(x)
		p.weigh()
	}
}

// append adds a touch to a profile in memory. The applier has loaded it.
func (p *profile) append(t touch, limit int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loaded {
		p.add(t, limit)
		p.weigh()
	}
}
