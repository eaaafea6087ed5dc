package rerank

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestOrderIsThatOfComparison: by digits or not, with ties, zeros of both signs and values
// that differ in their last bit.
func TestOrderIsThatOfComparison(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	values := []func() float64{
		func() float64 { return r.NormFloat64() },
		func() float64 { return float64(r.IntN(3) - 1) },
		func() float64 { return math.Copysign(0, float64(r.IntN(2))-.5) },
		func() float64 { return math.Nextafter(1, float64(r.IntN(2)*2)) },
		func() float64 { return r.NormFloat64() * math.Pow(10, float64(r.IntN(200)-100)) },
	}
	var o order
	for round := range 2000 {
		keys := make([]key, r.IntN(400))
		value, tiers := values[round%len(values)], 1+round/len(values)%3/2
		for i, item := range r.Perm(len(keys)) {
			keys[i] = key{value: value(), item: uint32(item), at: int32(i), tier: tier(r.IntN(tiers))}
		}
		want := slices.Clone(keys)
		slices.SortFunc(want, func(a, b key) int { return compare(&a, &b) })
		for i, x := range o.of(keys) {
			if keys[x.at] != want[i] {
				t.Fatalf("round %d, place %d of %d: %+v, want %+v", round, i, len(keys), keys[x.at], want[i])
			}
		}
	}
}
