package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// onlyFile is the one file of a pattern that has content.
func onlyFile(t *testing.T, dir, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %v, %v", pattern, names, err)
	}
	return names[len(names)-1]
}

// invert inverts 16 bytes in place, at a share of what is written of a file.
func invert(t *testing.T, path string, share float64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	end := len(bytes.TrimRight(b, "\x00"))
	at := max(0, min(int(share*float64(end)), end-16))
	for i := at; i < min(at+16, end); i++ {
		b[i] ^= 0xff
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(b[at:min(at+16, end)], int64(at)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// smallLogs keep copies of directories small: a log is made as large as it may become.
func smallLogs() Options {
	o := testOptions()
	o.MemTable = 8 << 20
	return o
}

// logged is how many events the store of killed has.
const logged = 60

// killed returns a directory as kill -9 leaves it, with events in the log of a memtable; with
// tables, too, where it was stopped in order before.
func killed(t *testing.T, tables bool, edits ...func(*Options)) string {
	t.Helper()
	live, dir := t.TempDir(), filepath.Join(t.TempDir(), "killed")
	o := smallLogs()
	for _, edit := range edits {
		edit(&o)
	}
	o.Sync = true
	s, tenant := openTest(t, live, o)
	for n := range logged {
		if tables && n == logged/2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s, tenant = openTest(t, live, o)
		}
		mustAppend(t, tenant, view(fmt.Sprint("e", n), fmt.Sprint("u", n%7), "pen"))
	}
	if err := os.CopyFS(dir, os.DirFS(live)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func events(t *testing.T, tenant *Tenant) int {
	t.Helper()
	n := 0
	if err := tenant.ScanLog(0, func(e record.Entry) error {
		if e.Event != nil {
			n++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// notOpened expects that a directory is not opened, by a damage of a file, and is left as it is.
func notOpened(t *testing.T, dir, file string) *DamageError {
	t.Helper()
	before := sizes(t, dir)
	s, err := Open(dir, smallLogs())
	if err == nil {
		t.Errorf("%s: opened, as if it were whole", file)
		_ = s.Close()
		return &DamageError{}
	}
	var damage *DamageError
	if !errors.As(err, &damage) || !errors.Is(err, record.ErrCorrupt) {
		t.Fatalf("%s: %v", file, err)
	}
	if !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "restore") {
		t.Errorf("%s or the way out is not named: %v", file, err)
	}
	if after := sizes(t, dir); before != after {
		t.Errorf("%s: the refusal changed files: %s, before %s", file, after, before)
	}
	return damage
}

// sizes lists the logs and tables of a directory with their sizes.
func sizes(t *testing.T, dir string) string {
	t.Helper()
	var text strings.Builder
	for _, pattern := range []string{"*.mem", "*.sst"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(&text, filepath.Base(name), " ", info.Size(), "; ")
		}
	}
	return text.String()
}

func TestAKilledStoreOpensWithoutAWord(t *testing.T) {
	_, tenant := openTest(t, killed(t, true), smallLogs())
	if n := events(t, tenant); n != logged {
		t.Errorf("%d events of %d", n, logged)
	}
}

// TestADamagedLogIsRefusedAndMended flips bytes at places of the log of a memtable. Each
// damages one or two rows, of which an event has three.
func TestADamagedLogIsRefusedAndMended(t *testing.T) {
	for _, share := range []float64{0, 0.01, 0.3, 0.5, 0.7, 0.9, 1} {
		dir := killed(t, true)
		name := onlyFile(t, dir, "*.mem")
		invert(t, name, share)
		if d := notOpened(t, dir, filepath.Base(name)); len(d.Damage) != 1 || !d.Damage[0].Mendable {
			t.Errorf("at %v: %+v", share, d.Damage)
		}
		o := smallLogs()
		o.Repair = true
		s, tenant := openTest(t, dir, o)
		if n := events(t, tenant); n < logged-1 {
			t.Errorf("at %v: %d events of %d are left", share, n, logged)
		}
		if v := verified(t, s); !v.Whole() {
			t.Errorf("at %v: what is left does not fit together: %v", share, v.Faults)
		}
		if copied := onlyFile(t, dir, "damaged/*/"+filepath.Base(name)); copied == "" {
			t.Error("no copy was kept")
		}
		before := tenant.Head().Seq
		out := mustAppend(t, tenant, view("new", "u1", "pen"))
		if out[0].Seq <= before {
			t.Errorf("at %v: a new event has place %d, after %d", share, out[0].Seq, before)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		openTest(t, dir, smallLogs()) // and is whole for all that come
	}
}

// TestRowsAreMendedByEachOther takes any one row of an event, of the directories and of
// the catalog out of a store.
func TestRowsAreMendedByEachOther(t *testing.T) {
	dir := t.TempDir()
	s, tenant := openTest(t, dir, smallLogs())
	populate(t, s, tenant)
	all := mustAppend(t, tenant, view("one", "ann", "pen"), view("two", "ann", "pen"), view("three", "bob", "cap"))
	lost := func(kind byte) []byte { return aRow(t, s, tenant.number, kind).key }
	keys := map[string][]byte{
		"log": numberKey(tenant.number, kindLog, all[0].Seq), "history": pairKey(tenant.number, kindHistory, mustNumber(t, tenant, "ann"), ^all[1].Seq),
		"duplicate": lost(kindDuplicate), "user": textKey(tenant.number, kindUser, "bob"), "name": numberKey(tenant.number, kindName, mustNumber(t, tenant, "ann")),
		"item": lost(kindItem), "item id": lost(kindItemID), "profile": lost(kindProfile), "head": prefixKey(tenant.number, kindHead),
	}
	before := events(t, tenant)
	for name, key := range keys {
		drop(t, s, key)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		o := smallLogs()
		o.Repair = true
		s, tenant = openTest(t, dir, o)
		if v := verified(t, s); !v.Whole() {
			t.Errorf("without the %s: %v", name, v.Faults)
		}
		if n := events(t, tenant); n != before {
			t.Errorf("without the %s: %d events of %d", name, n, before)
		}
	}
}

// TestAMendedEventIsKnownWhenItIsSentAgain loses what its id was used for.
func TestAMendedEventIsKnownWhenItIsSentAgain(t *testing.T) {
	dir := t.TempDir()
	s, tenant := openTest(t, dir, smallLogs())
	e := record.Event{ID: "one", User: "ann", Session: "s1", Item: "pen", Type: record.TypeRating, Time: time.Now(), HasValue: true, Value: 4,
		Text: "good", Context: map[string]string{"a": "b"}}
	first := mustAppend(t, tenant, record.Mutation{Event: &e})
	drop(t, s, aRow(t, s, tenant.number, kindDuplicate).key)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o := smallLogs()
	o.Repair = true
	_, tenant = openTest(t, dir, o)
	again := e
	if out := mustAppend(t, tenant, record.Mutation{Event: &again}); out[0].Status != record.Unchanged || out[0].Seq != first[0].Seq {
		t.Errorf("sent again: %+v", out[0])
	}
}

func TestALogThatIsCutOrGoneIsRefused(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"cut":  func(path string) error { return os.Truncate(path, 3000) },
		"gone": os.Remove,
	} {
		dir := killed(t, true)
		if err := harm(onlyFile(t, dir, "*.mem")); err != nil {
			t.Fatal(err)
		}
		if d := notOpened(t, dir, ".mem"); len(d.Damage) != 1 || !strings.Contains(d.Damage[0].What, "acknowledged") {
			t.Errorf("%s: %+v", name, d.Damage)
		}
		o := smallLogs()
		o.Repair = true
		if _, tenant := openTest(t, dir, o); events(t, tenant) < logged/2 {
			t.Errorf("%s: the events of the table are gone, too", name)
		}
	}
}

// TestAWriteThatACrashCutShortIsNoDamage cuts off the last transaction of a log, which
// was not acknowledged.
func TestAWriteThatACrashCutShortIsNoDamage(t *testing.T) {
	dir := killed(t, false)
	if err := os.Remove(filepath.Join(dir, syncedName)); err != nil { // of before the last transaction
		t.Fatal(err)
	}
	name := onlyFile(t, dir, "*.mem")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	end := len(bytes.TrimRight(b, "\x00"))
	clear(b[end-100 : end])
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, tenant := openTest(t, dir, smallLogs()); events(t, tenant) != logged-1 {
		t.Errorf("%d events", events(t, tenant))
	}
}

func unpacked(o *Options) { o.Uncompressed = true }

func TestADamagedTableOrManifestIsRefused(t *testing.T) {
	testDamagedTables(t, killed(t, true))
	testDamagedTables(t, killed(t, true, unpacked))
}

func testDamagedTables(t *testing.T, whole string) {
	t.Helper()
	table := filepath.Base(onlyFile(t, whole, "*.sst"))
	cut := func(path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Truncate(path, info.Size()*3/4)
	}
	flip := func(path string) error { invert(t, path, 0.5); return nil }
	for _, c := range []struct {
		file string
		harm func(string) error
	}{{table, cut}, {table, flip}, {table, os.Remove}, {"MANIFEST", cut}, {"MANIFEST", flip}, {"MANIFEST", os.Remove}} {
		dir := filepath.Join(t.TempDir(), "store")
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		if err := c.harm(filepath.Join(dir, c.file)); err != nil {
			t.Fatal(err)
		}
		if d := notOpened(t, dir, c.file); len(d.Damage) > 0 && d.Damage[0].Mendable {
			t.Errorf("%s can be mended: %v", c.file, d)
		}
	}
}

func TestTablesOfBothKindsAreOneStore(t *testing.T) {
	dir, want, size := t.TempDir(), 0, map[bool]int64{}
	for round := range 4 {
		o := smallLogs()
		o.Uncompressed = round%2 == 1
		s, tenant := openTest(t, dir, o)
		for n := range 300 {
			mustAppend(t, tenant, view(fmt.Sprint("e", round, "-", n), fmt.Sprint("u", n%7), "pen"))
			want++
		}
		if got := events(t, tenant); got != want {
			t.Errorf("round %d: %d events of %d", round, got, want)
		}
		if v, err := s.Verify(t.Context(), nil); err != nil || len(v.Faults) > 0 {
			t.Errorf("round %d: %v, %+v", round, err, v)
		}
		if err := s.Close(); err != nil { // merges all into one table
			t.Fatal(err)
		}
		if round < 2 {
			info, err := os.Stat(onlyFile(t, dir, "*.sst"))
			if err != nil {
				t.Fatal(err)
			}
			size[o.Uncompressed] = info.Size()
		}
	}
	t.Log(size)
	if size[true] < 3*size[false] { // of twice the rows
		t.Errorf("packed %d bytes, twice as much unpacked %d", size[false], size[true])
	}
}

func TestFilesWithoutDataAreMadeAnew(t *testing.T) {
	whole := killed(t, true)
	for _, pattern := range []string{"*.vlog", "KEYREGISTRY", "DISCARD"} {
		for _, content := range []string{"something else of more than twenty bytes", "", "short"} {
			dir := filepath.Join(t.TempDir(), "store")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			name := onlyFile(t, dir, pattern)
			if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			s, tenant := openTest(t, dir, smallLogs())
			if n := events(t, tenant); n != logged {
				t.Errorf("%s with %q: %d events", pattern, content, n)
			}
			if v := verified(t, s); !v.Whole() {
				t.Errorf("%s with %q: %v", pattern, content, v.Faults)
			}
			if content != "" {
				onlyFile(t, dir, "damaged/*/"+filepath.Base(name))
			}
		}
	}
}
