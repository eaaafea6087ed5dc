package store

import (
	"fmt"
	"slices"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/server/record"
)

// twin is the store said plainly: everything in maps, nothing on disk.
type twin struct {
	seq     uint64
	now     time.Time
	events  []*twinEvent // in the order of the log
	items   map[string]*twinItem
	numbers []string // item ids by number
	users   map[string]*twinPerson
	session map[string]*twinPerson
	log     map[uint64]string // what the log holds, described
	bundles []string          // promoted, newest last
}

type twinEvent struct {
	record.Event              // as it was sent
	shown        record.Event // without the session once that was erased
	seq          uint64
	owner        *twinPerson
	session      *twinPerson // the one it named
}

type twinItem struct {
	row    *record.Item
	number uint32
	seq    uint64
}

type twinPerson struct {
	user       *twinPerson // of a merged session
	profile    *record.Profile
	profileSeq uint64
	mergeSeq   uint64
	merged     []string
}

func newTwin(now time.Time) *twin {
	return &twin{
		now: now, items: map[string]*twinItem{}, users: map[string]*twinPerson{},
		session: map[string]*twinPerson{}, log: map[uint64]string{},
	}
}

func (w *twin) write(what string) uint64 {
	w.seq++
	w.log[w.seq] = what
	return w.seq
}

func (w *twin) mention(id string) *twinItem {
	if w.items[id] == nil {
		w.items[id] = &twinItem{number: uint32(len(w.numbers))}
		w.numbers = append(w.numbers, id)
	}
	return w.items[id]
}

func enter(people map[string]*twinPerson, id string) *twinPerson {
	if people[id] == nil {
		people[id] = &twinPerson{}
	}
	return people[id]
}

// apply is what Append promises for one mutation.
func (w *twin) apply(m record.Mutation) (record.Status, error) {
	switch {
	case m.Event != nil:
		return w.event(m.Event)
	case m.Item != nil:
		return w.item(m.Item)
	case m.Patch != nil:
		return w.patch(m.Patch)
	case m.Delete != nil:
		it := w.items[m.Delete.ID]
		if it == nil || it.row == nil {
			return record.Refused, record.ErrNotFound
		}
		delete(w.log, it.seq)
		it.row, it.seq = nil, w.write("delete "+m.Delete.ID)
		return record.Removed, nil
	case m.Profile != nil:
		return w.profile(m.Profile)
	case m.Merge != nil:
		return w.merge(m.Merge)
	case m.Promote != nil:
		return w.promote(m.Promote)
	}
	return w.erase(m.Erase)
}

func (w *twin) promote(p *record.Promotion) (record.Status, error) {
	last, status := "", record.Added
	if n := len(w.bundles); n > 0 {
		last, status = w.bundles[n-1], record.Changed
	}
	switch {
	case p.Bundle == last:
		return record.Unchanged, nil
	case p.Previous != last:
		return record.Refused, record.ErrConflict
	}
	w.bundles = append(w.bundles, p.Bundle)
	w.write("promote " + p.Bundle)
	return status, nil
}

func (w *twin) event(e *record.Event) (record.Status, error) {
	for _, old := range w.events {
		if old.ID == e.ID {
			if gocmp.Equal(old.Event, *e) {
				return record.Unchanged, nil
			}
			return record.Refused, record.ErrConflict
		}
	}
	var owner, session *twinPerson
	if e.Session != "" {
		session = enter(w.session, e.Session)
		if owner = session; owner.user != nil {
			owner = owner.user
		}
	}
	if e.User != "" {
		owner = enter(w.users, e.User)
	}
	if e.Item != "" {
		w.mention(e.Item)
	}
	w.events = append(w.events, &twinEvent{*e, *e, w.write("event " + e.ID), owner, session})
	return record.Added, nil
}

