package ranker

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestLn1pIsCloseToTheExactLogarithm(t *testing.T) {
	check := func(x float32) {
		t.Helper()
		want := math.Log1p(float64(x))
		if got := float64(ln1p(x)); !(math.Abs(got-want) <= 3e-7*max(1, want)) {
			t.Fatalf("ln1p(%v) = %v, want %v", x, got, want)
		}
	}
	for _, x := range []float32{0, 1e-30, 1e-8, 1e-6, 0.4142135, 0.4142136, 0.5, 0.9999999, 1, 2, 1e6, math.MaxFloat32 / 2} {
		check(x)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 1_000_000 {
		check(float32(math.Exp(rng.Float64()*60 - 30)))
	}
}

func TestHalvedIsCloseToTheExactPower(t *testing.T) {
	check := func(x float32) {
		t.Helper()
		want := math.Exp2(-float64(x))
		if got := float64(halved(x)); !(math.Abs(got-want) <= 2e-7*want) {
			t.Fatalf("halved(%v) = %v, want %v", x, got, want)
		}
	}
	for _, x := range []float32{0, 1e-30, 0.0078124, 0.0078125, 0.5, 0.9999999, 1, 39.99, 119.9} {
		check(x)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 1_000_000 {
		check(float32(rng.Float64() * 119))
	}
}

func BenchmarkLn1p(b *testing.B) {
	sum, x := float32(0), float32(0)
	for b.Loop() {
		x += 0.37
		sum += ln1p(x)
	}
	if sum == 0 {
		b.Fatal("no logarithm was taken")
	}
}
