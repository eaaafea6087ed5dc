package shop

import (
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// expose counts the n items that a reply shows, for rules that cap showings of a day.
func (s *Shop) expose(n int, item func(i int) uint32, now time.Time) {
	at := now.UnixMicro()
	for i := range n {
		if err := s.exposures.Add(item(i), 1, at); err != nil {
			s.config.Log.Error("a showing is not counted", "error", err)
		}
	}
}

// countToday counts what the decision log has of the present day from before this process
// counted. It does so once, when the first rule needs it, and the policy that has the rule
// serves only after: a day's log of a busy shop is long, and most have no such rule.
// Called under amending, or before anything serves.
func (s *Shop) countToday(t *record.Tenant, all *policies) error {
	capped := false
	for _, p := range all.kept {
		capped = capped || p.capped
	}
	if !capped || s.recounted {
		return nil
	}
	begin := time.Now()
	from := s.started.UTC().Truncate(24 * time.Hour)
	if t.Clock == record.ClockLog {
		from = s.started.Add(-24 * time.Hour) // a day of the log may have been served at any time
	}
	decisions := 0
	err := s.log.ScanDecisions(from, s.started, func(d record.Decision) error {
		decisions++
		if !d.AsOf {
			s.expose(len(d.Items), func(i int) uint32 { return d.Items[i].Item }, d.ClockTime())
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("counting what was shown today: %w", err)
	}
	s.recounted = true
	s.config.Log.Info("counted what was shown today", "decisions", decisions, "seconds", int(time.Since(begin).Seconds()))
	return nil
}
