package rerank

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The twin says what the package comment says, in plain steps, for policies without pins
// and reserved shares: the probability of every item in the slot after a beginning.
type twin struct {
	s  *stand
	in *Input
}

// closest is how close an item is to those placed.
func closest(s *stand, item int, placed []int) float64 {
	most, known := 0.0, 0.0
	for _, other := range placed {
		dot := 0.0
		for k := range s.vectors[item] {
			dot += float64(s.vectors[item][k]) * float64(s.vectors[other][k])
		}
		most = max(most, min(dot, 1))
	}
	mine := labelSet(s, item)
	for x := range mine {
		n := 0
		for _, other := range placed {
			if labelSet(s, other)[x] {
				n++
			}
		}
		known += (1 - math.Pow(2, -float64(min(n, 7)))) / float64(len(mine))
	}
	return (1-labelPart)*most + labelPart*known
}

func labelSet(s *stand, item int) map[string]bool {
	row, set := s.rows[item], map[string]bool{fmt.Sprint("brand ", s.rows[item].Brand): true}
	for _, x := range row.Tags {
		set[fmt.Sprint("tag ", x)] = true
	}
	for _, x := range row.Categories {
		set[fmt.Sprint("category ", x)] = true
	}
	return set
}

type one struct {
	item  int
	value float64
	tier  int
	isNew bool
}

// lined are all that may stand in a list, in order.
func (w *twin) lined() (out []one) {
	p := w.in.Policy
	for _, c := range w.in.Candidates {
		row := w.s.rows[c.Item]
		x := one{item: int(c.Item), value: c.Score - p.Fatigue.Weight*math.Log(1+c.Shown)}
		if c.Filler {
			x.tier = int(filler)
		}
		if p.Excludes(row, w.s, now) >= 0 {
			continue
		}
		for i := range p.Rules {
			if r := &p.Rules[i]; r.matches(row) && r.Action == Boost {
				x.value += math.Log(r.Factor)
			} else if r.matches(row) && r.Action == Bury {
				x.tier |= int(buried)
			}
		}
		x.isNew = now-row.Created < p.NewItems.MaxAge.Microseconds() || w.s.shown[c.Item] < float64(p.NewItems.MaxImpressions)
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b one) int {
		return compare(&key{tier: tier(a.tier), value: a.value, item: uint32(a.item)}, &key{tier: tier(b.tier), value: b.value, item: uint32(b.item)})
	})
	return out
}

func (w *twin) blocked(item int, prefix []int, caps bool) bool {
	p, row, slot := w.in.Policy, w.s.rows[item], len(prefix)+1
	if slices.Contains(prefix, item) {
		return true
	}
	for _, other := range prefix {
		if !p.KeepVariants && row.Group != 0 && row.Group == w.s.rows[other].Group {
			return true
		}
	}
	for _, c := range p.Caps {
		if !caps || c.Within > 0 && slot > c.Within {
			continue
		}
		label := func(item int) uint32 {
			r := w.s.rows[item]
			return [...]uint32{Category: r.Leaves[0], Brand: r.Brand, Seller: r.Seller}[c.By]
		}
		n := 0
		for _, other := range prefix {
			if label(other) == label(item) {
				n++
			}
		}
		if label(item) != 0 && n >= c.Most {
			return true
		}
	}
	return false
}

// pool is what a slot is chosen from.
func (w *twin) pool(all []one, prefix []int, caps, fresh bool, most int) (out []one) {
	groups := map[uint32]bool{}
	for _, x := range all {
		g := w.s.rows[x.item].Group
		if fresh && !x.isNew || w.blocked(x.item, prefix, caps) || len(out) == most || len(out) > 0 && out[0].tier != x.tier ||
			!w.in.Policy.KeepVariants && g != 0 && groups[g] {
			continue
		}
		groups[g] = true
		out = append(out, x)
	}
	return out
}

// distribution of the slot after a beginning.
func (w *twin) distribution(prefix []int) map[int]float64 {
	p, all, window := w.in.Policy, w.lined(), w.in.Window
	caps := len(w.pool(all, prefix, true, false, 1)) > 0
	chances := w.weigh(all, w.pool(all, prefix, caps, false, window), prefix, false)
	if news := w.pool(all, prefix, caps, true, window); len(news) > 0 && p.NewItems.Share > 0 && len(prefix) < window {
		for item := range chances {
			chances[item] *= 1 - p.NewItems.Share
		}
		for item, chance := range w.weigh(all, news, prefix, true) {
			chances[item] += p.NewItems.Share * chance
		}
	}
	return chances
}

// weigh gives those of a pool their chances.
func (w *twin) weigh(all, pool []one, prefix []int, fresh bool) map[int]float64 {
	p, chances := w.in.Policy, map[int]float64{}
	if len(pool) == 0 {
		return chances
	}
	if fresh && p.NewItems.Method == Thompson {
		return w.thompson(pool)
	}
	if fresh && p.NewItems.Method == UCB {
		chances[w.ucb(pool)] = 1
		return chances
	}
	unit := 0.0
	for i, x := range all {
		if i < w.in.Window && x.tier == all[0].tier {
			unit = all[0].value - x.value
		}
	}
	if unit == 0 {
		unit = 1
	}
	lambda, hot := w.in.Diversity, p.Explore.Temperature
	inside := len(prefix) < w.in.Window
	unit *= math.Min(1, float64(len(prefix))/9)
	value := func(x one) float64 {
		switch {
		case lambda == 0 || !inside:
			return x.value
		case lambda == 1:
			return -unit * closest(w.s, x.item, prefix)
		}
		return x.value - lambda/(1-lambda)*unit*closest(w.s, x.item, prefix)
	}
	if hot == 0 || !inside {
		best := pool[0]
		for _, x := range pool[1:] {
			if value(x) > value(best) {
				best = x
			}
		}
		chances[best.item] = 1
		return chances
	}
	most, sum := math.Inf(-1), 0.0
	for _, x := range pool {
		most = max(most, value(x))
	}
	for _, x := range pool {
		chances[x.item] = math.Exp((value(x) - most) / hot)
		sum += chances[x.item]
	}
	for item := range chances {
		chances[item] /= sum
	}
	return chances
}

