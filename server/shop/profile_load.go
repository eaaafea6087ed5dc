package shop

import (
	"slices"
	"time"
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
		return nil
	}
	touches, optOut, err := s.readProfile(p.number, before, time.Time{})
	if err != nil {
		return err
	}
	p.touches, p.optOut, p.loaded = touches, optOut, true
	if n := len(touches); n > 0 {
		p.seq = touches[n-1].seq
	}
	return nil
}

// readProfile reads a user's touches from the log, oldest first. Events that say
// nothing of taste (impressions, searches) are passed over, so up to four times
// HistoryEvents events are read to find HistoryEvents touches.
func (s *Shop) readProfile(number, before uint64, asOf time.Time) ([]touch, bool, error) {
	limit := s.config.HistoryEvents
	types := s.settings().types
	var touches []touch
	for read := 0; read < 4*limit && len(touches) < limit; {
		events, err := s.log.HistoryUntil(number, before, limit, asOf)
		if err != nil {
			return nil, false, err
		}
		for i := range events {
			e := &events[i]
			if t, ok := touchOf(e, types.weight(&e.Event)); ok && len(touches) < limit {
				touches = append(touches, t)
			}
		}
		if len(events) < limit {
			break
		}
		read += len(events)
		before = events[len(events)-1].Seq
	}
	slices.Reverse(touches)
	p, err := s.log.ProfileByNumber(number)
	return touches, p.OptOut, err
}

// append adds a touch to a profile in memory. The applier has loaded it.
func (p *profile) append(t touch, limit int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loaded {
		p.add(t, limit)
	}
}
