package rerank

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// mixtures are policies in which all that touches a probability meets.
func mixtures() map[string]*Policy {
	day := 24 * time.Hour
	rules := []Rule{
		{Name: "no thirds", Action: Exclude, HasItem: true, Item: 5},
		{Name: "twice a day", Action: CapPerDay, Match: ofBrand(2), PerDay: 3},
		{Name: "first", Action: Pin, HasItem: true, Item: 7, Slot: 2},
		{Name: "brand 3", Action: Reserve, Match: ofBrand(3), Share: 0.4},
		{Name: "up", Action: Boost, Match: ofBrand(1), Factor: 3},
		{Name: "down", Action: Bury, HasItem: true, Item: 2},
	}
	caps := []Cap{{By: Category, Most: 1, Within: 3}, {By: Brand, Most: 2}}
	return map[string]*Policy{
		"temperature alone":       {Explore: Exploration{Temperature: 1}},
		"diversity":               {Explore: Exploration{Temperature: 0.7}, Diversity: 0.4},
		"new items":               {NewItems: NewItems{Share: 0.3, MaxAge: day}, Explore: Exploration{Temperature: 1}},
		"new items, else certain": {NewItems: NewItems{Share: 0.4, MaxAge: day}, Diversity: 0.3},
		"thompson":                {NewItems: NewItems{Share: 0.5, MaxAge: day, Method: Thompson}, Explore: Exploration{Temperature: 2}},
		"ucb":                     {NewItems: NewItems{Share: 0.5, MaxImpressions: 20, Method: UCB}, Explore: Exploration{Temperature: 2}},
		"all of it": {Rules: rules, Caps: caps, Diversity: 0.3, Explore: Exploration{Temperature: 1.5},
			NewItems: NewItems{Share: 0.3, MaxAge: day, Method: Thompson}, Fatigue: Fatigue{Weight: 0.5, HalfLife: day}},
		"all of it, by score": {Rules: rules, Caps: caps, Diversity: 0.6, Explore: Exploration{Temperature: 0.5},
			NewItems: NewItems{Share: 0.5, MaxAge: day}, KeepVariants: true},
	}
}

// TestTheLoggedPropensityIsTheFrequency draws 100,000 lists of each policy and compares,
// for every slot after every beginning, how often each item came with its propensity.
func TestTheLoggedPropensityIsTheFrequency(t *testing.T) {
	draws := 100_000
	if testing.Short() {
		draws = 10_000
	}
	s := newStand(9, 4)
	for name, p := range mixtures() {
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { simulate(t, s, p, draws) })
	}
}

type outcome struct {
	propensity float64
	times      int
}

func simulate(t *testing.T, s *stand, p *Policy, draws int) {
	var e Engine
	var out List
	in := s.input(p, 4, 0)
	visits, outcomes := map[string]int{}, map[string]map[uint32]*outcome{}
	for seed := range draws {
		in.Seed = uint64(seed)
		e.Rerank(in, &out)
		prefix := ""
		for i := range out.Slots {
			slot := &out.Slots[i]
			visits[prefix]++
			if outcomes[prefix] == nil {
				outcomes[prefix] = map[uint32]*outcome{}
			}
			o := outcomes[prefix][slot.Item]
			if o == nil {
				o = &outcome{propensity: slot.Propensity}
				outcomes[prefix][slot.Item] = o
			}
			if o.times++; o.propensity != slot.Propensity {
				t.Fatalf("after %q item %d had propensity %v, then %v", prefix, slot.Item, o.propensity, slot.Propensity)
			}
			prefix += fmt.Sprint(slot.Item, " ")
		}
	}
	largest, compared, chance := 0.0, 0, 0
	for prefix, all := range outcomes {
		n, sum := float64(visits[prefix]), 0.0
		for item, o := range all {
			sum += o.propensity
			if o.propensity < 1 {
				chance++
			}
			expected := n * o.propensity
			if expected < 25 || n-expected < 25 {
				continue
			}
			compared++
			deviation := math.Abs(float64(o.times)-expected) / math.Sqrt(expected*(1-o.propensity))
			largest = max(largest, deviation)
			if deviation > 4.8 {
				t.Errorf("after %q item %d came %d times of %v with propensity %v: %.1f standard errors", prefix, item, o.times, n, o.propensity, deviation)
			}
		}
		// What never came has little probability.
		if sum > 1+1e-9 || n > 1000 && sum < 0.95 {
			t.Errorf("after %q the propensities of what came in %v visits add up to %v", prefix, n, sum)
		}
	}
	if compared < 5 || chance == 0 {
		t.Errorf("%d frequencies compared, %d outcomes by chance: too few to mean anything", compared, chance)
	}
	t.Logf("%d frequencies compared, largest deviation %.2f standard errors", compared, largest)
}
