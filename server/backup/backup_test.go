package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/server/audit"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store"
)

func options() store.Options {
	o := store.DefaultOptions()
	o.Sync, o.Logger = false, slog.New(slog.DiscardHandler)
	o.MemTable = 8 << 20
	return o
}

// fixture is a store with a tenant and a model, and a directory of backups.
type fixture struct {
	*testing.T
	store  *store.Store
	tenant *store.Tenant
	local  Local
	dir    string
	events int
}

func start(t *testing.T) *fixture {
	t.Helper()
	data := t.TempDir()
	s, err := store.Open(data, options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := s.CreateTenant(t.Context(), record.Tenant{Name: "shop"}); err != nil {
		t.Fatal(err)
	}
	tenant, err := s.Tenant("shop")
	if err != nil {
		t.Fatal(err)
	}
	acts, err := audit.Open(filepath.Join(data, "audit"), audit.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{T: t, store: s, tenant: tenant, local: Local{s, filepath.Join(data, "models"), acts}, dir: t.TempDir()}
}

func (f *fixture) append(batch ...record.Mutation) record.Token {
	f.Helper()
	out, token, err := f.tenant.Append(context.Background(), batch)
	if err != nil {
		f.Fatal(err)
	}
	for _, o := range out {
		if o.Err != nil {
			f.Fatal(o.Err)
		}
	}
	return token
}

// buy writes events of a user.
func (f *fixture) buy(user string, n int) (token record.Token) {
	for range n {
		f.events++
		token = f.append(record.Mutation{Event: &record.Event{
			ID: fmt.Sprint("e", f.events), User: user, Session: user + "s", Item: fmt.Sprint("item", f.events%7), Type: record.TypePurchase, Time: time.Now(),
			Text: strings.Repeat("x", 200),
		}})
	}
	return token
}

func (f *fixture) model(text string) {
	f.Helper()
	_, err := bundle.Write(filepath.Join(f.local.Models, "1"), bundle.Manifest{Created: time.Now()},
		map[string]bundle.Payload{"words.txt": func(w io.Writer) error { _, err := io.WriteString(w, text); return err }}, bundle.Limits{})
	if err != nil {
		f.Fatal(err)
	}
}

// act writes an act into the audit log.
func (f *fixture) act(method string) {
	f.Helper()
	id, err := f.local.Audit.Begin(audit.Entry{Tenant: "shop", Method: method, Time: time.Now()})
	if err == nil {
		err = f.local.Audit.End("shop", id, "OK", time.Millisecond)
	}
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) take(from Source, o TakeOptions) *Manifest {
	f.Helper()
	m, err := Take(f.Context(), f.dir, from, o)
	if err != nil {
		f.Fatal(err)
	}
	return m
}

// restored is a store that was made of the backups.
func (f *fixture) restored(o RestoreOptions) (Report, *store.Store) {
	f.Helper()
	o.From, o.Data, o.Store, o.Models, o.Audit = f.dir, filepath.Join(f.TempDir(), "new"), options(), "models", "audit"
	report, err := Restore(f.Context(), o)
	if err != nil {
		f.Fatal(err)
	}
	s, err := store.Open(o.Data, options())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := s.Close(); err != nil {
			f.Error(err)
		}
	})
	return report, s
}

