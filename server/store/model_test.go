package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/server/record"
)

// drawMutation makes a mutation from few ids, so that they meet.
func drawMutation(now time.Time) *rapid.Generator[record.Mutation] {
	return rapid.Custom(func(t *rapid.T) record.Mutation {
		user := rapid.SampledFrom([]string{"", "ann", "bob"}).Draw(t, "user")
		session := rapid.SampledFrom([]string{"", "s1", "s2"}).Draw(t, "session")
		id := rapid.SampledFrom([]string{"i1", "i2", "i3"}).Draw(t, "item")
		source := time.Time{}
		if n := rapid.IntRange(0, 3).Draw(t, "source"); n > 0 {
			source = now.Add(time.Duration(n) * time.Hour)
		}
		switch rapid.IntRange(0, 12).Draw(t, "kind") {
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
		case 12:
			bundles := rapid.SampledFrom([]string{"", strings.Repeat("a", 64), strings.Repeat("b", 64)})
			return record.Mutation{Promote: &record.Promotion{Bundle: bundles.Draw(t, "bundle"), Previous: bundles.Draw(t, "previous")}}
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
	m.comparePromotions()
}

func (m *machine) comparePromotions() {
	list, err := m.tenant.Promotions(100)
	if err != nil {
		m.Fatal(err)
	}
	var got []string
	for _, p := range slices.Backward(list) {
		got = append(got, p.Bundle)
	}
	if !slices.Equal(got, m.w.bundles) {
		m.Fatalf("promoted %q, the twin %q", got, m.w.bundles)
	}
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
		case e.Promote != nil:
			log[e.Seq] = "promote " + e.Promote.Bundle
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
