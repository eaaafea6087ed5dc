package transition

import (
	"context"
	"errors"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

func each(sequences ...[]uint32) iter.Seq2[[]uint32, error] {
	return func(yield func([]uint32, error) bool) {
		for _, s := range sequences {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func randomLog(items, users int, seed uint64) [][]uint32 {
	rng := rand.New(rand.NewPCG(seed, 2))
	log := make([][]uint32, users)
	for u := range log {
		at := rng.IntN(items)
		for range 2 + rng.IntN(8) {
			log[u] = append(log[u], uint32(at))
			at = (at + 1 + rng.IntN(3)) % items
		}
	}
	return log
}

// dense is the damped matrix by its definition.
func dense(items int, log [][]uint32, o Options) *mat.Dense {
	c := mat.NewDense(items, items, nil)
	popularity := make([]float64, items)
	for _, s := range log {
		for i, from := range s {
			popularity[from]++
			for d := 1; d <= o.Reach && i+d < len(s); d++ {
				w, to := math.Pow(float64(o.Decay), float64(d-1)), int(s[i+d])
				c.Set(int(from), to, c.At(int(from), to)+w)
				c.Set(to, int(from), c.At(to, int(from))+w*float64(o.Backward))
			}
		}
	}
	m := mat.NewDense(items, items, nil)
	for i := range items {
		out := mat.Sum(c.RowView(i))
		for j := range items {
			m.Set(i, j, c.At(i, j)/math.Sqrt((out+float64(o.OutPrior))*(popularity[j]+float64(o.InPrior))))
		}
	}
	return m
}

func product(f Factors, items int) *mat.Dense {
	wide := func(x []float32) *mat.Dense {
		d := mat.NewDense(items, f.Dim, nil)
		for i, v := range x {
			d.Set(i/f.Dim, i%f.Dim, float64(v))
		}
		return d
	}
	var p mat.Dense
	p.Mul(wide(f.Input), wide(f.Output).T())
	return &p
}

func TestFactorsAreTheBestApproximation(t *testing.T) {
	const items, rank = 90, 20
	log := randomLog(items, 400, 1)
	o, _ := Options{Rank: rank, Iterations: 20}.withDefaults()
	f, err := Fit(t.Context(), items, each(log...), o)
	if err != nil {
		t.Fatal(err)
	}
	m := dense(items, log, o)
	var svd mat.SVD
	if !svd.Factorize(m, mat.SVDNone) {
		t.Fatal("no singular values")
	}
	least := 0.0 // what no approximation of this rank can get below
	for _, s := range svd.Values(nil)[rank:] {
		least += s * s
	}
	var rest mat.Dense
	rest.Sub(m, product(f, items))
	if got := mat.Norm(&rest, 2); got > 1.001*math.Sqrt(least) {
		t.Errorf("distance from the matrix is %v, the best of rank %d is %v", got, rank, math.Sqrt(least))
	}
}

func TestFullRankIsTheMatrixItself(t *testing.T) {
	const items = 30
	log := randomLog(items, 100, 3)
	o, _ := Options{Rank: items}.withDefaults()
	f, err := Fit(t.Context(), items, each(log...), o)
	if err != nil {
		t.Fatal(err)
	}
	if m := dense(items, log, o); !mat.EqualApprox(m, product(f, items), 1e-4) {
		t.Error("the product of the factors is not the matrix")
	}
}

func TestWhatFollowsScoresHighest(t *testing.T) {
	const items = 50
	var log [][]uint32
	for i := range items {
		log = append(log, []uint32{uint32(i), uint32((i + 1) % items)}, []uint32{uint32(i), uint32((i + 1) % items)})
	}
	f, err := Fit(t.Context(), items, each(log...), Options{Rank: 50, Backward: -1})
	if err != nil {
		t.Fatal(err)
	}
	p := product(f, items)
	for i := range items {
		if row := p.RawRowView(i); slices.Index(row, slices.Max(row)) != (i+1)%items {
			t.Errorf("after %d the highest is %d", i, slices.Index(row, slices.Max(row)))
		}
	}
}

func TestTheResultDoesNotDependOnWorkersOrOrder(t *testing.T) {
	log := randomLog(40, 200, 5)
	one, err := Fit(t.Context(), 40, each(log...), Options{Rank: 10, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	four, err := Fit(t.Context(), 40, each(log...), Options{Rank: 10, Workers: 4})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(one.Input, four.Input) || !slices.Equal(one.Output, four.Output) {
		t.Error("four workers made other factors than one")
	}
}

func TestLogsWithNothingInThemGiveZeros(t *testing.T) {
	for name, log := range map[string][][]uint32{"empty": nil, "single items": {{1}, {2}}, "no items": {{}}} {
		f, err := Fit(t.Context(), 5, each(log...), Options{})
		if err != nil || f.Dim != 5 || slices.Max(f.Input) != 0 || len(f.Output) != 25 || f.Pairs != 0 {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
	if f, err := Fit(t.Context(), 0, each(), Options{}); err != nil || len(f.Input) != 0 {
		t.Errorf("no items: %+v, %v", f, err)
	}
	if f, err := Fit(t.Context(), 1, each([]uint32{0, 0, 0}), Options{}); err != nil || f.Input[0]*f.Output[0] <= 0 {
		t.Errorf("one item that follows itself: %+v, %v", f, err)
	}
}

func TestPastTheBoundTheLightestPairsGiveWayAndAreCounted(t *testing.T) {
	const items = 400
	log := randomLog(items, 6000, 7)
	for range 500 {
		log = append(log, []uint32{3, 300})
	}
	f, err := Fit(t.Context(), items, each(log...), Options{Rank: 64, MaxPairs: 1024})
	if err != nil {
		t.Fatal(err)
	}
	if f.Pairs > 1024 || f.Dropped == 0 {
		t.Errorf("%d pairs kept, %d dropped, of at most 1,024", f.Pairs, f.Dropped)
	}
	p := product(f, items)
	if row := p.RawRowView(3); slices.Index(row, slices.Max(row)) != 300 {
		t.Error("the heaviest pair is gone")
	}
}

func TestBadInputIsNamed(t *testing.T) {
	if _, err := Fit(t.Context(), 3, each([]uint32{3}), Options{}); !errors.Is(err, ErrOptions) {
		t.Errorf("an item out of range: %v", err)
	}
	if _, err := Fit(t.Context(), 3, each(), Options{Rank: 2000, Decay: 2}); !errors.Is(err, ErrOptions) {
		t.Errorf("options out of range: %v", err)
	}
	broken := errors.New("broken")
	if _, err := Fit(t.Context(), 3, func(yield func([]uint32, error) bool) { yield(nil, broken) }, Options{}); !errors.Is(err, broken) {
		t.Errorf("an error of the log: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Fit(ctx, 3, each([]uint32{1, 2}), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func BenchmarkFit(b *testing.B) {
	log := randomLog(12000, 22000, 9)
	for b.Loop() {
		if _, err := Fit(b.Context(), 12000, each(log...), Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
