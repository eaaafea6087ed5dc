package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

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
	}
	return w.erase(m.Erase)
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

// draw makes a mutation from few ids, so that they meet.
func drawMutation(now time.Time) *rapid.Generator[record.Mutation] {
	return rapid.Custom(func(t *rapid.T) record.Mutation {
		user := rapid.SampledFrom([]string{"", "ann", "bob"}).Draw(t, "user")
		session := rapid.SampledFrom([]string{"", "s1", "s2"}).Draw(t, "session")
		id := rapid.SampledFrom([]string{"i1", "i2", "i3"}).Draw(t, "item")
		source := time.Time{}
		if n := rapid.IntRange(0, 3).Draw(t, "source"); n > 0 {
			source = now.Add(time.Duration(n) * time.Hour)
		}
		switch rapid.IntRange(0, 11).Draw(t, "kind") {
		default:
			e := record.Event{
				ID: fmt.Sprint("e", rapid.IntRange(0, 30).Draw(t, "event")), User: user, Session: session, Item: id,
				Type: record.TypeView, Time: now, Position: int32(rapid.IntRange(0, 1).Draw(t, "position")),
			}
			if user == "" && session == "" {
				e.User = "ann"
			}
			return record.Mutation{Event: &e}
		case 5, 6:
			return record.Mutation{Item: &record.Item{
				ID: id, Title: rapid.SampledFrom([]string{"A", "B"}).Draw(t, "title"), SourceTime: source, Created: now,
			}}
		case 7:
			return record.Mutation{Patch: &record.Patch{
				ID: id, Fields: []record.Field{record.FieldHidden}, Hidden: rapid.Bool().Draw(t, "hidden"), SourceTime: source,
			}}
		case 8:
			return record.Mutation{Delete: &record.Delete{ID: id}}
		case 9:
			return record.Mutation{Profile: &record.Profile{User: cmp.Or(user, "cid"), OptOut: rapid.Bool().Draw(t, "opt out")}}
		case 10:
			return record.Mutation{Merge: &record.Merge{Session: cmp.Or(session, "s3"), User: cmp.Or(user, "cid")}}
		case 11:
			if user == "" {
				return record.Mutation{Erase: &record.Erase{Session: cmp.Or(session, "s3")}}
			}
			return record.Mutation{Erase: &record.Erase{User: user}}
		}
	})
}

// TestStoreIsItsTwin applies random batches to the store and to the twin, opens
// the store anew now and then, and finds no difference. Each check has a tenant
// of its own in one store, which is faster than a store of its own.
func TestStoreIsItsTwin(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	o := testOptions()
	o.Now = func() time.Time { return now }
	o.Directory = 16 // so small that entries are read back
	dir := t.TempDir()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	checks := 0
	rapid.Check(t, func(rt *rapid.T) {
		checks++
		name := fmt.Sprint("shop-", checks)
		if _, err := s.CreateTenant(context.Background(), record.Tenant{Name: name}); err != nil {
			rt.Fatal(err)
		}
		m := &machine{T: rt, w: newTwin(now)}
		m.take(s, name, 0)
		for range rapid.IntRange(1, 12).Draw(rt, "batches") {
			m.step(rapid.SliceOfN(drawMutation(now), 1, 12).Draw(rt, "batch"))
			m.compare()
			if rapid.IntRange(0, 19).Draw(rt, "restart") == 0 {
				m.release()
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				if s, err = Open(dir, o); err != nil {
					rt.Fatal(err)
				}
				m.take(s, name, m.w.seq)
				m.compare()
			}
		}
		m.release()
	})
}

// machine is one check: a tenant, its twin and a follower.
type machine struct {
	*rapid.T
	tenant   *Tenant
	w        *twin
	followed []uint64
	release  func()
}

func (m *machine) take(s *Store, name string, after uint64) {
	tenant, err := s.Tenant(name)
	if err != nil {
		m.Fatal(err)
	}
	m.tenant = tenant
	stop, err := tenant.Follow(after, func(entries []record.Entry) {
		for _, e := range entries {
			m.followed = append(m.followed, e.Seq)
		}
	})
	if err != nil {
		m.Fatal(err)
	}
	m.release = func() {
		stop()
		for i, seq := range m.followed {
			if i > 0 && seq <= m.followed[i-1] {
				m.Fatalf("followed %v", m.followed)
			}
		}
	}
}

