package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// lengths have registers' worth, a rest, and both.
var lengths = []int{1, 5, 16, 32, 37, 128, 131}

func close(t *testing.T, what string, i int, got float32, want, size float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= 2e-6*size+1e-12) {
		t.Fatalf("%s: element %d is %g, want %g", what, i, got, want)
	}
}

func TestVectorsAreTheirDefinitions(t *testing.T) {
	everyLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(11, 12))
		for _, n := range lengths {
			x, y, z := random(rng, n), random(rng, n), random(rng, n)
			var inner, size float64
			for i := range x {
				inner += float64(x[i]) * float64(y[i])
				size += math.Abs(float64(x[i]) * float64(y[i]))
			}
			close(t, "dot", 0, Dot(x, y), inner, size)
			sum := append([]float32(nil), y...)
			Axpy(sum, x, 0.7)
			product := append([]float32(nil), z...)
			AddProduct(product, x, y)
			scaled := append([]float32(nil), x...)
			Scale(scaled, -1.5)
			for i := range x {
				close(t, "axpy", i, sum[i], float64(y[i])+0.7*float64(x[i]), 4)
				close(t, "product", i, product[i], float64(z[i])+float64(x[i])*float64(y[i]), 8)
				close(t, "scale", i, scaled[i], -1.5*float64(x[i]), 4)
			}
		}
	})
}

func TestGELUGradIsTheSlopeOfGELU(t *testing.T) {
	everyLevel(t, func(t *testing.T) {
		gelu := func(v float64) float64 { return 0.5 * v * (1 + math.Erf(v/math.Sqrt2)) }
		for v := -9.0; v < 9; v += 0.37 {
			d, x := make([]float32, 37), make([]float32, 37)
			for i := range d {
				d[i], x[i] = 2, float32(v)
			}
			GELUGrad(d, x)
			at := float64(x[0])
			for i := range d {
				close(t, "slope", i, d[i], (gelu(at+1e-5)-gelu(at-1e-5))/1e-5, 2)
			}
		}
	})
}

func TestNormGradIsTheGradientOfNorm(t *testing.T) {
	everyLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(13, 14))
		for _, n := range lengths[1:] {
			x, scale, shift, weight := random(rng, n), random(rng, n), random(rng, n), random(rng, n)
			value := func(x []float64) (sum float64) { // the weighted sum of the norm, in double precision
				var mean, squares float64
				for _, v := range x {
					mean += v / float64(n)
				}
				for _, v := range x {
					squares += (v - mean) * (v - mean) / float64(n)
				}
				for i, v := range x {
					sum += float64(weight[i]) * ((v-mean)/math.Sqrt(squares+1e-5)*float64(scale[i]) + float64(shift[i]))
				}
				return sum
			}
			y, unit := make([]float32, n), make([]float32, n)
			by := Norm(y, unit, x, scale, shift, 1e-5)
			wide := make([]float64, n)
			var got float64
			for i := range x {
				wide[i] = float64(x[i])
				got += float64(weight[i] * y[i])
				close(t, "norm", i, y[i], float64(unit[i])*float64(scale[i])+float64(shift[i]), 10)
			}
			close(t, "value", 0, float32(got), value(wide), 200)
			d := append([]float32(nil), weight...)
			NormGrad(d, unit, scale, by)
			for i := range d {
				wide[i] += 1e-5
				up := value(wide)
				wide[i] -= 2e-5
				down := value(wide)
				wide[i] += 1e-5
				close(t, "gradient", i, d[i], (up-down)/2e-5, 20)
			}
		}
	})
}

func TestAProductAddsToWhatIsThereAndReadsTransposes(t *testing.T) {
	everyLevel(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
			m, k, n := rapid.IntRange(1, 130).Draw(t, "m"), rapid.IntRange(1, 40).Draw(t, "k"), rapid.IntRange(1, 100).Draw(t, "n")
			ldc := n + rapid.IntRange(0, 3).Draw(t, "ldc")
			a, b, c := random(rng, k*m), random(rng, k*n), random(rng, m*ldc) // a is transposed: [k, m]
			var p Panels
			p.PackRows(b, k, n, n)
			left := Left{Data: a, Row: 1, Step: m}
			set, sum := append([]float32(nil), c...), append([]float32(nil), c...)
			p.Set(set, ldc, left, m, 0, p.Count())
			p.Add(sum, ldc, left, m, 0, p.Count())
			for i := range c {
				r, column := i/ldc, i%ldc
				if column >= n {
					if set[i] != c[i] || sum[i] != c[i] {
						t.Fatalf("element [%d, %d] outside the product was written", r, column)
					}
					continue
				}
				var want, size float64
				for j := range k {
					want += float64(a[j*m+r]) * float64(b[j*n+column])
					size += math.Abs(float64(a[j*m+r]) * float64(b[j*n+column]))
				}
				if math.Abs(float64(set[i])-want) > 1e-6*size || math.Abs(float64(sum[i])-want-float64(c[i])) > 1e-6*(size+10) {
					t.Fatalf("[%d, %d] is %g and added to %g gives %g, want %g", r, column, set[i], c[i], sum[i], want)
				}
			}
		})
	})
}

