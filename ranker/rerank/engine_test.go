package rerank

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

func TestZeroPolicyOrdersByScore(t *testing.T) {
	in := &Input{Candidates: []Candidate{{Item: 3, Score: 1}, {Item: 1, Score: 2}, {Item: 2, Score: 2}}, Policy: &Policy{}, Limit: 5}
	out := make1(in)
	if got := items(&out); !slices.Equal(got, []uint32{1, 2, 3}) {
		t.Fatalf("%v, want 1, 2, 3", got)
	}
	for i, s := range out.Slots {
		if s.Propensity != 1 || s.Fill != ByRank || s.Rule != -1 || int(s.Place) != i+1 || s.Penalty != 0 {
			t.Errorf("slot %d: %+v", i+1, s)
		}
	}
}

func TestDefinedAnswersAtTheEdges(t *testing.T) {
	s := newStand(8, 1)
	nan := math.NaN()
	all := func(*catalog.Row) bool { return true }
	long := newStand(10_000, 1)
	for _, c := range []struct {
		name   string
		in     *Input
		policy Policy
		want   int // items
	}{
		{"no candidate", &Input{}, Policy{Explore: Exploration{Temperature: 1}, Diversity: 1}, 0},
		{"one candidate", &Input{Candidates: []Candidate{{Item: 1, Score: 3}}}, Policy{Explore: Exploration{Temperature: 1}, Diversity: 1}, 1},
		{"all excluded", s.input(&Policy{}, 5, 1), Policy{Rules: []Rule{{Name: "none", Action: Exclude, Match: where(all)}}}, 0},
		{"no score at all", &Input{Candidates: []Candidate{{Item: 1, Score: nan}, {Item: 2, Score: nan}, {Item: 3, Score: math.Inf(1)}}}, Policy{Explore: Exploration{Temperature: 1}}, 3},
		{"coldest", s.input(&Policy{}, 5, 1), Policy{Explore: Exploration{Temperature: 1e-300}}, 5},
		{"hottest", s.input(&Policy{}, 5, 1), Policy{Explore: Exploration{Temperature: MaxTemperature}}, 5},
		{"ten thousand", long.input(&Policy{}, 10, 1), Policy{Explore: Exploration{Temperature: 1}, Diversity: 0.3, Caps: []Cap{{By: Brand, Most: 4}}}, 10},
	} {
		c.policy.KeepVariants = true
		c.in.Policy, c.in.Diversity, c.in.Limit = &c.policy, c.policy.Diversity, max(5, c.in.Limit)
		out := make1(c.in)
		if len(out.Slots) != c.want {
			t.Errorf("%s: %d items, want %d", c.name, len(out.Slots), c.want)
		}
		for i, slot := range out.Slots {
			if !(slot.Propensity > 0 && slot.Propensity <= 1) || math.IsNaN(slot.Value) {
				t.Errorf("%s: slot %d has propensity %v and value %v", c.name, i+1, slot.Propensity, slot.Value)
			}
		}
	}
}

func TestHeatMakesOrderUniformAndColdMakesItCertain(t *testing.T) {
	in := &Input{Candidates: []Candidate{{Item: 1, Score: 5}, {Item: 2, Score: 1}, {Item: 3, Score: -4}, {Item: 4, Score: 0}}, Policy: &Policy{Explore: Exploration{Temperature: MaxTemperature}}, Limit: 4}
	for i, s := range make1(in).Slots {
		if want := 1 / float64(4-i); math.Abs(s.Propensity-want) > 1e-5 || s.Fill != Drawn {
			t.Errorf("slot %d: propensity %v, want %v, drawn", i+1, s.Propensity, want)
		}
	}
	in.Policy = &Policy{Explore: Exploration{Temperature: 1e-9}}
	cold := make1(in)
	if got := items(&cold); !slices.Equal(got, []uint32{1, 2, 4, 3}) || cold.Slots[0].Propensity != 1 {
		t.Errorf("%v with %v, want 1, 2, 4, 3 with 1", got, cold.Slots[0].Propensity)
	}
}

func TestWithoutAScoreBehindThoseThatHaveOne(t *testing.T) {
	in := &Input{Candidates: []Candidate{{Item: 4, Score: math.NaN()}, {Item: 9, Score: -1e9}, {Item: 3, Score: math.Inf(-1)}, {Item: 1, Score: 2}}, Policy: &Policy{}, Limit: 4}
	out := make1(in)
	if got := items(&out); !slices.Equal(got, []uint32{1, 9, 3, 4}) {
		t.Errorf("%v, want 1, 9, then 3 and 4, which have no score", got)
	}
}

