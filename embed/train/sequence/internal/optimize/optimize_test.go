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
	s := NewState(w, g, []Range{{0, n, false}}, Table{}, true)
	for step := 1; step <= 600; step++ {
		for i := range w {
			g[i] = 2 * (w[i] - float32(i%7)) // of the squared distance from i mod 7
		}
		s.Apply(team, nil, Step{Adam: kernel.Adam{GradScale: 1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Rate: 0.05, Step: step}, Average: Warming(0.9, step)})
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
	s := NewState(w, make([]float32, 64), []Range{{0, 32, true}, {32, 64, false}}, Table{}, false)
	s.Apply(team, nil, Step{Adam: kernel.Adam{GradScale: 1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Rate: 0.1, Decay: 0.5, Step: 1}})
	if w[0] != 0.95 || w[31] != 0.95 || w[32] != 1 || w[63] != 1 {
		t.Errorf("weights are %g, %g, %g, %g, want 0.95 twice and 1 twice", w[0], w[31], w[32], w[63])
	}
}

func TestNormIsTheLength(t *testing.T) {
	team := team.New(2)
	defer team.Close()
	const n = 3*pieceLen + 5
	g := slices.Repeat([]float32{-2}, n)
	s := NewState(make([]float32, n), g, []Range{{0, 10, true}, {10, n, false}}, Table{}, false)
	if got, want := s.Norm(team, nil), 2*math.Sqrt(n); math.Abs(got-want) > 1e-3 {
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

func TestRowsThatTakePartInEveryStepAreAsAnyWeights(t *testing.T) {
	team := team.New(2)
	defer team.Close()
	const rows, width = 100, 16
	weights := func() []float32 { return slices.Repeat([]float32{1, -2}, rows*width/2) }
	whole := NewState(weights(), make([]float32, rows*width), []Range{{0, rows * width, true}}, Table{}, true)
	table := NewState(weights(), make([]float32, rows*width), nil, Table{Width: width, Rows: rows}, true)
	numbers := make([]uint32, rows)
	for i := range numbers {
		numbers[i] = uint32(rows - 1 - i)
	}
	for number := 1; number <= 5; number++ {
		step := Step{Adam: kernel.Adam{GradScale: 1, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, Rate: 0.1, Decay: 0.1, Step: number}, Average: 0.7}
		gradient := make([]float32, rows*width)
		for i := range gradient {
			whole.Gradient[i] = float32((i*number)%13) - 6
		}
		for i, row := range numbers {
			copy(gradient[i*width:(i+1)*width], whole.Gradient[row*width:])
		}
		r := &Rows{Numbers: numbers, Gradient: gradient}
		if a, b := whole.Norm(team, nil), table.Norm(team, r); math.Abs(a-b) > 1e-4 {
			t.Fatalf("step %d: norms are %g and %g", number, a, b)
		}
		whole.Apply(team, nil, step)
		table.Apply(team, r, step)
	}
	if !slices.Equal(whole.Weights, table.Weights) || !slices.Equal(whole.Average, table.Average) {
		t.Error("they differ")
	}
}

func TestTheAverageOfARowThatRestsIsBroughtUpToDate(t *testing.T) {
	team := team.New(1)
	defer team.Close()
	const width = 16
	w := slices.Repeat([]float32{1}, 2*width)
	s := NewState(w, make([]float32, 2*width), nil, Table{Width: width, Rows: 2}, true)
	for i := range width {
		w[i] = 3 // as if a step had moved the first row
	}
	s.Behind[0], s.Behind[1] = 1, 1
	step := Step{Adam: kernel.Adam{GradScale: 1, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, Step: 5}, Average: 0.5}
	s.Apply(team, &Rows{Numbers: []uint32{0}, Gradient: make([]float32, width)}, step)
	if got, want := s.Average[0], float32(3-2.0/16); got != want { // steps 2 to 5 halve the difference of 2
		t.Errorf("the average of the row that a step changed is %g, want %g", got, want)
	}
	w[width] = 9
	s.CatchUp(team, 5, 0.5)
	if got, want := s.Average[width], float32(9-8.0/16); got != want {
		t.Errorf("the average of the row that rested is %g, want %g", got, want)
	}
}
