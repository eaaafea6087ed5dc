package dense

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func normal(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func TestForwardEqualsTheSumOfProducts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, shape := range [][2]int{{1, 4}, {13, 32}, {33, 32}, {32, 16}, {64, 64}} {
		inputs, outputs := shape[0], shape[1]
		weights, bias, in := normal(rng, inputs*outputs), normal(rng, outputs), normal(rng, inputs*Block)
		layer := New(weights, bias, inputs, outputs)
		for _, relu := range []bool{false, true} {
			out := make([]float32, outputs*Block)
			layer.Forward(in, out, relu)
			for j := range outputs {
				for k := range Block {
					want, size := float64(bias[j]), math.Abs(float64(bias[j]))
					for i := range inputs {
						p := float64(weights[j*inputs+i]) * float64(in[i*Block+k])
						want, size = want+p, size+math.Abs(p)
					}
					if relu {
						want = max(want, 0)
					}
					if got := float64(out[j*Block+k]); !(math.Abs(got-want) <= 1e-5*size) {
						t.Fatalf("%v, relu %v, output %d of candidate %d: %v, want %v", shape, relu, j, k, got, want)
					}
				}
			}
		}
	}
}

func TestAssemblyAndTwinAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		inputs := 1 + rng.IntN(70)
		weights, bias, in := normal(rng, inputs*group), normal(rng, group), normal(rng, inputs*Block)
		got, want := make([]float32, group*Block), make([]float32, group*Block)
		if !fast(in, weights, bias, got, inputs, 0) {
			t.Skip("no assembly on this machine: the twin is all there is")
		}
		plain(in, weights, bias, want, inputs, 0)
		for k := range got {
			if math.Abs(float64(got[k]-want[k])) > 1e-4 {
				t.Fatalf("%d inputs, number %d: assembly %v, twin %v", inputs, k, got[k], want[k])
			}
		}
	}
}

// A candidate's output is the same wherever it stands.
func TestAnOutputDoesNotDependOnItsPlace(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const inputs, outputs = 33, 8
	layer := New(normal(rng, inputs*outputs), normal(rng, outputs), inputs, outputs)
	in, out := normal(rng, inputs*Block), make([]float32, outputs*Block)
	layer.Forward(in, out, true)
	for i := range inputs {
		slices.Reverse(in[i*Block : (i+1)*Block])
	}
	reversed := make([]float32, outputs*Block)
	layer.Forward(in, reversed, true)
	for j := range outputs {
		slices.Reverse(reversed[j*Block : (j+1)*Block])
	}
	if !slices.Equal(out, reversed) {
		t.Error("outputs differ when candidates change places")
	}
}

func TestShapesThatDoNotAgreePanicInsteadOfReadingBeyond(t *testing.T) {
	for name, call := range map[string]func(){
		"outputs": func() { New(make([]float32, 6), make([]float32, 3), 2, 3) },
		"in": func() {
			l := New(make([]float32, 8), make([]float32, 4), 2, 4)
			l.Forward(make([]float32, Block), make([]float32, 4*Block), true)
		},
		"out": func() {
			l := New(make([]float32, 8), make([]float32, 4), 2, 4)
			l.Forward(make([]float32, 2*Block), make([]float32, Block), true)
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

func BenchmarkForward33x32(b *testing.B) {
	rng := rand.New(rand.NewPCG(7, 8))
	layer := New(normal(rng, 33*32), normal(rng, 32), 33, 32)
	in, out := normal(rng, 33*Block), make([]float32, 32*Block)
	for b.Loop() {
		layer.Forward(in, out, true)
	}
	b.ReportMetric(float64(b.N)*33*32*Block/float64(b.Elapsed().Nanoseconds()), "GMAC/s")
}
