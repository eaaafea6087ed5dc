package shop

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// KeptStatus is what the last look at a kind of rows found.
type KeptStatus struct {
	Kind    string // events, decisions, audit, catalog_before
	Removed int64  // since the start
	Oldest  time.Time
	For     time.Duration // 0: as long as there is room
	Looked  time.Time
}

// Expiring is a log that can remove what is too old.
type Expiring interface {
	// ExpireEvents removes the events that are older than the retention and tells of their
	// owners; ExpireDecisions those decisions that are older than the tenant keeps them.
	ExpireEvents(ctx context.Context, gone func(owner uint64)) (removed int64, oldest time.Time, err error)
	ExpireDecisions(ctx context.Context) (removed int64, oldest time.Time, err error)
	// DecisionsKept is how long decisions live.
	DecisionsKept() time.Duration
}

// Audit removes what is too old of the tenant's audit log; the newest act stays. before
// zero: nothing is.
type Audit func(tenant string, before time.Time) (removed int64, oldest time.Time, err error)

// Expire removes what is older than the tenant keeps it, of all kinds, and notes what is
// left. What was counted of an event before it went stays counted: popularity and
// co-visitation fade by themselves, and a start goes on with the counters of the last
// checkpoint. Only counters made anew of the log alone lack it. A profile is read anew.
// Close ends it. One call at a time.
func (s *Shop) Expire(audit Audit) error {
	log, ok := s.log.(Expiring)
	if !ok {
		return nil
	}
	settings, now := s.Settings(), s.config.Now()
	var errs []error
	note := func(kind string, kept time.Duration, removed int64, oldest time.Time, err error) {
		errs = append(errs, err)
		s.noteKept(KeptStatus{kind, removed, oldest, kept, now})
		if removed > 0 {
			s.config.Log.Info("what was older than it is kept was removed", "tenant", s.tenant, "kind", kind, "rows", removed, "kept", kept)
		}
	}
	removed, oldest, err := log.ExpireEvents(s.life, s.profiles.drop)
	note("events", cmp.Or(settings.Retention, record.DefaultRetention), removed, oldest, err)
	removed, oldest, err = log.ExpireDecisions(s.life)
	note("decisions", log.DecisionsKept(), removed, oldest, err)
	removed, oldest, err = audit(s.tenant, since(now, settings.Kept.Audit))
	note("audit", settings.Kept.Audit, removed, oldest, err)
	removed, oldest, err = s.expireBefore(since(now, settings.Kept.CatalogBefore))
	note("catalog_before", settings.Kept.CatalogBefore, removed, oldest, err)
	return errors.Join(errs...)
}

// since is the time so long ago; zero for no time.
func since(now time.Time, kept time.Duration) time.Time {
	if kept == 0 {
		return time.Time{}
	}
	return now.Add(-kept)
}

// expireBefore forgets the catalog before a replacement that was made before a time. One
// that is stuck may need it.
func (s *Shop) expireBefore(before time.Time) (removed int64, oldest time.Time, err error) {
	if !s.replacing.TryLock() {
		return 0, oldest, nil // a replacement is under way: it makes another
	}
	defer s.replacing.Unlock()
	head, err := s.headOf(beforeKind)
	if err != nil || head == nil {
		return 0, oldest, err
	}
	if !head.Time.Before(before) || s.replacing.stuck.Load() != nil {
		return 0, head.Time, nil
	}
	for range 2 { // the log keeps the last but one
		if err := s.log.PutCheckpoint(beforeKind, 0, func(io.Writer) error { return nil }); err != nil {
			return 0, head.Time, err
		}
	}
	return 1, oldest, nil
}

// Kept tells what is kept of each kind, as of the last look; none: there was none.
func (s *Shop) Kept() []KeptStatus {
	if list := s.kept.Load(); list != nil {
		return *list
	}
	return nil
}

// noteKept replaces what is known of a kind, and adds to what was removed.
func (s *Shop) noteKept(k KeptStatus) {
	var list []KeptStatus
	for _, was := range s.Kept() {
		if was.Kind == k.Kind {
			k.Removed += was.Removed
		} else {
			list = append(list, was)
		}
	}
	list = append(list, k)
	s.kept.Store(&list)
}
