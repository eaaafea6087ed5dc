package loss

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kindred-rec/kindred/embed/train/sequence/internal/team"
)

func normal(rng *rand.Rand, n int, by float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64() * by)
	}
	return x
}

// batch is a random one, with a weight of 0 among its rows.
func batch(rng *rand.Rand, rows, items, dim int, bias bool, smoothing float32) Batch {
	b := Batch{Dim: dim, Hidden: normal(rng, rows*dim, 1), Table: normal(rng, items*dim, 1), Smoothing: smoothing,
		Targets: make([]uint32, rows), Weights: make([]float32, rows), DHidden: make([]float32, rows*dim), DTable: make([]float32, items*dim)}
	for i := range rows {
		b.Targets[i], b.Weights[i] = uint32(rng.IntN(items)), rng.Float32()
	}
	b.Weights[0] = 0
	if bias {
		b.Bias = normal(rng, items, 1)
	}
	return b
}

// reference is the loss and its gradients in double precision, with all scores at once.
func reference(b Batch) (loss float64, dHidden, dTable []float64) {
	rows, items := len(b.Targets), len(b.Table)/b.Dim
	dHidden, dTable = make([]float64, rows*b.Dim), make([]float64, items*b.Dim)
	for r := range rows {
		scores := make([]float64, items)
		total, target := 0.0, int(b.Targets[r])
		for i := range scores {
			for j := range b.Dim {
				scores[i] += float64(b.Hidden[r*b.Dim+j]) * float64(b.Table[i*b.Dim+j])
			}
			if b.Bias != nil && i != target {
				scores[i] += float64(b.Bias[i])
			}
			total += math.Exp(scores[i])
		}
		for i, score := range scores {
			want := float64(b.Smoothing) / float64(items)
			if i == target {
				want += 1 - float64(b.Smoothing)
			}
			w := float64(b.Weights[r])
			loss += w * want * (math.Log(total) - score)
			d := w * (math.Exp(score)/total - want)
			for j := range b.Dim {
				dHidden[r*b.Dim+j] += d * float64(b.Table[i*b.Dim+j])
				dTable[i*b.Dim+j] += d * float64(b.Hidden[r*b.Dim+j])
			}
		}
	}
	return loss, dHidden, dTable
}

func TestLossAndGradientsAreThoseOfTheWholeMatrix(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	team := team.New(2)
	defer team.Close()
	for _, shape := range [][3]int{{1, 1, 1}, {1, 5, 3}, {7, 300, 16}, {200, 513, 32}, {30, 1000, 5}} {
		for _, bias := range []bool{false, true} {
			for _, smoothing := range []float32{0, 0.1} {
				for _, bound := range []int{1, 400 << 10, 64 << 20} {
					if bias && smoothing > 0 {
						continue // sampled items have no smoothing: their mean is not that of all
					}
					b := batch(rng, shape[0], shape[1], shape[2], bias, smoothing)
					name := fmt.Sprintf("shape %v, bias %v, smoothing %v, bound %d", shape, bias, smoothing, bound)
					loss := New(bound).Run(team, b)
					want, dHidden, dTable := reference(b)
					if math.Abs(loss-want) > 1e-5*(1+math.Abs(want)) {
						t.Errorf("%s: loss is %g, want %g", name, loss, want)
					}
					same(t, name+": users", b.DHidden, dHidden)
					same(t, name+": items", b.DTable, dTable)
				}
			}
		}
	}
}

func same(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	for i := range want {
		if math.Abs(float64(got[i])-want[i]) > 2e-5*(1+math.Abs(want[i])) {
			t.Errorf("%s: gradient %d is %g, want %g", what, i, got[i], want[i])
			return
		}
	}
}

func TestScoresFarApartDoNotOverflow(t *testing.T) {
	team := team.New(1)
	defer team.Close()
	b := Batch{Dim: 1, Hidden: []float32{300}, Table: make([]float32, 600), Targets: []uint32{599}, Weights: []float32{1}, DHidden: make([]float32, 1), DTable: make([]float32, 600)}
	b.Table[0], b.Table[599] = 3, -3
	if loss := New(1<<20).Run(team, b); math.Abs(loss-1800) > 1e-3 {
		t.Errorf("loss is %g, want 1800", loss)
	}
	if b.DTable[0] != 300 || b.DTable[599] != -300 {
		t.Errorf("gradients are %g and %g, want 300 and -300", b.DTable[0], b.DTable[599])
	}
}

func TestTheNumberOfGoroutinesChangesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	b := batch(rng, 150, 700, 32, false, 0)
	var first Batch
	for size := 1; size <= 3; size++ {
		team := team.New(size)
		run := b
		run.DHidden, run.DTable = make([]float32, len(b.Hidden)), make([]float32, len(b.Table))
		New(1<<19).Run(team, run)
		team.Close()
		if size == 1 {
			first = run
		} else if !slices.Equal(run.DHidden, first.DHidden) || !slices.Equal(run.DTable, first.DTable) {
			t.Errorf("the gradients of %d goroutines are not those of one", size)
		}
	}
}

func BenchmarkSoftmax(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, shape := range [][3]int{{752, 12101, 128}, {752, 3459, 128}, {2048, 12101, 128}} {
		for size := 1; size <= 2; size++ {
			b.Run(fmt.Sprintf("%dx%dx%d/goroutines=%d", shape[0], shape[1], shape[2], size), func(b *testing.B) {
				team := team.New(size)
				defer team.Close()
				x := batch(rng, shape[0], shape[1], shape[2], false, 0)
				s := New(32 << 20)
				s.Run(team, x)
				b.ReportAllocs()
				for b.Loop() {
					s.Run(team, x)
				}
				b.ReportMetric(6*float64(shape[0])*float64(shape[1])*float64(shape[2])*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
