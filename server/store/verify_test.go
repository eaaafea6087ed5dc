package store

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

func verified(t *testing.T, s *Store) *Verification {
	t.Helper()
	v, err := s.Verify(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestWhatTheStoreWritesIsWhole makes changes of every kind, in any order, and finds
// nothing wrong after them, nor after a restore.
func TestWhatTheStoreWritesIsWhole(t *testing.T) {
	for seed := range uint64(4) {
		s, tenant := openTest(t, t.TempDir(), testOptions())
		r := rand.New(rand.NewPCG(seed, 2))
		for n := range 600 {
			churn(t, tenant, r, n)
		}
		populate(t, s, tenant)
		var out bytes.Buffer
		dumpTo(t, s, &out, Point{}, nil, -1)
		dir := t.TempDir()
		if err := Load(dir, testOptions(), true, &out); err != nil {
			t.Fatal(err)
		}
		restored, _ := openTest(t, dir, testOptions())
		for _, store := range []*Store{s, restored} {
			v := verified(t, store)
			if !v.Whole() || v.Schema != Schema {
				t.Errorf("seed %d: %+v", seed, v)
			}
		}
		kinds := map[string]int64{}
		for _, c := range verified(t, s).Counts {
			kinds[c.Kind] = c.Rows
		}
		for _, name := range tenantKindNames {
			if kinds[name] == 0 && name != "removal" {
				t.Errorf("no row of kind %s was checked", name)
			}
		}
	}
}

// populate adds what churn does not make.
func populate(t *testing.T, s *Store, tenant *Tenant) {
	t.Helper()
	mustAppend(t, tenant, view("last", "zoe", "pen"), record.Mutation{Item: &record.Item{ID: "cap", Title: "Cap"}},
		record.Mutation{Profile: &record.Profile{User: "zoe"}}, record.Mutation{Merge: &record.Merge{Session: "zs", User: "zoe"}},
		record.Mutation{Promote: &record.Promotion{Bundle: strings.Repeat("1", 64)}})
	now := time.Now()
	number, _ := tenant.UserNumber("zoe", "")
	if err := tenant.PutList(record.List{ID: record.NewDecisionID(now, 1), Time: now, UserNumber: number}); err != nil {
		t.Fatal(err)
	}
	if err := tenant.PutDecisions([]record.Decision{{ID: record.NewDecisionID(now, 2), Time: now, UserNumber: number}}); err != nil {
		t.Fatal(err)
	}
	if err := tenant.PutVectors(record.ModelHash{1}, []record.TextHash{{2}}, []float32{1, 2}); err != nil {
		t.Fatal(err)
	}
	if err := s.PutKey(t.Context(), record.Key{ID: "k"}); err != nil {
		t.Fatal(err)
	}
	// Of chance, so that it does not pack: a bit that is flipped in a run of equal bytes may
	// unpack to the same.
	noise, r := make([]byte, 300<<10), rand.NewChaCha8([32]byte{1})
	if _, err := r.Read(noise); err != nil {
		t.Fatal(err)
	}
	if err := tenant.PutCheckpoint("counts", 1, func(w io.Writer) error { _, err := w.Write(noise); return err }); err != nil {
		t.Fatal(err)
	}
}

// aRow returns the last row of a kind.
func aRow(t *testing.T, s *Store, tenant uint32, kind byte) row {
	t.Helper()
	var rows []row
	if err := s.view(func(txn *badger.Txn) (err error) {
		rows, err = firstRows(txn, prefixKey(tenant, kind), 1000)
		return err
	}); err != nil || len(rows) == 0 {
		t.Fatalf("no row of kind %c: %v", kind, err)
	}
	return rows[len(rows)-1]
}

func drop(t *testing.T, s *Store, key []byte) {
	t.Helper()
	if err := s.await(&request{control: func(w *writer) error { return w.remove(key) }}); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyNamesADamagedRowOfEachKind spoils the value of one row of each kind, then its
// header, and expects a fault of that kind.
func TestVerifyNamesADamagedRowOfEachKind(t *testing.T) {
	s, tenant := openTest(t, t.TempDir(), testOptions())
	populate(t, s, tenant)
	check := func(number uint32, kind byte) {
		r, name := aRow(t, s, number, kind), kindText(number, kind)
		for what, value := range map[string][]byte{"garbage": {format, valueOther, 0xff}, "another format": {9, valueOther}, "nothing": {}} {
			if what == "nothing" && kind == kindHistory {
				continue // the row of the log stands for it
			}
			damage(t, s, r.key, value)
			v := verified(t, s)
			if !slices.ContainsFunc(v.Faults, func(f Fault) bool { return f.Kind == name && f.Key == fmt.Sprintf("%x", r.key) }) {
				t.Errorf("%s with %s: faults %v", name, what, v.Faults)
			}
		}
		damage(t, s, r.key, r.value)
		if v := verified(t, s); !v.Whole() {
			t.Fatalf("%s after the repair: %v", name, v.Faults)
		}
	}
	for kind := range tenantKindNames {
		if kind != kindRemoval && kind != kindOwned { // notes without a value
			check(tenant.number, kind)
		}
	}
	for _, kind := range []byte{kindIdentity, kindTenant, kindAPIKey, kindSchema} {
		check(0, kind)
	}
}

// TestVerifyNamesWhatIsMissing removes one row of each kind and expects that a row that
// belongs to it is named.
func TestVerifyNamesWhatIsMissing(t *testing.T) {
	s, tenant := openTest(t, t.TempDir(), testOptions())
	populate(t, s, tenant)
	for kind, named := range map[byte]string{
		kindHead: "head", kindLog: "promoted", kindDuplicate: "log", kindHistory: "log", kindUser: "name", kindSession: "name", kindName: "user|session",
		kindMerged: "session", kindProfile: "log", kindItemID: "item", kindItem: "item_id",
		kindOwned: "list", kindList: "owned", kindChunk: "checkpoint", kindCheckpoint: "chunk",
	} {
		r := aRow(t, s, tenant.number, kind)
		drop(t, s, r.key)
		v := verified(t, s)
		if !slices.ContainsFunc(v.Faults, func(f Fault) bool { return strings.Contains(named, f.Kind) }) {
			t.Errorf("without a row of kind %s: %v", kindText(1, kind), v.Faults)
		}
		damage(t, s, r.key, r.value)
	}
	// The note of a person's decisions.
	prefix := aRow(t, s, tenant.number, kindOwned).key[:prefixLen+8]
	drop(t, s, windowKey(tenant.number, lastNumber(prefix), windowOf(time.Now())))
	drop(t, s, windowKey(tenant.number, lastNumber(prefix), windowOf(time.Now())-1))
	if v := verified(t, s); !slices.ContainsFunc(v.Faults, func(f Fault) bool { return f.Kind == "decisions" }) {
		t.Errorf("without a note: %v", v.Faults)
	}
}

func TestVerifyNamesWhatDoesNotFit(t *testing.T) {
	s, tenant := openTest(t, t.TempDir(), testOptions())
	populate(t, s, tenant)
	event := aRow(t, s, tenant.number, kindHistory)
	for name, c := range map[string]struct {
		key   []byte
		value []byte
		kind  string
	}{
		"a place after the head":    {numberKey(tenant.number, kindLog, 1<<40), event.value, "log"},
		"an event of nobody":        {pairKey(tenant.number, kindHistory, 77, 1), event.value, "history"},
		"an id of no event":         {append(prefixKey(tenant.number, kindDuplicate), make([]byte, 16)...), appendDuplicate(nil, 1<<30, 1), "duplicate"},
		"a number of no one":        {numberKey(tenant.number, kindProfile, 78), aRow(t, s, tenant.number, kindProfile).value, "profile"},
		"a tenant not registered":   {prefixKey(9, kindHead), aRow(t, s, tenant.number, kindHead).value, "head"},
		"an unknown kind":           {prefixKey(tenant.number, 'z'), nil, "unknown 'z'"},
		"a short key":               {append(prefixKey(tenant.number, kindLog), 1), nil, "log"},
		"a chunk of no checkpoint":  {chunkKey(tenant.number, 5, 0), aRow(t, s, tenant.number, kindChunk).value, "chunk"},
		"an unknown row of a store": {prefixKey(0, 'z'), nil, "unknown 'z'"},
	} {
		damage(t, s, c.key, c.value)
		if v := verified(t, s); !slices.ContainsFunc(v.Faults, func(f Fault) bool { return f.Kind == c.kind && f.Key == fmt.Sprintf("%x", c.key) }) {
			t.Errorf("%s: %v", name, v.Faults)
		}
		drop(t, s, c.key)
	}
	erase, err := encode(valueErase, &storepb.Erase{Number: mustNumber(t, tenant, "zoe")})
	if err != nil {
		t.Fatal(err)
	}
	promoted := aRow(t, s, tenant.number, kindLog)
	damage(t, s, promoted.key, erase)
	if v := verified(t, s); !slices.ContainsFunc(v.Faults, func(f Fault) bool { return strings.Contains(f.What, "of the erased number") }) {
		t.Errorf("an erase that left rows: %v", v.Faults)
	}
}

func mustNumber(t *testing.T, tenant *Tenant, user string) uint64 {
	t.Helper()
	n, known := tenant.UserNumber(user, "")
	if !known {
		t.Fatal(user, "is not known")
	}
	return n
}

// TestVerifyNamesADamagedTable flips a bit within the blocks of a table of an open store: a
// closed one is not opened then.
func TestVerifyNamesADamagedTable(t *testing.T) {
	dir := t.TempDir()
	s, tenant := openTest(t, dir, testOptions())
	populate(t, s, tenant)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = openTest(t, dir, testOptions())
	name := onlyFile(t, dir, "*.sst")
	invert(t, name, 0.25)
	if v := verified(t, s); len(v.Faults) == 0 || v.Faults[0].Kind != "table" || v.Faults[0].Key != filepath.Base(name) {
		t.Errorf("faults %v", v.Faults)
	}
	invert(t, name, 0.25)
}

// A table is cut to nothing and removed when it is merged away, also under a reader of ours.
func TestTablesAreVerifiedWhileTheyAreMerged(t *testing.T) {
	o := smallLogs()
	s, tenant := openTest(t, t.TempDir(), o)
	stop := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			var batch []record.Mutation
			for i := range 500 {
				batch = append(batch, view(fmt.Sprint("e", n, "-", i), fmt.Sprint("u", i), "pen"))
			}
			mustAppend(t, tenant, batch...)
			if err := s.Compact(); err != nil {
				t.Error(err)
			}
		}
	})
	read := 0
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		for _, info := range s.db.Tables() {
			read++
			if err := s.soundTable(info.ID); err != nil {
				t.Errorf("table %d: %v", info.ID, err)
			}
		}
	}
	close(stop)
	work.Wait()
	if read == 0 {
		t.Error("no table was read")
	}
	t.Logf("%d tables were read", read)
}