func TestPinsAreKeptInOrder(t *testing.T) {
	s := newStand(12, 3)
	p := &Policy{KeepVariants: true, Caps: []Cap{{By: Brand, Most: 1}}, Rules: []Rule{
		{Name: "a", Action: Pin, HasItem: true, Item: 4, Slot: 3},
		{Name: "b", Action: Pin, HasItem: true, Item: 7, Slot: 3},                     // moves to 4
		{Name: "c", Action: Pin, HasItem: true, Item: 4, Slot: 1},                     // has a slot already
		{Name: "d", Action: Pin, HasItem: true, Item: 99, Slot: 1},                    // is no candidate
		{Name: "e", Action: Pin, HasItem: true, Item: 2, Slot: 9},                     // past the end
		{Name: "f", Action: Pin, HasItem: true, Item: 2, Slot: 1, Until: now},         // is over
		{Name: "g", Action: Exclude, HasItem: true, Item: 8},                          //
		{Name: "h", Action: Pin, HasItem: true, Item: 8, Slot: 1},                     // is excluded
		{Name: "i", Action: Pin, Match: ofBrand(3), HasItem: true, Item: 9, Slot: 1},  // does not meet its condition
		{Name: "j", Action: Pin, Match: ofBrand(2), HasItem: true, Item: 10, Slot: 2}, // passes the cap of its brand
	}}
	out := make1(s.input(p, 5, 1))
	if got := items(&out); got[2] != 4 || got[3] != 7 || got[1] != 10 {
		t.Errorf("%v, want 10, 4, 7 from slot 2 on", got)
	}
	for _, slot := range out.Slots[1:4] {
		if slot.Fill != Pinned || slot.Propensity != 1 {
			t.Errorf("%+v, want pinned with propensity 1", slot)
		}
	}
	want := []Conflict{{PinMoved, 1, -1, 4, 1}, {PinTaken, 2, -1, 1, 1}, {PinMissing, 3, -1, 1, 1}, {PinBeyond, 4, -1, 9, 1}, {PinExcluded, 7, -1, 1, 1}, {PinMissing, 8, -1, 1, 1}}
	if got := out.Conflicts[:len(want)]; !slices.Equal(got, want) {
		t.Errorf("conflicts %v\nwant      %v", got, want)
	}
	// The three pins are all of brand 2: no fourth item of it may stand.
	for _, i := range []int{0, 4} {
		if s.rows[out.Slots[i].Item].Brand == 2 {
			t.Errorf("slot %d shows item %d of a brand that is full", i+1, out.Slots[i].Item)
		}
	}
}

func TestAPinPastTheLastItemMovesUp(t *testing.T) {
	p := &Policy{Rules: []Rule{{Name: "late", Action: Pin, HasItem: true, Item: 1, Slot: 6}}}
	s := newStand(3, 1)
	out := make1(s.input(p, 8, 1))
	if got := items(&out); len(got) != 3 || got[2] != 1 || out.Slots[2].Fill != Pinned || len(out.Conflicts) != 1 {
		t.Errorf("%v with %v, want 1 last of three, pinned, and that told", got, out.Conflicts)
	}
}

func TestCapsGiveWayOnlyForEmptySlots(t *testing.T) {
	s := newStand(9, 1)
	p := &Policy{KeepVariants: true, Caps: []Cap{{By: Brand, Most: 2}}}
	out := make1(s.input(p, 8, 1))
	count := map[uint32]int{}
	for i, slot := range out.Slots {
		if count[s.rows[slot.Item].Brand]++; i < 6 && count[s.rows[slot.Item].Brand] > 2 {
			t.Errorf("slot %d goes over the cap while there is choice", i+1)
		}
	}
	want := []Conflict{{CapGaveWay, -1, 0, 7, 2}}
	if len(out.Slots) != 8 || !slices.Equal(out.Conflicts, want) {
		t.Errorf("%d slots, conflicts %v, want 8 and %v", len(out.Slots), out.Conflicts, want)
	}
}

func TestACapEndsWithItsSlots(t *testing.T) {
	s := newStand(30, 1)
	p := &Policy{KeepVariants: true, Caps: []Cap{{By: Brand, Most: 1, Within: 3}}, Rules: []Rule{{Name: "ones", Action: Boost, Match: ofBrand(1), Factor: 1e6}}}
	out := make1(s.input(p, 10, 1))
	for i, slot := range out.Slots {
		if ones := s.rows[slot.Item].Brand == 1; ones != (i == 0 || i >= 3) {
			t.Errorf("slot %d: item of brand 1 %v; they want all slots and may not have 2 and 3", i+1, ones)
		}
	}
}

