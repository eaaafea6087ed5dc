package optimize

import (
	"math"
	"slices"
	"testing"

	"github.com/kindred-rec/kindred/embed/internal/kernel"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/team"
)

func TestStepsFindTheLowestPoint(t *testing.T) {
	team := team.New(2)
	defer team.Close()
	const n = pieceLen + 100
	w, g := make([]float32, n), make([]float32, n)
	s := NewState(w, g, []Range{{0, n, false}}, true)
	for step := 1; step <= 600; step++ {
		for i := range w {
			g[i] = 2 * (w[i] - float32(i%7)) // of the squared distance from i mod 7
		}
		s.Apply(team, Step{Adam: kernel.Adam{GradScale: 1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Rate: 0.05, Step: step}, Average: Warming(0.9, step)})
	}
	for i := range w {
		if math.Abs(float64(w[i])-float64(i%7)) > 1e-2 || math.Abs(float64(s.Average[i])-float64(i%7)) > 1e-2 {
			t.Fatalf("weight %d is %g, its average %g, want %d", i, w[i], s.Average[i], i%7)
		}
		if g[i] != 0 {
			t.Fatalf("gradient %d is %g after a step", i, g[i])
		}
	}
}

func TestOnlyRangesThatDecayDo(t *testing.T) {
	team := team.New(1)
	defer team.Close()
	w := slices.Repeat([]float32{1}, 64)
	s := NewState(w, make([]float32, 64), []Range{{0, 32, true}, {32, 64, false}}, false)
	s.Apply(team, Step{Adam: kernel.Adam{GradScale: 1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Rate: 0.1, Decay: 0.5, Step: 1}})
	if w[0] != 0.95 || w[31] != 0.95 || w[32] != 1 || w[63] != 1 {
		t.Errorf("weights are %g, %g, %g, %g, want 0.95 twice and 1 twice", w[0], w[31], w[32], w[63])
	}
}

func TestNormIsTheLength(t *testing.T) {
	team := team.New(2)
	defer team.Close()
	const n = 3*pieceLen + 5
	g := slices.Repeat([]float32{-2}, n)
	s := NewState(make([]float32, n), g, []Range{{0, 10, true}, {10, n, false}}, false)
	if got, want := s.Norm(team), 2*math.Sqrt(n); math.Abs(got-want) > 1e-3 {
		t.Errorf("norm is %g, want %g", got, want)
	}
}

func TestRatesRiseAndFall(t *testing.T) {
	for _, c := range []struct {
		schedule Schedule
		step     int
		want     float64
	}{
		{Constant, 1, 1.0 / 11}, {Constant, 10, 10.0 / 11}, {Constant, 11, 1}, {Constant, 110, 1},
		{Linear, 11, 1}, {Linear, 61, 0.5}, {Linear, 110, 0.01}, {Linear, 500, 0},
		{Cosine, 11, 1}, {Cosine, 61, 0.525}, {Cosine, 500, 0.05},
	} {
		if got := c.schedule.Rate(c.step, 10, 110); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("schedule %d at step %d: %g, want %g", c.schedule, c.step, got, c.want)
		}
	}
	if got := Constant.Rate(1, 0, 10); got != 1 {
		t.Errorf("without warm-up the first step has %g, want 1", got)
	}
}