func TestMasksAreTheSameUnderEveryInstructionSet(t *testing.T) {
	const n, first = 1003, 1<<20 + 3
	mask := NewMask(0.3, 0x123456789abcdef)
	want := make([]bool, n)
	dropped := 0
	for i := range want {
		if want[i] = mask.Drops(first + i); want[i] {
			dropped++
		}
	}
	if dropped < 250 || dropped > 350 {
		t.Fatalf("%d of %d drop out, want about 301", dropped, n)
	}
	everyLevel(t, func(t *testing.T) {
		x := make([]float32, n)
		for i := range x {
			x[i] = 0.7
		}
		mask.Apply(x, first)
		for i := range x {
			keep := float32(0.7) * (1 / (1 - float32(0.3)))
			if want[i] {
				keep = 0
			}
			if x[i] != keep {
				t.Fatalf("element %d is %g, want %g", i, x[i], keep)
			}
		}
	})
}

func TestMasksOfOtherKeysAreUnrelated(t *testing.T) {
	const n = 1 << 16
	for key := uint64(1); key < 40; key++ {
		a, b := NewMask(0.5, 0), NewMask(0.5, key<<(key%33))
		same := 0
		for i := range n {
			if a.Drops(i) == b.Drops(i) {
				same++
			}
		}
		if math.Abs(float64(same)-n/2) > 6*math.Sqrt(n)/2 {
			t.Errorf("key %d: %d of %d agree, want about half", key, same, n)
		}
	}
}

func TestAdamIsItsDefinition(t *testing.T) {
	everyLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(15, 16))
		for _, n := range lengths {
			w, m, v := random(rng, n), make([]float32, n), make([]float32, n)
			wide, mean, square := make([]float64, n), make([]float64, n), make([]float64, n)
			for i := range w {
				wide[i] = float64(w[i])
			}
			for step := 1; step <= 5; step++ {
				g := random(rng, n)
				Adam{GradScale: 0.5, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Rate: 0.01, Decay: 0.1, Step: step}.Update(w, g, m, v)
				for i := range w {
					grad := 0.5 * float64(g[i])
					mean[i] = 0.9*mean[i] + 0.1*grad
					square[i] = 0.999*square[i] + 0.001*grad*grad
					by := mean[i] / (1 - math.Pow(0.9, float64(step))) / (math.Sqrt(square[i]/(1-math.Pow(0.999, float64(step)))) + 1e-8)
					wide[i] -= 0.01*by + 0.01*0.1*wide[i]
					close(t, "weight", i, w[i], wide[i], 4)
				}
			}
		}
	})
}

func BenchmarkVectors(b *testing.B) {
	rng := rand.New(rand.NewPCG(17, 18))
	const n = 4096
	x, y, z, u := random(rng, n), make([]float32, n), make([]float32, n), make([]float32, n)
	mask := NewMask(0.4, 7)
	for _, c := range []struct {
		name string
		run  func()
	}{
		{"axpy", func() { Axpy(y, x, 0.5) }},
		{"dot", func() { Dot(x, x) }},
		{"gelu slope", func() { GELUGrad(y, x) }},
		{"norm", func() { Norm(y, z, x, x, x, 1e-5) }},
		{"norm gradient", func() { NormGrad(z, x, x, 0.1) }},
		{"dropout", func() { mask.Apply(u, 0) }},
		{"adam", func() { Adam{GradScale: 1, Beta1: 0.9, Beta2: 0.99, Epsilon: 1, Step: 1}.Update(u, x, z, y) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			clear(y)
			b.ReportAllocs()
			for b.Loop() {
				c.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
		})
	}
}
