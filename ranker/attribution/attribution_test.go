package attribution

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/kindred-rec/kindred/ranker"
)

// rowwise makes a score of a function of one row.
func rowwise(f func(x *ranker.Features) float64) Score {
	return func(x *ranker.Columns, out []float64) {
		for i := range out {
			var row ranker.Features
			for f := range row {
				row[f] = x[f][i]
			}
			out[i] = f(&row)
		}
	}
}

func random(r *rand.Rand) (x ranker.Features) {
	for f := range x {
		if r.IntN(3) > 0 {
			x[f] = float32(r.NormFloat64())
		}
	}
	return x
}

func TestContributionsOfALinearModelAreWeightTimesFeature(t *testing.T) {
	w := ranker.DefaultWeights()
	e := New(w.Score, &ranker.Features{})
	r := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		x := random(r)
		var got, want ranker.Parts
		rest := e.Attribute(&x, &got)
		if w.Attribute(&x, &want); rest != 0 {
			t.Fatalf("rest %v of a model without a constant", rest)
		}
		for f := range got {
			if math.Abs(got[f]-want[f]) > 1e-9 {
				t.Fatalf("%v: %v, want %v", ranker.Feature(f), got[f], want[f])
			}
		}
	}
}

// Two features that only act together share alike; the third does nothing.
func TestAPairSharesItsProduct(t *testing.T) {
	e := New(rowwise(func(x *ranker.Features) float64 { return 1 + float64(x[0])*float64(x[1]) }), &ranker.Features{})
	x := ranker.Features{0: 2, 1: 3, 2: 5}
	var parts ranker.Parts
	if rest := e.Attribute(&x, &parts); rest != 1 || math.Abs(parts[0]-3) > 1e-12 || math.Abs(parts[1]-3) > 1e-12 || parts[2] != 0 {
		t.Errorf("rest %v, parts %v; want 1, 3, 3, 0", rest, parts[:3])
	}
}

func TestContributionsAddUp(t *testing.T) {
	score := rowwise(func(x *ranker.Features) float64 {
		sum := 0.3
		for f := range x {
			sum = math.Sin(sum+float64(x[f])) * (1 + float64(x[(f+1)%len(x)]))
		}
		return 10 * sum
	})
	r := rand.New(rand.NewPCG(2, 2))
	base := random(r)
	e := New(score, &base)
	for range 2000 {
		x := random(r)
		var parts ranker.Parts
		sum := e.Attribute(&x, &parts)
		for _, p := range parts {
			sum += p
		}
		var cols ranker.Columns
		for f := range cols {
			cols[f] = x[f : f+1]
		}
		var want [1]float64
		if score(&cols, want[:]); math.Abs(sum-want[0]) > 1e-9*max(1, math.Abs(want[0])) {
			t.Fatalf("parts and rest add up to %v, the score is %v", sum, want[0])
		}
	}
	var parts ranker.Parts
	if rest := e.Attribute(&base, &parts); rest != e.rest || parts != (ranker.Parts{}) {
		t.Errorf("the baseline itself: rest %v, parts %v", rest, parts)
	}
}

func TestAttributionAllocatesNothing(t *testing.T) {
	w := ranker.DefaultWeights()
	e := New(w.Score, &ranker.Features{})
	x := random(rand.New(rand.NewPCG(3, 3)))
	var parts ranker.Parts
	if n := testing.AllocsPerRun(100, func() { e.Attribute(&x, &parts) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAttribute(b *testing.B) {
	w := ranker.DefaultWeights()
	e := New(w.Score, &ranker.Features{})
	var x ranker.Features
	for f := range x {
		x[f] = 1
	}
	var parts ranker.Parts
	b.ReportAllocs()
	for b.Loop() {
		e.Attribute(&x, &parts)
	}
}