func (w *twin) item(it *record.Item) (record.Status, error) {
	old := w.mention(it.ID)
	status := record.Added
	next := *it
	if old.row != nil {
		same, other := *old.row, *it
		same.SourceTime, other.SourceTime = time.Time{}, time.Time{}
		if gocmp.Equal(same, other) {
			if it.SourceTime.After(old.row.SourceTime) {
				old.row.SourceTime = it.SourceTime
			}
			return record.Unchanged, nil
		}
		if !it.SourceTime.IsZero() && it.SourceTime.Before(old.row.SourceTime) {
			return record.Stale, nil
		}
		status = record.Changed
	}
	delete(w.log, old.seq)
	old.row, old.seq = &next, w.write("put "+it.ID+" "+it.Title)
	return status, nil
}

func (w *twin) patch(p *record.Patch) (record.Status, error) {
	old := w.items[p.ID]
	if old == nil || old.row == nil {
		return record.Refused, record.ErrNotFound
	}
	if !p.SourceTime.IsZero() && p.SourceTime.Before(old.row.SourceTime) {
		return record.Stale, nil
	}
	if p.SourceTime.After(old.row.SourceTime) {
		old.row.SourceTime = p.SourceTime
	}
	if old.row.Hidden == p.Hidden {
		return record.Unchanged, nil
	}
	next := *old.row
	next.Hidden = p.Hidden
	delete(w.log, old.seq)
	old.row, old.seq = &next, w.write("put "+p.ID+" "+next.Title)
	return record.Changed, nil
}

func (w *twin) profile(p *record.Profile) (record.Status, error) {
	who := enter(w.users, p.User)
	status := record.Added
	if who.profile != nil {
		if who.profile.OptOut == p.OptOut {
			return record.Unchanged, nil
		}
		status = record.Changed
		delete(w.log, who.profileSeq)
	}
	who.profile, who.profileSeq = p, w.write(fmt.Sprint("profile ", p.OptOut))
	return status, nil
}

func (w *twin) merge(m *record.Merge) (record.Status, error) {
	if s := w.session[m.Session]; s != nil && s.user != nil {
		if s.user == w.users[m.User] {
			return record.Unchanged, nil
		}
		return record.Refused, record.ErrConflict
	}
	s, u := enter(w.session, m.Session), enter(w.users, m.User)
	s.user, s.mergeSeq = u, w.write("merge")
	u.merged = append(u.merged, m.Session)
	for _, e := range w.events {
		if e.owner == s {
			e.owner = u
		}
	}
	return record.Added, nil
}

func (w *twin) erase(m *record.Erase) (record.Status, error) {
	who := w.users[m.User]
	if m.Session != "" {
		who = w.session[m.Session]
	}
	if who == nil {
		return record.Refused, record.ErrNotFound
	}
	delete(w.users, m.User)
	if who.user != nil {
		who.user.merged = slices.DeleteFunc(who.user.merged, func(s string) bool { return s == m.Session })
		delete(w.log, who.mergeSeq)
	}
	if who.profile != nil {
		delete(w.log, who.profileSeq)
	}
	if m.Session != "" {
		w.forget(m.Session)
	}
	for _, s := range who.merged {
		delete(w.log, w.session[s].mergeSeq)
		w.forget(s)
	}
	w.write("erase")
	var beside []*twinEvent
	w.events = slices.DeleteFunc(w.events, func(e *twinEvent) bool {
		if e.owner == who {
			delete(w.log, e.seq)
			if e.User != "" && e.Session != "" {
				beside = append(beside, e)
			}
		}
		return e.owner == who
	})
	// Sessions that were named beside the user and have no other use.
	for _, b := range beside {
		known := w.session[b.Session] == b.session && b.session.user == nil
		if known && !slices.ContainsFunc(w.events, func(e *twinEvent) bool { return e.owner == b.session }) {
			w.forget(b.Session)
		}
	}
	return record.Removed, nil
}

// forget takes a session's id from everything that names it.
func (w *twin) forget(id string) {
	for _, e := range w.events {
		if e.session != nil && e.session == w.session[id] {
			e.shown.Session = ""
		}
	}
	delete(w.session, id)
}
