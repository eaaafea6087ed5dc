package storetest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/server/record"
)

func testDecisions[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	shown := []record.Shown{{Item: 3, Score: 0.5, Propensity: 1, Features: []float32{1, 2}, Slot: record.SlotPinned}, {Item: 1, Score: -1}}
	f.now = f.now.Truncate(time.Microsecond)
	id := func(after time.Duration, n uint64) string { return record.NewDecisionID(f.now.Add(after), n) }
	d := record.Decision{
		ID: id(0, 1), Time: f.now, UserNumber: 7, Surface: "home", Context: []string{"i1"}, Policy: "p", Generation: "g",
		Seed: 1<<63 + 5, Tier: "personalized", Profile: record.Token{Epoch: 9, Seq: 8}, Candidates: 500,
		Items: shown, Losers: shown[1:], FeatureNames: []string{"a", "b"},
		Kind: record.DecisionPage, Assignment: record.Assignment{Experiment: "e", Variant: "v", Kind: record.AssignedListed},
		Filter: "in_stock", Limit: 20, Seen: record.SeenHideInteracted, Diversity: 0.25, Exclude: []uint32{9, 1 << 20},
		Clock: f.now.Add(-time.Hour), AsOf: true, Applied: 77, Degraded: 2, Offset: 30, First: "r0", Ranked: 500,
	}
	early := record.Decision{ID: id(-time.Hour, 2), Time: f.now.Add(-time.Hour)}
	late := record.Decision{ID: id(time.Hour, 3), Time: f.now.Add(time.Hour)}
	if err := f.tenant.PutDecisions([]record.Decision{late, d, early}); err != nil {
		t.Fatal(err)
	}
	got, err := f.tenant.Decision(d.ID)
	if diff := cmp.Diff(d, got); err != nil || diff != "" {
		t.Errorf("decision: %v\n%s", err, diff)
	}
	if _, err := f.tenant.Decision(id(0, 9)); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("an unknown decision: %v", err)
	}
	window := func(from, until time.Time) (ids []string) {
		t.Helper()
		if err := f.tenant.ScanDecisions(from, until, func(d record.Decision) error {
			ids = append(ids, d.ID)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	if ids := window(time.Time{}, time.Time{}); !slices.Equal(ids, []string{early.ID, d.ID, late.ID}) {
		t.Errorf("all decisions: %v", ids)
	}
	if ids := window(f.now, f.now.Add(time.Hour)); !slices.Equal(ids, []string{d.ID}) {
		t.Errorf("decisions of the hour: %v", ids)
	}
	l := record.List{ID: "r1", UserNumber: 7, Time: f.now, Items: shown, Tier: "popular", Why: "new", Generation: "g", Seed: 4,
		Surface: "home", Policy: "p/1", Assignment: record.Assignment{Experiment: "e", Variant: "v", Kind: record.AssignedByHash},
		Seen: record.SeenKeep, Diversity: 0.5, Profile: record.Token{Epoch: 1, Seq: 2}, Applied: 3, Clock: f.now.Add(time.Hour),
		Context: []string{"i1"}, FeatureNames: []string{"a", "b"},
	}
	if err := f.tenant.PutList(l); err != nil {
		t.Fatal(err)
	}
	list, err := f.tenant.List("r1")
	if diff := cmp.Diff(l, list); err != nil || diff != "" {
		t.Errorf("list: %v\n%s", err, diff)
	}
	if _, err := f.tenant.List("r2"); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("an unknown list: %v", err)
	}
	for _, err := range []error{
		f.tenant.PutDecisions([]record.Decision{{Time: f.now}}), f.tenant.PutDecisions([]record.Decision{{ID: "r1", Time: f.now}}),
		f.tenant.PutDecisions([]record.Decision{{ID: d.ID, Time: f.now.Add(time.Second)}}),
		f.tenant.PutList(record.List{Time: f.now}), f.tenant.PutList(record.List{ID: "x"}),
	} {
		if !errors.Is(err, record.ErrInvalid) {
			t.Errorf("without an id or a time: %v", err)
		}
	}
	if err := f.tenant.PutDecisions(nil); err != nil {
		t.Errorf("no decisions: %v", err)
	}
}

func testCheckpoint[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	read := func() (seq uint64, content []byte, err error) {
		err = f.tenant.Checkpoint("counts", func(s uint64, r io.Reader) error {
			seq = s
			content, err = io.ReadAll(r)
			return err
		})
		return seq, content, err
	}
	if _, _, err := read(); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("no checkpoint: %v", err)
	}
	large := make([]byte, 1<<20+12345)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range large {
		large[i] = byte(r.Uint32())
	}
	for seq, content := range [][]byte{large, nil, large[:100], large[:600_000]} {
		if err := f.tenant.PutCheckpoint("counts", uint64(seq), func(w io.Writer) error {
			_, err := w.Write(content)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if got, b, err := read(); err != nil || got != uint64(seq) || !bytes.Equal(b, content) {
			t.Errorf("checkpoint %d came back as %d with %d bytes of %d, %v", seq, got, len(b), len(content), err)
		}
	}
	broken := errors.New("broken")
	if err := f.tenant.PutCheckpoint("counts", 9, func(w io.Writer) error {
		_, err := w.Write(large)
		return errors.Join(err, broken)
	}); !errors.Is(err, broken) {
		t.Errorf("a failing writer: %v", err)
	}
	f.restart()
	if seq, b, err := read(); err != nil || seq != 3 || len(b) != 600_000 {
		t.Errorf("after a failed one and a restart: %d with %d bytes, %v", seq, len(b), err)
	}
	if err := f.tenant.Checkpoint("counts", func(uint64, io.Reader) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("a failing reader: %v", err)
	}
	if err := f.tenant.PutCheckpoint("", 1, func(io.Writer) error { return nil }); !errors.Is(err, record.ErrInvalid) {
		t.Errorf("a kind without a name: %v", err)
	}
}
