package store

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// damage overwrites a row.
func damage(t *testing.T, s *Store, key, value []byte) {
	t.Helper()
	if err := s.await(&request{control: func(w *writer) error { return w.put(row{key: key, value: value}) }}); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedCheckpointFallsBack(t *testing.T) {
	s, tenant := openTest(t, t.TempDir(), testOptions())
	for seq := range uint64(2) {
		if err := tenant.PutCheckpoint("counts", seq+1, func(w io.Writer) error {
			_, err := fmt.Fprint(w, "state ", seq+1)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	read := func() (at uint64, err error) {
		return at, tenant.Checkpoint("counts", func(seq uint64, r io.Reader) error {
			b, err := io.ReadAll(r)
			if at = seq; string(b) != fmt.Sprint("state ", seq) {
				t.Errorf("state %q at %d", b, seq)
			}
			return err
		})
	}
	var m storepb.Checkpoints
	if err := s.view(func(txn *badger.Txn) error {
		_, err := fetch(reader{txn}, textKey(tenant.number, kindCheckpoint, "counts"), &m)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	bad, err := encode(valueOther, &storepb.Chunk{Content: []byte("state 3"), Checksum: 1})
	if err != nil {
		t.Fatal(err)
	}
	damage(t, s, chunkKey(tenant.number, m.Good[0].Generation, 0), bad)
	if at, err := read(); at != 1 || err != nil {
		t.Errorf("read the state at %d, %v", at, err)
	}
	damage(t, s, chunkKey(tenant.number, m.Good[1].Generation, 0), []byte("x"))
	if _, err := read(); !errors.Is(err, record.ErrCorrupt) {
		t.Errorf("two damaged checkpoints: %v", err)
	}
}

func TestADamagedPromotionIsNamed(t *testing.T) {
	s, tenant := openTest(t, t.TempDir(), testOptions())
	one, two := strings.Repeat("1", 64), strings.Repeat("2", 64)
	out := mustAppend(t, tenant, record.Mutation{Promote: &record.Promotion{Bundle: one}},
		record.Mutation{Promote: &record.Promotion{Bundle: two, Previous: one}})
	loop, err := encode(valuePromotion, &storepb.Promotion{Bundle: one, PreviousSeq: out[1].Seq})
	if err != nil {
		t.Fatal(err)
	}
	for what, value := range map[string][]byte{"garbage": {format, valuePromotion, 0xff}, "a chain without an end": loop} {
		damage(t, s, numberKey(tenant.number, kindLog, out[0].Seq), value)
		if list, err := tenant.Promotions(9); !errors.Is(err, record.ErrCorrupt) || len(list) != 1 || list[0].Bundle != two {
			t.Errorf("%s: %v, %v", what, list, err)
		}
	}
}

func TestDamagedRowsAreNamedAndLeftOut(t *testing.T) {
	s, tenant := openTest(t, t.TempDir(), testOptions())
	out := mustAppend(t, tenant, view("a", "ann", "i1"), view("b", "ann", "i1"), view("c", "ann", "i1"))
	damage(t, s, numberKey(tenant.number, kindLog, out[1].Seq), []byte{format, valueEvent, 0xff})
	var got []string
	take := func(e record.Entry) error {
		got = append(got, e.Event.ID)
		return nil
	}
	err := tenant.ScanLog(0, take)
	if !errors.Is(err, record.ErrCorrupt) || !strings.Contains(err.Error(), fmt.Sprint("entry ", out[1].Seq)) {
		t.Errorf("scan: %v", err)
	}
	if err := tenant.ScanLog(out[1].Seq, take); err != nil || strings.Join(got, "") != "ac" {
		t.Errorf("scan past the damage: %v, %v", got, err)
	}
	followed := make(chan string, 10)
	stop, err := tenant.Follow(0, func(entries []record.Entry) {
		for _, e := range entries {
			followed <- e.Event.ID
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, tenant, view("d", "ann", "i1"))
	if a, c, d := <-followed, <-followed, <-followed; a+c+d != "acd" {
		t.Errorf("followed %s %s %s", a, c, d)
	}
	stop()
	// A damaged directory row refuses its event and no other.
	damage(t, s, textKey(tenant.number, kindUser, "bob"), []byte{9})
	out = mustAppend(t, tenant, view("e", "bob", "i1"), view("f", "cid", "i1"))
	if !errors.Is(out[0].Err, record.ErrCorrupt) || out[1].Status != record.Added {
		t.Errorf("outcomes %+v", out)
	}
}

func TestOrphanChunksGoAtTheNextStart(t *testing.T) {
	dir := t.TempDir()
	s, tenant := openTest(t, dir, testOptions())
	if err := tenant.PutCheckpoint("counts", 1, func(w io.Writer) error { _, err := w.Write([]byte("x")); return err }); err != nil {
		t.Fatal(err)
	}
	damage(t, s, chunkKey(tenant.number, 77, 0), []byte("half a checkpoint"))
	damage(t, s, chunkKey(tenant.number, 77, 1), []byte("half a checkpoint"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, tenant = openTest(t, dir, testOptions())
	if err := s.view(func(txn *badger.Txn) error {
		rows, err := firstRows(txn, prefixKey(tenant.number, kindChunk), 10)
		if len(rows) != 1 {
			t.Errorf("%d chunks are left", len(rows))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
