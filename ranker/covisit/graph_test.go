package covisit

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func steps(items ...uint32) []Step {
	out := make([]Step, len(items))
	for i, item := range items {
		out[i] = Step{Item: item, Weight: 1, Time: int64(i) * 1e6}
	}
	return out
}

// replay adds a whole sequence, act by act.
func replay(t testing.TB, g *Graph, sequence []Step) {
	t.Helper()
	for i, step := range sequence {
		if err := g.Add(sequence[:i], step); err != nil {
			t.Fatal(err)
		}
	}
}

func mustNew(t testing.TB, options Options) *Graph {
	t.Helper()
	g, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func sorted(g *Graph, item uint32) []Neighbour {
	list := g.Neighbours(item, nil)
	slices.SortFunc(list, func(a, b Neighbour) int { return cmp.Compare(a.Item, b.Item) })
	return list
}

func TestDirectionAndDistanceAreKept(t *testing.T) {
	g := mustNew(t, Options{StepDecay: 0.5})
	replay(t, g, steps(1, 2, 3))
	if got, want := sorted(g, 1), []Neighbour{{2, 1, 0}, {3, 0.5, 0}}; !slices.Equal(got, want) {
		t.Errorf("neighbours of 1: %v, want %v", got, want)
	}
	if got, want := sorted(g, 3), []Neighbour{{1, 0, 0.5}, {2, 0, 1}}; !slices.Equal(got, want) {
		t.Errorf("neighbours of 3: %v, want %v", got, want)
	}
	if g.Total(2) != 1 || g.Total(9) != 0 {
		t.Errorf("totals of 2 and 9: %v, %v, want 1, 0", g.Total(2), g.Total(9))
	}
}

func TestItemThatComesBackIsItsOwnNeighbour(t *testing.T) {
	g := mustNew(t, Options{})
	replay(t, g, steps(5, 5))
	if got, want := sorted(g, 5), []Neighbour{{5, 1, 1}}; !slices.Equal(got, want) {
		t.Errorf("neighbours of 5: %v, want %v", got, want)
	}
}

func TestStepsBeyondWindowOrGapDoNotCount(t *testing.T) {
	g := mustNew(t, Options{Window: 1, MaxGap: time.Minute})
	far := steps(1, 2)
	far = append(far, Step{Item: 3, Weight: 1, Time: int64(2 * time.Minute / time.Microsecond)})
	replay(t, g, far)
	if got, want := sorted(g, 1), []Neighbour{{2, 1, 0}}; !slices.Equal(got, want) {
		t.Errorf("neighbours of 1: %v, want %v", got, want)
	}
	if got := sorted(g, 3); len(got) != 0 {
		t.Errorf("neighbours of 3: %v, want none", got)
	}
}

// twin counts pairs the plain way, unbounded.
func twin(sequences [][]Step, o Options) map[[2]uint32]float64 {
	pairs := map[[2]uint32]float64{}
	for _, sequence := range sequences {
		for t, next := range sequence {
			for gap := 1; gap <= o.Window && gap <= t; gap++ {
				before := sequence[t-gap]
				weight := math.Sqrt(float64(next.Weight) * float64(before.Weight))
				pairs[[2]uint32{before.Item, next.Item}] += weight * math.Pow(o.StepDecay, float64(gap-1))
			}
		}
	}
	return pairs
}

func TestCountsEqualThePlainSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{Window: rapid.IntRange(1, 5).Draw(t, "window"), StepDecay: 0.75}
		g, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		step := rapid.Custom(func(t *rapid.T) Step {
			return Step{Item: rapid.Uint32Range(0, 100).Draw(t, "item"), Weight: rapid.Float32Range(0.1, 5).Draw(t, "weight")}
		})
		sequences := rapid.SliceOfN(rapid.SliceOfN(step, 0, 12), 0, 8).Draw(t, "sequences")
		for _, sequence := range sequences {
			for i := range sequence {
				if err := g.Add(sequence[:i], sequence[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
		want, held := twin(sequences, o), 0
		for item := range uint32(101) {
			for _, n := range g.Neighbours(item, nil) {
				after, before := want[[2]uint32{item, n.Item}], want[[2]uint32{n.Item, item}]
				if math.Abs(after-float64(n.After)) > 1e-3 || math.Abs(before-float64(n.Before)) > 1e-3 {
					t.Fatalf("pair %d, %d: %v after and %v before, want %v and %v", item, n.Item, n.After, n.Before, after, before)
				}
				if n.After > 0 {
					held++
				}
			}
		}
		if held != len(want) {
			t.Fatalf("%d directed pairs, want %d", held, len(want))
		}
	})
}

func TestHalfLifeHalvesTheOldAgainstTheNew(t *testing.T) {
	g := mustNew(t, Options{HalfLife: time.Hour})
	hour := time.Hour.Microseconds()
	// A hundred half-lives pass in all: the counts must be rescaled and still compare.
	for i := range int64(100) {
		trail := []Step{{Item: 1, Weight: 1, Time: i * hour}}
		if err := g.Add(trail, Step{Item: uint32(10 + i%2), Weight: 1, Time: i * hour}); err != nil {
			t.Fatal(err)
		}
	}
	list := sorted(g, 1)
	if ratio := list[1].After / list[0].After; math.Abs(float64(ratio)-2) > 1e-3 {
		t.Errorf("the later neighbour has %v times the evidence, want 2", ratio)
	}
	// The latest act counts one, those before it half of the next: 1 + 1/4 + 1/16 …
	if today := list[1].After / g.Unit(); math.Abs(float64(today)-4.0/3) > 1e-3 {
		t.Errorf("evidence in acts of today is %v, want 4/3", today)
	}
}

func TestBoundsHoldAndStrongNeighboursStay(t *testing.T) {
	g := mustNew(t, Options{MaxNeighbours: 4, MaxPairs: 1000, Window: 1})
	for range 50 {
		replay(t, g, steps(0, 1))
		replay(t, g, steps(0, 2))
	}
	for item := range uint32(200) {
		replay(t, g, steps(0, 100+item))
	}
	list := sorted(g, 0)
	if len(list) != 4 || list[0].Item != 1 || list[1].Item != 2 || list[0].After != 50 || list[1].After != 50 {
		t.Errorf("neighbours of 0: %v, want four with 1 and 2 untouched among them", list)
	}
	small := mustNew(t, Options{MaxPairs: 10})
	for item := range uint32(100) {
		replay(t, small, steps(item, item+1))
	}
	if stats := small.Stats(); stats.Pairs > 10 || stats.Evicted == 0 {
		t.Errorf("%+v, want at most 10 pairs and some given up", stats)
	}
}

func TestStaleListGivesWay(t *testing.T) {
	g := mustNew(t, Options{MaxNeighbours: 1, Window: 1})
	for range 10 {
		replay(t, g, steps(0, 1))
	}
	for range 12 {
		replay(t, g, steps(0, 2))
	}
	if got := g.Neighbours(0, nil); len(got) != 1 || got[0].Item != 2 {
		t.Errorf("neighbours of 0: %v, want only 2, which came last and oftener", got)
	}
}

func TestBadStepsCountNothing(t *testing.T) {
	g := mustNew(t, Options{MaxItems: 10})
	bad := []Step{{Item: 10, Weight: 1}, {Item: 1}, {Item: 1, Weight: -1}, {Item: 1, Weight: float32(math.NaN())},
		{Item: 1, Weight: float32(math.Inf(1))}}
	for _, step := range bad {
		if err := g.Add(steps(1), step); !errors.Is(err, ErrStep) {
			t.Errorf("%+v as next: %v, want ErrStep", step, err)
		}
		if err := g.Add([]Step{step}, steps(1)[0]); !errors.Is(err, ErrStep) {
			t.Errorf("%+v in the trail: %v, want ErrStep", step, err)
		}
	}
	if g.Stats() != (Stats{}) {
		t.Errorf("%+v, want nothing counted", g.Stats())
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	for _, o := range []Options{{MaxItems: -1}, {MaxItems: 1 << 29}, {MaxNeighbours: 5000}, {MaxPairs: -1}, {Window: 1001},
		{StepDecay: 1.5}, {StepDecay: math.NaN()}, {HalfLife: time.Millisecond}, {MaxGap: -1}} {
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v, want ErrOptions", o, err)
		}
	}
}

func TestReadersRunBesideAWriter(t *testing.T) {
	g := mustNew(t, Options{HalfLife: time.Second, MaxNeighbours: 8})
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			var buf []Neighbour
			for {
				select {
				case <-done:
					return
				default:
				}
				for item := range uint32(80) {
					buf = g.Neighbours(item, buf[:0])
					_ = g.Total(item) + g.Unit()
				}
			}
		})
	}
	for i := range int64(2000) {
		sequence := []Step{{uint32(i % 70), 1, i * 1e5}, {uint32(i * 7 % 70), 1, i * 1e5}}
		if err := g.Add(sequence[:1], sequence[1]); err != nil {
			t.Error(err)
		}
	}
	close(done)
	readers.Wait()
	if g.Stats().Pairs == 0 {
		t.Error("nothing was counted")
	}
}