// told is all that a store says of its tenant, a line each.
func told(t *testing.T, s *store.Store, places bool) (lines []string) {
	t.Helper()
	tenant, err := s.Tenant("shop")
	if err != nil {
		t.Fatal(err)
	}
	say := func(e record.Entry, format string, args ...any) {
		if places {
			format = fmt.Sprint(e.Seq, " ", format)
		}
		lines = append(lines, fmt.Sprint(e.Received.UnixNano(), " ")+fmt.Sprintf(format, args...))
	}
	err = tenant.ScanLog(0, func(e record.Entry) error {
		switch {
		case e.Event != nil:
			user, _, _ := tenant.Name(e.Stored.UserNumber)
			say(e, "event %s of %s on %s number %d at %d", e.Event.ID, user, e.Event.Item, e.ItemNumber, e.Event.Time.UnixNano())
		case e.Row != nil:
			say(e, "item %s %q created %s", e.Row.ID, e.Row.Title, e.Row.Created)
		case e.Delete != nil:
			say(e, "deleted %s", e.Delete.ID)
		case e.Profile != nil:
			user, _, _ := tenant.Name(e.UserNumber)
			say(e, "profile of %s: %v", user, e.Profile.Attributes)
		case e.Promote != nil:
			say(e, "promoted %s after %s", e.Promote.Bundle, e.Promote.Previous)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = tenant.ScanDecisions(time.Time{}, time.Now().Add(time.Hour), func(d record.Decision) error {
		user, _, _ := tenant.Name(d.UserNumber)
		lines = append(lines, "decision "+d.ID+" for "+user)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	for _, l := range want {
		if !slices.Contains(got, l) {
			t.Errorf("lost: %s", l)
		}
	}
	for _, l := range got {
		if !slices.Contains(want, l) {
			t.Errorf("came on top: %s", l)
		}
	}
}

func (f *fixture) decide(user string, seed uint64) {
	f.Helper()
	number, _ := f.tenant.UserNumber(user, "")
	at := time.Now()
	if err := f.tenant.PutDecisions([]record.Decision{{ID: record.NewDecisionID(at, seed), Time: at, UserNumber: number}}); err != nil {
		f.Fatal(err)
	}
}

func TestARestoreEqualsTheStoreAsOfTheLastBackup(t *testing.T) {
	f := start(t)
	f.append(record.Mutation{Item: &record.Item{ID: "item1", Title: "first"}}, record.Mutation{Item: &record.Item{ID: "item2", Title: "second"}})
	f.buy("ann", 20)
	f.buy("bob", 20)
	f.model("one")
	if m := f.take(f.local, TakeOptions{}); m.Number != 1 || !m.Full || m.Tenants[0].Head != 42 || len(m.Bundles) != 1 {
		t.Errorf("first %+v", m)
	}
	f.append(record.Mutation{Item: &record.Item{ID: "item1", Title: "first, new"}}, record.Mutation{Delete: &record.Delete{ID: "item2"}},
		record.Mutation{Erase: &record.Erase{User: "bob"}})
	if err := f.store.Compact(); err != nil { // Badger forgets what was removed
		t.Fatal(err)
	}
	f.buy("cid", 5)
	f.decide("cid", 1)
	f.model("two")
	if m := f.take(f.local, TakeOptions{}); m.Number != 2 || m.Full || m.Rows > 60 || len(m.Bundles) != 2 {
		t.Errorf("second %+v", m)
	}
	want := told(t, f.store, true)
	f.buy("ann", 1) // after the backup
	report, s := f.restored(RestoreOptions{})
	same(t, told(t, s, true), want)
	if report.Backup != 2 || report.Bundles != 2 || report.Epoch == f.tenant.Head().Epoch || report.Tenants[0].Head != 50 {
		t.Errorf("report %+v", report)
	}
	// A store with a new epoch begins a new chain.
	if _, err := Take(t.Context(), f.dir, Local{Store: s}, TakeOptions{}); !errors.Is(err, ErrFull) {
		t.Errorf("a backup of the restored store added to those of before: %v", err)
	}
	if m := f.take(Local{Store: s}, TakeOptions{Full: true}); !m.Full || m.Number != 3 {
		t.Errorf("third %+v", m)
	}
	_, s = f.restored(RestoreOptions{})
	same(t, told(t, s, true), want)
}

// acts lists the audit log in a folder, the newest first.
func acts(t *testing.T, dir string) []audit.Entry {
	t.Helper()
	l, err := audit.Open(dir, audit.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := l.List("shop", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestARestoredStoreGoesOnWithTheAuditLog(t *testing.T) {
	f := start(t)
	f.buy("ann", 3)
	f.act("key made")
	f.take(f.local, TakeOptions{})
	f.act("key revoked")
	_, err := Take(t.Context(), f.dir, &breaking{f.local, 0, 0}, TakeOptions{})
	if !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	f.act("policy put")
	m := f.take(f.local, TakeOptions{})
	if len(m.Audit) != 1 || m.Audit[0].Name != "shop.jsonl" {
		t.Errorf("manifest %+v", m.Audit)
	}
	want := acts(t, filepath.Join(filepath.Dir(f.local.Models), "audit"))
	f.act("after the backup")
	o := RestoreOptions{From: f.dir, Data: filepath.Join(t.TempDir(), "new"), Store: options(), Models: "models", Audit: "audit"}
	if _, err := Restore(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got := acts(t, filepath.Join(o.Data, "audit")); len(got) != 3 || !slices.Equal(got, want) {
		t.Errorf("restored %+v\nwant %+v", got, want)
	}
	if got := (&taker{}).Audit("../shop.jsonl", nil); got == nil {
		t.Error("a name that leads out of the folder is taken")
	}
}

// TestABackupOfFormat1Restores reads a chain of two backups that an earlier release took:
// it has no audit log, and its model comes along.
func TestABackupOfFormat1Restores(t *testing.T) {
	o := RestoreOptions{From: filepath.Join("testdata", "format1"), Data: filepath.Join(t.TempDir(), "new"), Store: options(), Models: "models", Audit: "audit"}
	report, err := Restore(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if report.Backup != 2 || report.Bundles != 1 || report.Tenants[0].Head != 7 {
		t.Errorf("report %+v", report)
	}
	s, err := store.Open(o.Data, options())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := "1795981943"
	same(t, told(t, s, true), []string{
		at + `381134342 1 item item1 "first" created 2026-05-01 00:00:00 +0000 UTC`,
		at + `392379503 4 item item2 "second" created 2026-11-29 19:52:23.392379503 +0000 UTC`,
		at + `392793546 6 event e3 of bob on item3 number 2 at 1795981943392743583`,
		at + `393074255 7 event e4 of bob on item4 number 3 at 1795981943393061790`,
	})
	tenant, _ := s.Tenant("shop")
	if _, known := tenant.UserNumber("ann", ""); known {
		t.Error("who was erased is back")
	}
}

// TestAMissingLinkIsNamed removes a backup from the middle of a chain, then its full one.
func TestAMissingLinkIsNamed(t *testing.T) {
	f := start(t)
	for range 3 {
		f.buy("ann", 3)
		f.take(f.local, TakeOptions{})
	}
	restore := func() error {
		_, err := Restore(t.Context(), RestoreOptions{From: f.dir, Data: filepath.Join(t.TempDir(), "new"), Store: options()})
		return err
	}
	if err := os.Rename(filepath.Join(f.dir, "0002"), filepath.Join(t.TempDir(), "away")); err != nil {
		t.Fatal(err)
	}
	if err := restore(); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "backup 2 is missing") {
		t.Errorf("without the second: %v", err)
	}
	if _, err := Take(t.Context(), f.dir, f.local, TakeOptions{}); !errors.Is(err, ErrDamaged) {
		t.Errorf("a backup was added to a chain with a hole: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(f.dir, "0001")); err != nil {
		t.Fatal(err)
	}
	if err := restore(); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "the full backup that 3 adds to") {
		t.Errorf("without the full one: %v", err)
	}
}

// TestABackupAmongWritersIsOfOneMoment: each writer's events are there without a gap.
func TestABackupAmongWritersIsOfOneMoment(t *testing.T) {
	f := start(t)
	var writers sync.WaitGroup
	stop := make(chan struct{})
	for w := range 3 {
		writers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				_, _, err := f.tenant.Append(context.Background(), []record.Mutation{{Event: &record.Event{
					ID: fmt.Sprintf("%d %d", w, i), User: fmt.Sprint("u", i%50), Item: "i", Type: record.TypeView, Time: time.Now(),
				}}})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for f.tenant.Head().Seq < 100 {
		time.Sleep(time.Millisecond)
	}
	var last *Manifest
	for range 4 {
		last = f.take(f.local, TakeOptions{})
	}
	close(stop)
	writers.Wait()
	_, s := f.restored(RestoreOptions{})
	tenant, err := s.Tenant("shop")
	if err != nil {
		t.Fatal(err)
	}
	next, n, histories := map[int]int{}, uint64(0), 0
	err = tenant.ScanLog(0, func(e record.Entry) error {
		var w, i int
		if _, err := fmt.Sscanf(e.Event.ID, "%d %d", &w, &i); err != nil || next[w] != i {
			t.Errorf("event %s where %d is next, %v", e.Event.ID, next[w], err)
		}
		next[w]++
		n++
		return nil
	})
	if err != nil || n != last.Tenants[0].Head || n < 100 {
		t.Errorf("%d events up to place %d, %v", n, last.Tenants[0].Head, err)
	}
	for u := range 50 {
		number, _ := tenant.UserNumber(fmt.Sprint("u", u), "")
		events, err := tenant.History(number, 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		histories += len(events)
	}
	if uint64(histories) != n {
		t.Errorf("histories hold %d of %d events", histories, n)
	}
}

// breaking breaks a source off after some rows, and later after a bundle began.
type breaking struct {
	Source
	frames, parts int
}

var errBroken = errors.New("the line is dead")

func (b *breaking) Give(ctx context.Context, ask Ask, to Sink) error {
	return b.Source.Give(ctx, ask, &breakingSink{to, b})
}

type breakingSink struct {
	Sink
	*breaking
}

func (s *breakingSink) Rows(f store.Frame) error {
	if s.frames--; s.frames < 0 {
		return errBroken
	}
	return s.Sink.Rows(f)
}

func (s *breakingSink) Bundle(name string, part []byte) error {
	if s.parts--; s.parts < 0 {
		return errBroken
	}
	return s.Sink.Bundle(name, part)
}

func TestABackupThatBreaksOffGoesOn(t *testing.T) {
	f := start(t)
	for i := range 10 {
		f.buy(fmt.Sprint("user", i), 500)
	}
	f.model("one")
	for round, frames := range []int{1, 2, 3, 1 << 20} {
		_, err := Take(t.Context(), f.dir, &breaking{f.local, frames, 0}, TakeOptions{})
		if !errors.Is(err, errBroken) {
			t.Fatalf("round %d: %v", round, err)
		}
		f.append(record.Mutation{Erase: &record.Erase{User: fmt.Sprint("user", round)}})
		if err := f.store.Compact(); err != nil {
			t.Fatal(err)
		}
		f.buy("zoe", 10)
	}
	before := int64(0)
	m := f.take(f.local, TakeOptions{Progress: func(rows, _ int64) { before += rows }})
	if len(m.Files) != 5 || before > m.Rows/4 {
		t.Errorf("the last call brought %d of %d rows, %d files", before, m.Rows, len(m.Files))
	}
	if m.Number != 1 || !m.Full || len(m.Bundles) != 1 {
		t.Errorf("manifest %+v", m)
	}
	_, s := f.restored(RestoreOptions{})
	same(t, told(t, s, true), told(t, f.store, true))
}

func TestAKilledBackupGoesOnFromItsLastNote(t *testing.T) {
	f := start(t)
	f.buy("ann", 2000)
	if _, err := Take(t.Context(), f.dir, &breaking{f.local, 1, 0}, TakeOptions{}); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	// What a kill leaves: bytes after the note.
	path := filepath.Join(f.dir, unfinished, "rows-0001.kv")
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("half a frame"); err != nil {
		t.Fatal(err)
	}
	file.Close()
	if m := f.take(f.local, TakeOptions{}); len(m.Files) != 2 {
		t.Errorf("%d files", len(m.Files))
	}
	_, s := f.restored(RestoreOptions{})
	same(t, told(t, s, true), told(t, f.store, true))
}

func TestARestoreToAMomentBetweenBackups(t *testing.T) {
	f := start(t)
	f.append(record.Mutation{Item: &record.Item{ID: "item1", Title: "old"}})
	f.buy("ann", 3)
	f.take(f.local, TakeOptions{})
	f.append(record.Mutation{Item: &record.Item{ID: "item3", Title: "between"}},
		record.Mutation{Profile: &record.Profile{User: "dan", Attributes: map[string]record.Value{"a": {Kind: record.KindNumber, Numbers: []float64{1}}}}},
		record.Mutation{Promote: &record.Promotion{Bundle: strings.Repeat("1", 64)}},
		record.Mutation{Merge: &record.Merge{Session: "anns", User: "ann"}})
	token := f.buy("dan", 3)
	f.decide("dan", 9)
	want := told(t, f.store, false)
	until := time.Now()
	time.Sleep(2 * time.Millisecond)
	f.append(record.Mutation{Item: &record.Item{ID: "item1", Title: "overwritten"}}, record.Mutation{Item: &record.Item{ID: "item4", Title: "late"}})
	f.buy("late", 3)
	f.take(f.local, TakeOptions{})
	for name, o := range map[string]RestoreOptions{"time": {Until: until}, "token": {Token: token, Tenant: 1}} {
		report, s := f.restored(o)
		got := told(t, s, false)
		if name == "token" { // it is of a place in the log, the decision came after it
			got = append(got, want[len(want)-1])
		}
		same(t, got, want)
		if report.Backup != 1 || report.Replayed.Entries != 7 || report.Replayed.Later != 5 || report.Replayed.Refused != 0 {
			t.Errorf("%s: %+v", name, report)
		}
		tenant, _ := s.Tenant("shop")
		if _, known := tenant.UserNumber("late", ""); known {
			t.Errorf("%s: who came later is known", name)
		}
	}
	// At the moment of a backup nothing is replayed.
	list, err := Read(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	if report, _ := f.restored(RestoreOptions{Until: list[0].Time}); report.Backup != 1 || report.Replayed != (store.Replayed{}) {
		t.Errorf("at the first backup %+v", report)
	}
	for name, o := range map[string]RestoreOptions{
		"the first backup is of": {Until: until.Add(-time.Hour)}, "the last backup is of": {Until: time.Now().Add(time.Hour)},
		"of another store": {Token: record.Token{Epoch: 2, Seq: 3}, Tenant: 1},
	} {
		o.From, o.Data, o.Store = f.dir, filepath.Join(t.TempDir(), "new"), options()
		if _, err := Restore(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnEraseOutlivesBackups(t *testing.T) {
	f := start(t)
	f.buy("ann", 3)
	f.buy("bob", 3)
	f.buy("cid", 3)
	first := f.take(f.local, TakeOptions{})
	f.buy("dan", 3)
	until := time.Now()
	f.append(record.Mutation{Erase: &record.Erase{User: "ann"}})
	f.take(f.local, TakeOptions{})
	f.append(record.Mutation{Erase: &record.Erase{User: "bob"}}, record.Mutation{Erase: &record.Erase{User: "dan"}})
	f.buy("bob", 1) // came back
	f.take(f.local, TakeOptions{})
	f.append(record.Mutation{Erase: &record.Erase{User: "cid"}}) // after the last backup: the list of the live store has it
	var ledger []store.Erased
	if err := f.store.EachErased(func(e store.Erased) { ledger = append(ledger, e) }); err != nil || len(ledger) != 4 {
		t.Fatalf("ledger %v, %v", ledger, err)
	}
	for name, c := range map[string]struct {
		o    RestoreOptions
		gone int
	}{
		"at the first backup": {RestoreOptions{Until: first.Time, Erased: ledger}, 3},
		"between":             {RestoreOptions{Until: until, Erased: ledger}, 3},
		"at the last":         {RestoreOptions{Erased: ledger}, 1},
	} {
		report, s := f.restored(c.o)
		tenant, _ := s.Tenant("shop")
		known := 0
		for _, user := range []string{"ann", "bob", "cid", "dan"} {
			if _, has := tenant.UserNumber(user, ""); has {
				known++
				if user != "bob" || name != "at the last" {
					t.Errorf("%s: %s came back", name, user)
				}
			}
		}
		if report.Erased != c.gone || (name == "at the last") != (known == 1) {
			t.Errorf("%s: %d erased again, %d are known: %+v", name, report.Erased, known, report)
		}
	}
}

func TestADamagedBackupIsNamedBeforeAnythingIsWritten(t *testing.T) {
	f := start(t)
	f.buy("ann", 30)
	f.model("one")
	m := f.take(f.local, TakeOptions{})
	f.buy("ann", 3)
	f.act("policy put")
	f.take(f.local, TakeOptions{})
	for _, name := range []string{
		"0001/rows-0001.kv", "0002/rows-0001.kv", "bundles/" + m.Bundles[0].File.Name, "0001/manifest.json", "0002/manifest.json", "0002/audit/shop.jsonl",
	} {
		path := filepath.Join(f.dir, name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for what, bad := range map[string][]byte{"flipped": slices.Clone(good), "cut": good[:len(good)-2], "gone": nil} {
			if what == "flipped" {
				bad[len(bad)/2] ^= 4
			}
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if bad == nil {
				os.Remove(path)
			}
			data := filepath.Join(t.TempDir(), "new")
			_, err := Restore(t.Context(), RestoreOptions{From: f.dir, Data: data, Store: options()})
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), filepath.FromSlash(filepath.Dir(name))) {
				t.Errorf("%s %s: %v", name, what, err)
			}
			if left, _ := filepath.Glob(data + "*"); len(left) != 0 {
				t.Errorf("%s %s: it left %v", name, what, left)
			}
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Restore(t.Context(), RestoreOptions{From: f.dir, Data: f.dir, Store: options()}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("restored over something: %v", err)
	}
}
