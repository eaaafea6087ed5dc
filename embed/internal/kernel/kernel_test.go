package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// everyLevel runs a test under each instruction set that this machine has.
func everyLevel(t *testing.T, test func(*testing.T)) {
	t.Helper()
	was := active
	t.Cleanup(func() { active = was })
	for l := portable; l <= was; l++ {
		active = l
		t.Run(Name(), test)
	}
	active = was
}

func random(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// product is the sum in double precision, and how large its parts are.
func product(a []float32, lda int, w []float32, stride, k int, bias float32, r, column int) (sum, size float64) {
	sum, size = float64(bias), math.Abs(float64(bias))
	for i := range k {
		part := float64(a[r*lda+i]) * float64(w[column*stride+i])
		sum += part
		size += math.Abs(part)
	}
	return sum, size
}

func TestProductEqualsTheSumOfProducts(t *testing.T) {
	everyLevel(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
			m := rapid.IntRange(0, 130).Draw(t, "m")
			k, n := rapid.IntRange(1, 70).Draw(t, "k"), rapid.IntRange(1, 100).Draw(t, "n")
			lda, ldc, stride := k+rapid.IntRange(0, 3).Draw(t, "lda"), n+rapid.IntRange(0, 3).Draw(t, "ldc"), k+rapid.IntRange(0, 3).Draw(t, "stride")
			a, w, bias := random(rng, max(m, 1)*lda), random(rng, n*stride), random(rng, n)
			c := random(rng, max(m, 1)*ldc)
			before := append([]float32(nil), c...)
			p := Pack(w, n, k, stride, bias)
			from := rapid.IntRange(0, p.Count()).Draw(t, "from")
			to := rapid.IntRange(from, p.Count()).Draw(t, "to")
			p.Multiply(c, ldc, a, lda, m, from, to)
			for i := range c {
				r, column := i/ldc, i%ldc
				if r >= m || column >= n || column < from*p.width || column >= to*p.width {
					if c[i] != before[i] {
						t.Fatalf("element [%d, %d] outside the product was written", r, column)
					}
					continue
				}
				want, size := product(a, lda, w, stride, k, bias[column], r, column)
				if math.Abs(float64(c[i])-want) > 1e-6*size+1e-12 {
					t.Fatalf("[%d, %d] is %g, want %g", r, column, c[i], want)
				}
			}
		})
	})
}

func TestPackedRowsAreTheMatrixItself(t *testing.T) {
	everyLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		const m, k, n = 5, 7, 37
		a, b := random(rng, m*k), random(rng, k*n)
		transposed := make([]float32, n*k)
		for i := range k {
			for j := range n {
				transposed[j*k+i] = b[i*n+j]
			}
		}
		var rows Panels
		rows.PackTransposed(random(rng, 3*200*50), 200, 50, 60) // memory that was used before
		rows.PackRows(b, k, n, n)
		columns := Pack(transposed, n, k, k, nil)
		got, want := make([]float32, m*n), make([]float32, m*n)
		rows.Multiply(got, n, a, k, m, 0, rows.Count())
		columns.Multiply(want, n, a, k, m, 0, columns.Count())
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("element %d is %g, want %g", i, got[i], want[i])
			}
		}
	})
}

func TestGELUIsTheExactOne(t *testing.T) {
	everyLevel(t, func(t *testing.T) {
		var x []float32
		for v := float32(-12); v <= 12; v += 1.0 / 512 {
			x = append(x, v)
		}
		got := append([]float32(nil), x...)
		GELU(got)
		for i, v := range x {
			want := 0.5 * float64(v) * (1 + math.Erf(float64(v)/math.Sqrt2))
			if math.Abs(float64(got[i])-want) > 1e-6*math.Max(1, math.Abs(want)) {
				t.Fatalf("gelu(%g) is %g, want %g", v, got[i], want)
			}
		}
	})
}

func TestExpSumsToTheSoftmaxDenominator(t *testing.T) {
	everyLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 4))
		for n := 1; n <= 96; n++ {
			x := random(rng, n)
			for i := range x {
				x[i] *= 20
			}
			if n%16 == 0 {
				x[n-1] = float32(math.Inf(-1)) // a column that is masked
			}
			got := append([]float32(nil), x...)
			sum := Exp(got)
			most, want := slices.Max(x), 0.0
			for i, v := range x {
				e := math.Exp(float64(v - most))
				want += e
				if math.Abs(float64(got[i])-e) > 1e-6*e+1e-30 { // what is that small counts as nothing
					t.Fatalf("n %d: exp(%g - %g) is %g, want %g", n, v, most, got[i], e)
				}
			}
			if math.Abs(float64(sum)-want) > 1e-6*want {
				t.Fatalf("n %d: sum is %g, want %g", n, sum, want)
			}
		}
	})
}

func TestAddNormHasTheScaleAndShift(t *testing.T) {
	everyLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(5, 6))
		for _, n := range []int{1, 5, 16, 32, 100, 384} {
			x, residual, scale, shift := random(rng, n), random(rng, n), random(rng, n), random(rng, n)
			var sum, squares float64
			for i := range x {
				sum += float64(x[i] + residual[i])
			}
			mean := sum / float64(n)
			for i := range x {
				squares += math.Pow(float64(x[i]+residual[i])-mean, 2)
			}
			got := append([]float32(nil), x...)
			AddNorm(got, residual, scale, shift, 1e-3)
			for i := range x {
				want := (float64(x[i]+residual[i])-mean)/math.Sqrt(squares/float64(n)+1e-3)*float64(scale[i]) + float64(shift[i])
				if math.Abs(float64(got[i])-want) > 3e-5 {
					t.Fatalf("n %d: element %d is %g, want %g", n, i, got[i], want)
				}
			}
		}
	})
}

func BenchmarkMultiply(b *testing.B) {
	rng := rand.New(rand.NewPCG(7, 8))
	was := active
	defer func() { active = was }()
	for l := portable; l <= was; l++ {
		active = l
		for _, shape := range [][3]int{{16, 384, 1536}, {256, 384, 1536}, {256, 1536, 384}} {
			m, k, n := shape[0], shape[1], shape[2]
			b.Run(fmt.Sprintf("%s/%dx%dx%d", Name(), m, k, n), func(b *testing.B) {
				a, c := random(rng, m*k), make([]float32, m*n)
				p := Pack(random(rng, n*k), n, k, k, nil)
				b.ReportAllocs()
				for b.Loop() {
					p.Multiply(c, n, a, k, m, 0, p.Count())
				}
				b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

func BenchmarkRows(b *testing.B) {
	rng := rand.New(rand.NewPCG(9, 10))
	x, y := random(rng, 1536), random(rng, 1536)
	ones := random(rng, 1536)
	for name, run := range map[string]func(){
		"gelu": func() { copy(y, x); GELU(y) }, "exp": func() { copy(y, x); Exp(y) }, "norm": func() { AddNorm(x, y, ones, y, 1e-12) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1536, "ns/element")
		})
	}
}