func TestReservedSharesOfEveryBeginning(t *testing.T) {
	s := newStand(60, 1)
	down := Rule{Name: "down", Action: Boost, Factor: 1e-6, Match: where(func(r *catalog.Row) bool { return r.Brand != 3 })}
	p := &Policy{KeepVariants: true, Rules: []Rule{{Name: "ones", Action: Reserve, Match: ofBrand(1), Share: 0.5}, {Name: "twos", Action: Reserve, Match: ofBrand(2), Share: 0.5}, down}}
	out := make1(s.input(p, 20, 1))
	have := [4]int{}
	for i, slot := range out.Slots {
		have[s.rows[slot.Item].Brand]++
		if have[1] < (i+1)/2 || have[2] < (i+1)/2 {
			t.Fatalf("after %d slots %v, want half of each of brands 1 and 2", i+1, have)
		}
	}
	if len(out.Conflicts) > 0 || out.Slots[0].Fill != Reserved || out.Slots[0].Rule != 0 {
		t.Errorf("conflicts %v, first slot %+v", out.Conflicts, out.Slots[0])
	}
	p.Rules[0].Match, p.Rules[1].Share = where(func(r *catalog.Row) bool { return r.Number == 12 }), 0.1
	out = make1(s.input(p, 6, 1))
	if want := []Conflict{{ReserveShort, 0, -1, 4, 3}}; !slices.Equal(out.Conflicts, want) {
		t.Errorf("one item for half of the list: %v, want %v", out.Conflicts, want)
	}
}

func TestDiversityOfOneAsksForNothingButVariety(t *testing.T) {
	s := newStand(12, 5)
	p := &Policy{KeepVariants: true, Diversity: 1}
	in := s.input(p, 4, 1)
	out := make1(in)
	var placed []int
	for i, slot := range out.Slots {
		// Nobody left is further from what stands.
		if i > 0 {
			if mine, least := closest(s, int(slot.Item), placed), leastClose(s, placed); mine > least+1e-6 {
				t.Errorf("slot %d is %v close to what stands, and there is one %v close", i+1, mine, least)
			}
		}
		placed = append(placed, int(slot.Item))
	}
}

func leastClose(s *stand, placed []int) float64 {
	least := math.Inf(1)
	for i := range s.rows {
		if !slices.Contains(placed, i) {
			least = min(least, closest(s, i, placed))
		}
	}
	return least
}

func TestFatigueLowersWhatWasShown(t *testing.T) {
	in := &Input{Candidates: []Candidate{{Item: 1, Score: 1, Shown: 3}, {Item: 2, Score: 0.5}}, Policy: &Policy{Fatigue: Fatigue{Weight: 1, HalfLife: time.Hour}}, Limit: 2}
	out := make1(in)
	if want := 1 - math.Log(4); out.Slots[0].Item != 2 || math.Abs(out.Slots[1].Value-want) > 1e-12 {
		t.Errorf("%+v, want item 2, then 1 with %v", out.Slots, want)
	}
}

// TestAnyPolicyKeepsItsPromises over random policies: what is told of a list is true of it.
func TestAnyPolicyKeepsItsPromises(t *testing.T) {
	s := newStand(40, 2)
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		in := s.input(p, rapid.IntRange(1, 50).Draw(t, "limit"), rapid.Uint64().Draw(t, "seed"))
		in.Window = rapid.SampledFrom([]int{0, 3, 10}).Draw(t, "window")
		out, again := make1(in), make1(in)
		if !reflect.DeepEqual(out, again) {
			t.Fatalf("the same input gave %v, then %v", out, again)
		}
		checkList(t, s, in, &out)
	})
}

