package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/server/record"
)

// decisionsOf makes decisions at random moments, as replies that overlap put them.
func decisionsOf(r *rand.Rand, begin time.Time, n, users int, span time.Duration) []record.Decision {
	out := make([]record.Decision, n)
	for i := range out {
		at := begin.Add(time.Duration(r.Int64N(int64(span))))
		names := []string{"a", "b"}
		if i%3 == 0 {
			names = []string{"a"}
		}
		out[i] = record.Decision{
			ID: record.NewDecisionID(at, r.Uint64()), Time: at, UserNumber: uint64(r.IntN(users)), Surface: "home",
			Items: []record.Shown{{Item: uint32(i), Score: 1, Propensity: 1, Features: []float32{float32(i)}}}, FeatureNames: names,
		}
	}
	return out
}

func ids(t *testing.T, tenant *Tenant, from, until time.Time) []string {
	t.Helper()
	var out []string
	if err := tenant.ScanDecisions(from, until, func(d record.Decision) error {
		out = append(out, d.ID)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// batches counts the rows that decisions take.
func batches(t *testing.T, tenant *Tenant) int {
	t.Helper()
	n := 0
	if err := tenant.store.view(func(txn *badger.Txn) error {
		return scan(txn, prefixKey(tenant.number, kindDecision), nil, func(_, _ []byte) error { n++; return nil })
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBatchesOfDecisionsReadAsOneLog puts overlapping batches and reads each decision
// by its id and all in the order of their times.
func TestBatchesOfDecisionsReadAsOneLog(t *testing.T) {
	_, tenant := openTest(t, t.TempDir(), testOptions())
	r := rand.New(rand.NewPCG(3, 4))
	begin := time.Now().Add(-time.Hour)
	var all []record.Decision
	for round := range 10 {
		put := decisionsOf(r, begin.Add(time.Duration(round)*50*time.Millisecond), 600, 5, 400*time.Millisecond)
		if err := tenant.PutDecisions(put); err != nil {
			t.Fatal(err)
		}
		all = append(all, put...)
	}
	if n := batches(t, tenant); n < 10*600/batchDecisions || n > 10*10 {
		t.Errorf("%d decisions take %d rows", len(all), n)
	}
	slices.SortFunc(all, func(a, b record.Decision) int { return byTime(&a, &b) })
	want := make([]string, len(all))
	for i := range all {
		want[i] = all[i].ID
	}
	if got := ids(t, tenant, time.Time{}, time.Time{}); !slices.Equal(got, want) {
		t.Errorf("%d decisions are read in another order", len(got))
	}
	from, until := all[1000].Time, all[3000].Time
	if got := ids(t, tenant, from, until); !slices.Equal(got, want[1000:3000]) {
		t.Errorf("a window holds %d decisions, not %d", len(got), 2000)
	}
	for _, d := range all[:200] {
		got, err := tenant.Decision(d.ID)
		if err != nil || got.Items[0].Item != d.Items[0].Item || !slices.Equal(got.FeatureNames, d.FeatureNames) || got.UserNumber != d.UserNumber {
			t.Fatalf("decision %+v came back as %+v, %v", d, got, err)
		}
	}
}

// TestEraseTakesOnePersonsDecisionsOutOfBatches leaves those of all others, over many
// batches and windows, and those of the same person that come later.
func TestEraseTakesOnePersonsDecisionsOutOfBatches(t *testing.T) {
	_, tenant := openTest(t, t.TempDir(), testOptions())
	mustAppend(t, tenant, view("e", "ann", "i1"))
	ann, _ := tenant.UserNumber("ann", "")
	r := rand.New(rand.NewPCG(5, 6))
	begin := time.Now().Add(-time.Hour)
	var all []record.Decision
	for range 40 {
		put := decisionsOf(r, begin, 100, 3, 3*ownedWindow)
		for i := range put {
			if put[i].UserNumber == 2 {
				put[i].UserNumber = ann
			}
		}
		if err := tenant.PutDecisions(put); err != nil {
			t.Fatal(err)
		}
		all = append(all, put...)
	}
	owned := 0
	for part, err := range tenant.Export("ann") {
		if err != nil {
			t.Fatal(err)
		}
		if part.Decision != nil {
			owned++
		}
	}
	others := slices.DeleteFunc(slices.Clone(all), func(d record.Decision) bool { return d.UserNumber == ann })
	if owned != len(all)-len(others) || owned < 1000 {
		t.Fatalf("%d decisions are exported of %d", owned, len(all)-len(others))
	}
	out, _, err := tenant.Append(context.Background(), []record.Mutation{{Erase: &record.Erase{User: "ann"}}})
	if err != nil || out[0].Receipt == nil || out[0].Receipt.Decisions != int64(owned) {
		t.Fatalf("the receipt of the erase: %+v, %v", out, err)
	}
	slices.SortFunc(others, func(a, b record.Decision) int { return byTime(&a, &b) })
	left := make([]string, len(others))
	for i := range others {
		left[i] = others[i].ID
	}
	if got := ids(t, tenant, time.Time{}, time.Time{}); !slices.Equal(got, left) {
		t.Errorf("%d decisions are left, not %d", len(got), len(left))
	}
	// One that was under way comes too late, and can still be removed.
	tenant.owners.mu.Lock()
	for n := range tenant.owners.written {
		if n.user == ann {
			t.Error("a note of an erased person is taken to be on disk")
		}
	}
	tenant.owners.mu.Unlock()
}

// TestADecisionThatRepeatsAnotherReadsAsIt: by its id, in a scan that begins after the other, and
// in an export of its person. It goes when the other goes.
func TestADecisionThatRepeatsAnotherReadsAsIt(t *testing.T) {
	_, tenant := openTest(t, t.TempDir(), testOptions())
	mustAppend(t, tenant, view("e", "ann", "i1"))
	ann, _ := tenant.UserNumber("ann", "")
	r := rand.New(rand.NewPCG(11, 12))
	begin := time.Now().Add(-time.Hour)
	firsts := decisionsOf(r, begin, 2000, 3, 5*time.Second)
	var repeating []record.Decision
	showed := make(map[string]record.Decision)
	for i := range firsts {
		first := &firsts[i]
		first.UserNumber += ann // ann's and others'
		first.Losers = []record.Shown{{Item: 7, Score: .5, Propensity: 1, Features: []float32{0, 3}}}
		at := first.Time.Add(time.Duration(r.Int64N(int64(5 * time.Second))))
		again := record.Decision{ID: record.NewDecisionID(at, r.Uint64()), Time: at, UserNumber: first.UserNumber, Surface: "cart", Again: first.ID}
		repeating, showed[again.ID] = append(repeating, again), *first
	}
	if err := errors.Join(tenant.PutDecisions(firsts), tenant.PutDecisions(repeating)); err != nil {
		t.Fatal(err)
	}
	checked := 0
	check := func(d record.Decision) error {
		first, repeats := showed[d.ID]
		if !repeats {
			return nil
		}
		checked++
		if d.Again != "" || d.Surface != "cart" || !cmp.Equal(d.Items, first.Items) || !cmp.Equal(d.Losers, first.Losers) || !slices.Equal(d.FeatureNames, first.FeatureNames) {
			t.Fatalf("%+v repeats %+v", d, first)
		}
		return nil
	}
	for _, d := range repeating[:100] {
		got, err := tenant.Decision(d.ID)
		if err != nil {
			t.Fatal(err)
		}
		check(got)
	}
	if err := tenant.ScanDecisions(time.Time{}, time.Time{}, check); err != nil || checked != 100+len(repeating) {
		t.Errorf("%d were read, not %d: %v", checked, 100+len(repeating), err)
	}
	checked = 0
	if err := tenant.ScanDecisions(begin.Add(5*time.Second), time.Time{}, check); err != nil || checked < 500 {
		t.Errorf("%d were read after the others: %v", checked, err)
	}
	checked = 0
	for part, err := range tenant.Export("ann") {
		if err != nil {
			t.Fatal(err)
		}
		if part.Decision != nil {
			check(*part.Decision)
		}
	}
	if checked < 500 {
		t.Errorf("%d are exported", checked)
	}
	for _, wrong := range []record.Decision{
		{Again: "r1"}, {Again: record.NewDecisionID(begin.Add(time.Second), 1)}, {Again: firsts[0].ID, Items: firsts[0].Items},
	} {
		wrong.Time, wrong.ID = begin, record.NewDecisionID(begin, 1)
		if wrong.Items != nil {
			wrong.Time = begin.Add(time.Minute)
			wrong.ID = record.NewDecisionID(wrong.Time, 1)
		}
		if err := tenant.PutDecisions([]record.Decision{wrong}); !errors.Is(err, record.ErrInvalid) {
			t.Errorf("put as %q again: %v", wrong.Again, err)
		}
	}
	lost := record.Decision{ID: record.NewDecisionID(begin, 5), Time: begin, Again: record.NewDecisionID(begin.Add(-time.Second), 9)}
	if err := tenant.PutDecisions([]record.Decision{lost}); err != nil {
		t.Fatal(err)
	}
	if d, err := tenant.Decision(lost.ID); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("what it repeats is gone, and it reads %+v, %v", d, err)
	}
	if slices.Contains(ids(t, tenant, time.Time{}, time.Time{}), lost.ID) {
		t.Error("what it repeats is gone, and a scan has it")
	}
}

// TestWhatIsRepeatedIsForgottenAndFoundAgain reads more than repeats keeps.
func TestWhatIsRepeatedIsForgottenAndFoundAgain(t *testing.T) {
	_, tenant := openTest(t, t.TempDir(), testOptions())
	begin := time.Now().Add(-time.Hour)
	put := decisionsOf(rand.New(rand.NewPCG(13, 14)), begin, 120, 3, time.Second)
	for i := range put {
		put[i].Context = []string{strings.Repeat("x", 300_000)} // 36 MB
	}
	at := begin.Add(2 * time.Second)
	last := record.Decision{ID: record.NewDecisionID(at, 1), Time: at, Again: put[0].ID}
	if err := errors.Join(tenant.PutDecisions(put), tenant.PutDecisions([]record.Decision{last})); err != nil {
		t.Fatal(err)
	}
	kept := 0
	if err := tenant.store.view(func(txn *badger.Txn) error {
		again := repeats{t: tenant, txn: txn}
		return tenant.scanBatches(txn, time.Time{}, time.Time{}, func(b decisionBatch) error {
			again.keep(b)
			kept = max(kept, again.bytes)
			return nil
		})
	}); err != nil || kept > repeatsKept+2*300_000 || kept < repeatsKept/2 {
		t.Errorf("%d bytes were kept at most: %v", kept, err)
	}
	found := false
	if err := tenant.ScanDecisions(time.Time{}, time.Time{}, func(d record.Decision) error {
		found = found || d.ID == last.ID && cmp.Equal(d.Items, put[0].Items)
		return nil
	}); err != nil || !found {
		t.Errorf("it is found: %v, %v", found, err)
	}
}

// TestBoundsOfDecisionsHold: a batch that is cut by bounds must not grow past MaxValue.
func TestBoundsOfDecisionsHold(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 1))
	long := func() string { return strings.Repeat("x", r.IntN(2000)) }
	for i, d := range decisionsOf(r, time.Now(), 500, 50, time.Millisecond) {
		d.Surface, d.Policy, d.Generation, d.Tier, d.Filter, d.First, d.Again = long(), long(), long(), long(), long(), long(), long()
		d.Assignment.Experiment, d.Assignment.Variant = long(), long()
		d.Context, d.FeatureNames = []string{long(), "", long()}, []string{long(), "b"}
		d.Seed, d.Profile, d.Applied = math.MaxUint64, record.Token{Epoch: math.MaxUint64, Seq: math.MaxUint64}, math.MaxUint64
		d.Clock, d.Candidates, d.Limit, d.Ranked, d.Offset, d.AsOf = d.Time.Add(1), -1, -1, -1, -1, true
		for range r.IntN(2) * r.IntN(40) {
			d.Exclude = append(d.Exclude, math.MaxUint32)
			d.Losers = append(d.Losers, record.Shown{Item: math.MaxUint32, Slot: 3, Features: make([]float32, r.IntN(90))})
			for f := range d.Losers[len(d.Losers)-1].Features {
				d.Losers[len(d.Losers)-1].Features[f] = 1
			}
		}
		w := batchWriter{limit: 1 << 20}
		bound := w.bound(&d)
		w.add(&d)
		if v, err := w.finish(); err != nil || len(v) > headerLen+bound {
			t.Fatalf("decision %d takes %d bytes, its bound is %d: %v", i, len(v)-headerLen, bound, err)
		}
	}
}

// TestLargeDecisionsMakeSmallBatches bounds the rows by MaxValue.
func TestLargeDecisionsMakeSmallBatches(t *testing.T) {
	o := testOptions()
	o.MaxValue = 4096
	_, tenant := openTest(t, t.TempDir(), o)
	begin := time.Now()
	put := decisionsOf(rand.New(rand.NewPCG(7, 8)), begin, 40, 1, time.Millisecond)
	for i := range put {
		put[i].Context = []string{strings.Repeat("x", 900)}
	}
	if err := tenant.PutDecisions(put); err != nil {
		t.Fatal(err)
	}
	if n := batches(t, tenant); n != 10 {
		t.Errorf("40 decisions of about 950 bytes take %d rows of at most 4096", n)
	}
	put[0].Context = []string{strings.Repeat("x", 5000)}
	if err := tenant.PutDecisions(put); !errors.Is(err, record.ErrLimit) || !strings.Contains(fmt.Sprint(err), "4096") {
		t.Errorf("one that fits no row: %v", err)
	}
}

func BenchmarkPutDecisions(b *testing.B) {
	for _, n := range []int{1, 32, 256} {
		b.Run(fmt.Sprint("batch=", n), func(b *testing.B) {
			_, tenant := openTest(b, b.TempDir(), DefaultOptions())
			r := rand.New(rand.NewPCG(1, 2))
			put := decisionsOf(r, time.Now(), n, 5000, time.Millisecond)
			names := make([]string, 28)
			for f := range names {
				names[f] = fmt.Sprint("a feature's name ", f)
			}
			for i := range put {
				put[i].FeatureNames = names
				for k := range 12 {
					features := make([]float32, 28)
					for f := 0; f < 28; f += 2 {
						features[f] = r.Float32()
					}
					put[i].Items = append(put[i].Items, record.Shown{Item: uint32(k * 300), Score: r.Float32(), Propensity: 1, Features: features})
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				for i := range put {
					put[i].Time = time.Now()
					put[i].ID = record.NewDecisionID(put[i].Time, r.Uint64())
				}
				if err := tenant.PutDecisions(put); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/decision")
		})
	}
}
