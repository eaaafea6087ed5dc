package simulate

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

func models() []Clicks {
	return []Clicks{PositionBased(0.7), PositionBased(0), Cascade(0.3, 0.9), Cascade(0, 1), Cascade(1, 1)}
}

// Slots are tested one by one, each with its own binomial: within a list clicks depend on each other.
func TestReadersClickWithTheStatedMarginals(t *testing.T) {
	const readers = 20_000
	click := []float64{0.5, 0.1, 0.8, 0.3, 0.05, 0.6, 0.9, 0.2}
	for _, c := range models() {
		var looked [maxLimit]float64
		c.looked(click, looked[:len(click)])
		counts := make([]float64, len(click))
		var slots []int
		for i := range readers {
			look, like := keyed(7, forLook, uint64(i), 0), keyed(7, forAttraction, uint64(i), 0)
			slots = c.read(len(click), func(int) float64 { return look.unit() }, func(k int) bool { return like.unit() < click[k] }, slots[:0])
			for _, k := range slots {
				counts[k]++
			}
		}
		chi, free := 0.0, 0.0
		for k := range click {
			p := looked[k] * click[k]
			if expected := readers * p; expected >= 5 && p < 1 {
				chi += (counts[k] - expected) * (counts[k] - expected) / (expected * (1 - p))
				free++
			}
		}
		// Slots of one list are correlated a little under the cascade; the bound at 1e-6 leaves room for that.
		if bound := (distuv.ChiSquared{K: free}).Quantile(1 - 1e-6); chi > bound {
			t.Errorf("%+v: chi-square %.1f over %v slots, bound %.1f; counts %v, looked %v", c, chi, free, bound, counts, looked[:len(click)])
		}
	}
}

// The value is what readers bring on average.
func TestValueIsTheMeanOfWhatReadersBring(t *testing.T) {
	const readers = 40_000
	click, reward := []float64{0.5, 0.3, 0.7, 0.2}, []float64{0.2, 0.9, 0.4, 0.6}
	for _, c := range models() {
		sum, square := 0.0, 0.0
		var slots []int
		for i := range readers {
			look, like := keyed(8, forLook, uint64(i), 0), keyed(8, forAttraction, uint64(i), 0)
			slots = c.read(len(click), func(int) float64 { return look.unit() }, func(k int) bool { return like.unit() < click[k] }, slots[:0])
			got := 0.0
			for _, k := range slots {
				got += reward[k]
			}
			sum, square = sum+got, square+got*got
		}
		mean := sum / readers
		se := math.Sqrt((square/readers - mean*mean) / readers)
		if want := c.value(click, reward); math.Abs(mean-want) > 5*se {
			t.Errorf("%+v: readers bring %v, the value is %v, standard error %v", c, mean, want, se)
		}
	}
}

// bestOfAll tries every list.
func bestOfAll(j *judge, m *mood, has []int32, n int) float64 {
	best := 0.0
	var try func(list []int)
	try = func(list []int) {
		best = max(best, j.worth(m, has, list))
		if len(list) == j.Limit {
			return
		}
		for i := range n {
			if !slices.Contains(list, i) {
				try(append(slices.Clone(list), i))
			}
		}
	}
	try(nil)
	return best
}

func TestOracleFindsTheBestOfAllLists(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := smallConfig()
		c.Seed = rapid.Uint64().Draw(t, "seed")
		c.Clicks = rapid.SampledFrom(models()).Draw(t, "model")
		c.Goal = rapid.SampledFrom([]Goal{GoalClicks, GoalPurchases}).Draw(t, "goal")
		c.Limit = rapid.IntRange(1, 3).Draw(t, "limit")
		w, err := NewWorld(c)
		if err != nil {
			t.Fatal(err)
		}
		s, err := newShelves(w)
		if err != nil {
			t.Fatal(err)
		}
		const n = 7
		w.Items, w.NewItems = n, 0 // the shelves that can be searched through
		m := w.newMood()
		w.feel(m, w.User(rapid.IntRange(0, 50).Draw(t, "user")), 0)
		has := []int32{s.products[rapid.IntRange(0, n-1).Draw(t, "bought")]}
		j := &judge{World: w, goods: s}
		list := newOracle(s).show(m, has, 0)
		if got, want := j.worth(m, has, list), bestOfAll(j, m, has, n); got < want*(1-1e-12) {
			t.Fatalf("the oracle's list %v is worth %v; there is one of %v", list, got, want)
		}
	})
}

// On full shelves the short cut must lose nothing.
func TestOracleLosesNothingByItsShortCut(t *testing.T) {
	for _, goal := range []Goal{GoalClicks, GoalPurchases} {
		c := smallConfig()
		c.Goal = goal
		w := testWorld(t, c)
		s, err := newShelves(w)
		if err != nil {
			t.Fatal(err)
		}
		m, o := w.newMood(), newOracle(s)
		for u := range w.Users {
			w.feel(m, w.User(u), 1)
			var all []scored
			for i := range w.OnShelf(1) {
				click, purchase := m.chances(&s.goods[i], false)
				all = append(all, scored{i, click * goal.reward(purchase)})
			}
			slices.SortFunc(all, byScore)
			list := o.show(m, nil, 1)
			for k, n := range list {
				if all[k].item != n {
					t.Fatalf("user %d, goal %s: slot %d has item %d, want %d", u, goal, k+1, n, all[k].item)
				}
			}
			if len(list) != w.Limit {
				t.Fatalf("%d items, want %d", len(list), w.Limit)
			}
		}
	}
}