func checkList(t *rapid.T, s *stand, in *Input, out *List) {
	p, met, group := in.Policy, map[uint32]bool{}, map[uint32]uint32{}
	allowed := map[uint32]bool{}
	for _, c := range in.Candidates {
		if row := s.rows[c.Item]; p.Excludes(row, s, now) < 0 {
			allowed[row.Number] = true
		}
	}
	for i, slot := range out.Slots {
		row := s.rows[slot.Item]
		if met[slot.Item] || !allowed[slot.Item] {
			t.Fatalf("item %d in slot %d stands twice or is excluded", slot.Item, i+1)
		}
		met[slot.Item] = true
		if other, ok := group[row.Group]; ok && row.Group != 0 && !p.KeepVariants {
			t.Fatalf("items %d and %d are variants of one product", other, slot.Item)
		}
		group[row.Group] = slot.Item
		if !(slot.Propensity > 0 && slot.Propensity <= 1) || slot.Fill == Pinned && slot.Propensity != 1 || slot.Penalty < 0 {
			t.Fatalf("slot %d: %+v", i+1, slot)
		}
		if (slot.Fill == Pinned || slot.Fill == Reserved) != (slot.Rule >= 0) {
			t.Fatalf("slot %d: %+v", i+1, slot)
		}
	}
	// Short only when nothing is left.
	if len(out.Slots) < in.Limit {
		for item := range allowed {
			if g := s.rows[item].Group; !met[item] && (p.KeepVariants || g == 0 || group[g] == 0 && !met[0]) {
				if _, ok := group[g]; !ok || g == 0 || p.KeepVariants {
					t.Fatalf("%d slots of %d, and item %d is left", len(out.Slots), in.Limit, item)
				}
			}
		}
	}
	checkCaps(t, s, in, out)
	checkReserves(t, s, in, out)
}

func checkCaps(t *rapid.T, s *stand, in *Input, out *List) {
	for k, cap := range in.Policy.Caps {
		gaveWay := slices.ContainsFunc(out.Conflicts, func(c Conflict) bool { return c.Why == CapGaveWay && int(c.Cap) == k })
		count := map[uint32]int{}
		for i, slot := range out.Slots {
			if cap.Within != 0 && i >= cap.Within {
				break
			}
			row := s.rows[slot.Item]
			label := [...]uint32{Category: row.Leaves[0], Brand: row.Brand, Seller: row.Seller}[cap.By]
			if count[label]++; label != 0 && count[label] > cap.Most && !gaveWay && !slices.ContainsFunc(out.Slots, func(s Slot) bool { return s.Fill == Pinned }) {
				t.Fatalf("slot %d goes over cap %d, and nothing is told: %v", i+1, k, out.Conflicts)
			}
		}
	}
}

func checkReserves(t *rapid.T, s *stand, in *Input, out *List) {
	for k := range in.Policy.Rules {
		r := &in.Policy.Rules[k]
		if r.Action != Reserve {
			continue
		}
		told := slices.ContainsFunc(out.Conflicts, func(c Conflict) bool { return int(c.Rule) == k })
		have := 0
		for i, slot := range out.Slots {
			if r.matches(s.rows[slot.Item]) {
				have++
			}
			if float64(have) < math.Floor(r.Share*float64(i+1)+1e-9) && !told {
				t.Fatalf("rule %d has %d of %d slots, and nothing is told", k, have, i+1)
			}
		}
	}
}

func drawPolicy(t *rapid.T) *Policy {
	share := func(name string) float64 { return rapid.SampledFrom([]float64{0, 0.25, 0.5, 1}).Draw(t, name) }
	p := &Policy{
		Diversity: share("diversity"), Explore: Exploration{Temperature: rapid.SampledFrom([]float64{0, 0.5, 5, 1e6}).Draw(t, "temperature")},
		NewItems:     NewItems{Share: share("new"), MaxAge: 24 * time.Hour, MaxImpressions: 10, Method: Method(rapid.IntRange(0, 2).Draw(t, "method"))},
		KeepVariants: rapid.Bool().Draw(t, "variants"),
		Fatigue:      Fatigue{Weight: share("fatigue"), HalfLife: time.Hour},
	}
	for range rapid.IntRange(0, 3).Draw(t, "caps") {
		p.Caps = append(p.Caps, Cap{By: Label(rapid.IntRange(0, 2).Draw(t, "by")), Most: rapid.IntRange(1, 3).Draw(t, "most"), Within: rapid.IntRange(0, 12).Draw(t, "within")})
	}
	for range rapid.IntRange(0, 6).Draw(t, "rules") {
		r := Rule{Name: "r", Action: Action(rapid.IntRange(1, 6).Draw(t, "action")), Slot: rapid.IntRange(1, 12).Draw(t, "slot"), Share: rapid.SampledFrom([]float64{0.2, 0.5, 1}).Draw(t, "share"),
			Factor: rapid.SampledFrom([]float64{0.1, 10}).Draw(t, "factor"), PerDay: rapid.IntRange(0, 4).Draw(t, "per day")}
		if rapid.Bool().Draw(t, "by item") {
			r.HasItem, r.Item = true, rapid.Uint32Range(0, 41).Draw(t, "item")
		} else {
			r.Match = ofBrand(rapid.Uint32Range(1, 4).Draw(t, "brand"))
		}
		p.Rules = append(p.Rules, r)
	}
	return p
}