// step writes a batch and compares the outcomes.
func (m *machine) step(batch []record.Mutation) {
	dry, err := m.tenant.DryRun(context.Background(), batch[:1])
	if err != nil {
		m.Fatal(err)
	}
	out, _, err := m.tenant.Append(context.Background(), batch)
	if err != nil {
		m.Fatal(err)
	}
	if dry[0].Status != out[0].Status {
		m.Fatalf("dry run %v, append %v", dry[0], out[0])
	}
	for i, mutation := range batch {
		status, reason := m.w.apply(mutation)
		if out[i].Status != status || !errors.Is(out[i].Err, reason) {
			m.Fatalf("mutation %d: %v (%v), the twin says %v (%v)", i, out[i].Status, out[i].Err, status, reason)
		}
	}
}

func (m *machine) compare() {
	m.compareLog()
	m.compareItems()
	m.comparePersons()
}

func (m *machine) compareLog() {
	log := map[uint64]string{}
	if err := m.tenant.ScanLog(0, func(e record.Entry) error {
		switch {
		case e.Event != nil:
			log[e.Seq] = "event " + e.Event.ID
		case e.Item != nil:
			log[e.Seq] = "put " + e.Row.ID + " " + e.Row.Title
		case e.Delete != nil:
			log[e.Seq] = "delete " + e.Delete.ID
		case e.Profile != nil:
			log[e.Seq] = fmt.Sprint("profile ", e.Profile.OptOut)
		case e.Merge != nil:
			log[e.Seq] = "merge"
		case e.Erase != nil:
			log[e.Seq] = "erase"
		}
		return nil
	}); err != nil {
		m.Fatal(err)
	}
	if !maps.Equal(log, m.w.log) {
		m.Fatalf("log:\n%s", gocmp.Diff(m.w.log, log))
	}
	if m.tenant.Head().Seq != m.w.seq {
		m.Fatalf("head %d, the twin's %d", m.tenant.Head().Seq, m.w.seq)
	}
}

func (m *machine) compareItems() {
	for id, want := range m.w.items {
		got, number, err := m.tenant.Item(id)
		if want.row == nil {
			if n, known := m.tenant.ItemNumber(id); !errors.Is(err, record.ErrNotFound) || !known || n != want.number {
				m.Fatalf("item %s without a row: %v, number %d", id, err, n)
			}
		} else if err != nil || number != want.number || !gocmp.Equal(*want.row, got) {
			m.Fatalf("item %s number %d: %v\n%s", id, number, err, gocmp.Diff(*want.row, got))
		}
	}
}

func (m *machine) comparePersons() {
	for _, id := range []string{"ann", "bob", "cid"} {
		m.comparePerson(id, "", m.w.users[id])
		p, err := m.tenant.Profile(id)
		if who := m.w.users[id]; who == nil {
			if !errors.Is(err, record.ErrNotFound) {
				m.Fatalf("profile of %s: %v", id, err)
			}
		} else if slices.Sort(p.Sessions); err != nil || !slices.Equal(p.Sessions, slices.Sorted(slices.Values(who.merged))) ||
			p.OptOut != (who.profile != nil && who.profile.OptOut) {
			m.Fatalf("profile of %s: %+v, %v; merged %v", id, p, err, who.merged)
		}
	}
	for _, id := range []string{"s1", "s2", "s3"} {
		m.comparePerson("", id, m.w.session[id])
	}
}

func (m *machine) comparePerson(user, session string, who *twinPerson) {
	number, known := m.tenant.UserNumber(user, session)
	if known != (who != nil) {
		m.Fatalf("%q %q is known: %v", user, session, known)
	}
	if who == nil {
		return
	}
	if who.user != nil {
		who = who.user
	}
	var want []record.Event
	for _, e := range slices.Backward(m.w.events) {
		if e.owner == who {
			want = append(want, e.shown)
		}
	}
	events, err := m.tenant.History(number, 0, 1000)
	if err != nil {
		m.Fatal(err)
	}
	var got []record.Event
	for _, e := range events {
		if e.Item != m.w.numbers[e.ItemNumber] {
			m.Fatalf("event %s has item %q by number %d", e.ID, e.Item, e.ItemNumber)
		}
		got = append(got, e.Event)
	}
	if len(want) != len(got) {
		m.Fatalf("history of %q %q: %d events, the twin has %d", user, session, len(got), len(want))
	}
	for i := range want {
		if !gocmp.Equal(want[i], got[i]) {
			m.Fatalf("history of %q %q:\n%s", user, session, gocmp.Diff(want[i], got[i]))
		}
	}
}