func (w *twin) believed(item int) (hits, misses float64) {
	clicks, shown := w.s.Overall()
	return w.s.clicks[item] + 1, w.s.shown[item] - w.s.clicks[item] + shown/clicks - 1
}

func (w *twin) ucb(pool []one) int {
	_, all := w.s.Overall()
	found, most := -1, 0.0
	for _, x := range pool {
		a, b := w.believed(x.item)
		if bound := a/(a+b) + math.Sqrt(2*math.Log(1+all)/(a+b)); bound > most {
			found, most = x.item, bound
		}
	}
	return found
}

// thompson sums over all pairs of cells, one item at a time.
func (w *twin) thompson(pool []one) map[int]float64 {
	mass := make([][]float64, len(pool))
	for i, x := range pool {
		a, b := w.believed(x.item)
		sum := 0.0
		for g := range gridCells {
			at := math.Pow((float64(g)+0.5)/gridCells, 3)
			width := math.Pow(float64(g+1)/gridCells, 3) - math.Pow(float64(g)/gridCells, 3)
			density := math.Pow(at, a-1) * math.Pow(1-at, b-1) * width
			mass[i], sum = append(mass[i], density), sum+density
		}
		for g := range mass[i] {
			mass[i][g] /= sum
		}
	}
	chances := map[int]float64{}
	for i := range pool {
		for g := range gridCells {
			win := mass[i][g]
			for j := range pool {
				if j == i {
					continue
				}
				lower := 0.0
				for h := range gridCells {
					if h < g || h == g && j > i {
						lower += mass[j][h]
					}
				}
				win *= lower
			}
			chances[pool[i].item] += win
		}
	}
	return chances
}

func TestPropensitiesAreThoseOfThePlainTwin(t *testing.T) {
	s := newStand(14, 6)
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		p.Rules = slices.DeleteFunc(p.Rules, func(r Rule) bool { return r.Action == Pin || r.Action == Reserve })
		in := s.input(p, rapid.IntRange(1, 14).Draw(t, "limit"), rapid.Uint64().Draw(t, "seed"))
		in.Window = rapid.SampledFrom([]int{3, 8, 50}).Draw(t, "window")
		for i := range rapid.IntRange(0, 5).Draw(t, "fillers") {
			in.Candidates[2*i+1].Filler = true
		}
		out := make1(in)
		w := twin{s, in}
		var prefix []int
		for i, slot := range out.Slots {
			chances, sum := w.distribution(prefix), 0.0
			for _, chance := range chances {
				sum += chance
			}
			if got, want := slot.Propensity, chances[int(slot.Item)]; math.Abs(got-want) > 1e-5 || math.Abs(sum-1) > 1e-9 {
				t.Fatalf("slot %d after %v: item %d has propensity %v, the twin says %v of %v", i+1, prefix, slot.Item, got, want, chances)
			}
			prefix = append(prefix, int(slot.Item))
		}
	})
}

// TestThompsonIsADraw compares the probabilities with draws of beta variables.
func TestThompsonIsADraw(t *testing.T) {
	s := newStand(6, 8)
	s.clicks, s.shown = []float64{0, 1, 5, 0, 2, 30}, []float64{0, 4, 40, 10, 9, 100}
	p := &Policy{KeepVariants: true, NewItems: NewItems{Share: 1, MaxAge: 1000 * 24 * time.Hour, Method: Thompson}}
	for _, row := range s.rows {
		row.Created = now - 1
	}
	in := s.input(p, 1, 1)
	in.Window = 50
	w := twin{s, in}
	chances := w.distribution(nil)
	rng := rand.New(rand.NewPCG(1, 1))
	const draws = 200_000
	wins := [6]float64{}
	for range draws {
		best, most := 0, -1.0
		for item := range 6 {
			a, b := w.believed(item)
			if x := beta(rng, a, b); x > most {
				best, most = item, x
			}
		}
		wins[best]++
	}
	for item, n := range wins {
		if got := n / draws; math.Abs(got-chances[item]) > 0.04 { // a cell is up to 0.02 wide here
			t.Errorf("item %d: the grid says %.3f, continuous draws %.3f", item, chances[item], got)
		}
	}
}

// beta draws a beta variable from two gamma ones (Marsaglia and Tsang, 2000).
func beta(rng *rand.Rand, a, b float64) float64 {
	x, y := gamma(rng, a), gamma(rng, b)
	return x / (x + y)
}

func gamma(rng *rand.Rand, shape float64) float64 {
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := rng.NormFloat64()
		v := math.Pow(1+c*x, 3)
		if v > 0 && math.Log(rng.Float64()) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
