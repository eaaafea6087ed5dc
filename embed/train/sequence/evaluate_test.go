package sequence

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/team"
)

func TestRanksAreThoseOfCounting(t *testing.T) {
	for _, c := range []struct {
		what    string
		scores  []float32
		history []uint32
		hide    bool
		want    int
	}{
		{"the best", []float32{1, 5, 2}, []uint32{0}, false, 1},
		{"two are better", []float32{6, 5, 7}, []uint32{0}, false, 3},
		{"one is better, but was seen", []float32{6, 5, 2}, []uint32{0}, true, 1},
		{"equals rank before it", []float32{5, 5, 5}, []uint32{0}, false, 3},
		{"it was seen itself", []float32{6, 5, 2}, []uint32{1}, true, 2},
		{"no number ranks before it", []float32{float32(math.NaN()), 5, 2}, nil, false, 2},
		{"its own is no number", []float32{1, float32(math.NaN()), 2}, nil, false, 3},
	} {
		if got := (Case{History: Items(c.history...), Target: 1}).rank(c.scores, c.hide); got != c.want {
			t.Errorf("%s: rank %d, want %d", c.what, got, c.want)
		}
	}
}

func TestMetricsAreMeans(t *testing.T) {
	got := summarize([]int{1, 3, 7, 11})
	want := Metrics{HR5: 0.5, HR10: 0.75, NDCG10: (1 + 0.5 + 1.0/3) / 4, MRR: (1 + 1.0/3 + 1.0/7 + 1.0/11) / 4}
	for _, pair := range [][2]float64{{got.HR5, want.HR5}, {got.HR10, want.HR10}, {got.NDCG10, want.NDCG10}, {got.MRR, want.MRR}} {
		if math.Abs(pair[0]-pair[1]) > 1e-12 {
			t.Fatalf("%+v, want %+v", got, want)
		}
	}
}

func TestTowersAddTheirScores(t *testing.T) {
	const items = 300
	d := ring(items, 200, 8)
	o := smallOptions(items, 0)
	o.Epochs = 3
	a := train(t, d, o)
	o.Seed, o.Config.Dim, o.Config.Scale = 1, 16, 9
	b := train(t, d, o)
	ask := func(towers ...causal.Tower) Metrics {
		m, err := Evaluate(context.Background(), towers, nil, d.Valid, true, 2)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	one, other := causal.Tower{Config: a.Config, Weights: a.Weights}, causal.Tower{Config: b.Config, Weights: b.Weights}
	d.HideSeen = true
	if got := ask(one); got == ask(other) {
		t.Fatalf("both towers give %+v: the test tells nothing", got)
	}
	if got, want := ask(one, other), ask(other, one); math.Abs(got.MRR-want.MRR) > 1e-9 {
		t.Errorf("towers in another order: %+v, not %+v", got, want)
	}
	if got, want := ask(one, one), ask(one); got != want { // twice the scores
		t.Errorf("a tower beside itself: %+v, not %+v", got, want)
	}
	if _, err := Evaluate(context.Background(), nil, nil, d.Valid, true, 2); !errors.Is(err, causal.ErrConfig) {
		t.Errorf("no tower: error is %v", err)
	}
}

func TestManyCasesInSmallBatchesAreOneAfterTheOther(t *testing.T) {
	const items = 40
	d := ring(items, 200, 9)
	o := smallOptions(items, 0)
	o.Epochs = 2
	r := train(t, d, o)
	members := team.New(2)
	defer members.Close()
	var alone []int
	x := examiner{options: o, cases: d.Valid}
	for _, tokens := range []int{9, 30, 1 << 14} {
		x.options.BatchTokens = tokens
		n := newNetwork(o, members, r.Weights, nil, nil, nil)
		if _, err := x.examine(context.Background(), n); err != nil {
			t.Fatal(err)
		}
		if alone == nil {
			alone = append(alone, x.ranks...)
		}
		for i := range alone {
			if len(x.ranks) != len(d.Valid) || x.ranks[i] != alone[i] {
				t.Fatalf("with %d tokens at a time case %d ranks %d, alone %d", tokens, i, x.ranks[i], alone[i])
			}
		}
	}
}

func TestABatchHasEveryEventOnceAndWholeSequencesInItsParts(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	o := smallOptions(1000, 0)
	o.BatchTokens, o.Batch, o.Longest = 300, 40, 100
	d := Data{Sequences: func(yield func([]Event) bool) {
		for i := range 500 {
			s := Items(make([]uint32, 2+rng.IntN(80))...)
			for j := range s {
				s[j].Item = uint32(i)
			}
			if !yield(s) {
				return
			}
		}
	}}
	c, err := gather(d, o.Config, 100, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	order, ends := o.epochOrder(c, 3)
	seen := make([]int, 500)
	var b batch
	from := 0
	for step, end := range ends {
		b.assemble(o, c, order[from:end], uint64(step))
		from = end
		if len(b.events) > o.BatchTokens {
			t.Fatalf("step %d has %d events", step, len(b.events))
		}
		for _, target := range b.targets {
			seen[target.item]++
			if b.events[target.row].Item != target.item {
				t.Fatalf("row %d of sequence %d asks for one of %d", target.row, b.events[target.row].Item, target.item)
			}
		}
		for i := range b.parts {
			first, last := b.part(i)
			if int(b.starts[first]) != first || last < len(b.events) && int(b.starts[last]) != last {
				t.Fatalf("step %d: rows %d to %d are not whole sequences", step, first, last)
			}
		}
		if b.parts[len(b.parts)-1] != len(b.events) {
			t.Fatalf("step %d: parts end at %d of %d", step, b.parts[len(b.parts)-1], len(b.events))
		}
	}
	for i := range seen {
		if want := len(c.sequence(i)) - 1; seen[i] != want {
			t.Fatalf("sequence %d was asked for %d events, want %d", i, seen[i], want)
		}
	}
}
