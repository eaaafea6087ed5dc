package rerank

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestWhatIsOutOfRangeIsRefusedByName(t *testing.T) {
	nan := math.NaN()
	rule := func(r Rule) Policy {
		if r.Name == "" {
			r.Name = "r"
		}
		return Policy{Rules: []Rule{r}}
	}
	for says, p := range map[string]Policy{
		"Diversity is NaN":                {Diversity: nan},
		"17 caps":                         {Caps: make([]Cap, MaxCaps+1)},
		"65 rules":                        {Rules: make([]Rule, MaxRules+1)},
		"Explore.Temperature is -1":       {Explore: Exploration{Temperature: -1}},
		"NewItems.Share is 2":             {NewItems: NewItems{Share: 2}},
		"MaxAge -1ns":                     {NewItems: NewItems{MaxAge: -1}},
		"Fatigue.Weight is NaN":           {Fatigue: Fatigue{Weight: nan}},
		"Fatigue.HalfLife is 0s":          {Fatigue: Fatigue{Weight: 1}},
		"caps[0]: rerank: bad policy: By": {Caps: []Cap{{By: labelCount, Most: 1}}},
		"Most is 0":                       {Caps: []Cap{{}}},
		"Within is 1001":                  {Caps: []Cap{{Most: 1, Within: MaxWithin + 1}}},
		"Name has 64 bytes":               rule(Rule{Name: strings.Repeat("x", 64), Action: Bury}),
		"Until is 5":                      rule(Rule{Action: Bury, From: 5, Until: 5}),
		"Action is 0":                     rule(Rule{}),
		"Slot is 201":                     rule(Rule{Action: Pin, Slot: 201}),
		"Share is 0":                      rule(Rule{Action: Reserve}),
		"Factor is NaN":                   rule(Rule{Action: Boost, Factor: nan}),
		"PerDay is -1":                    rule(Rule{Action: CapPerDay, PerDay: -1}),
	} {
		if err := p.Validate(); !errors.Is(err, ErrPolicy) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want ErrPolicy that says %q", err, says)
		}
	}
	for name, p := range mixtures() {
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRulesHoldBetweenTheirTimes(t *testing.T) {
	r := Rule{From: now, Until: now + 10}
	for at, want := range map[int64]bool{now - 1: false, now: true, now + 9: true, now + 10: false} {
		if r.Holds(at) != want {
			t.Errorf("at %d: %v", at-now, !want)
		}
	}
}

func TestFatesAreTold(t *testing.T) {
	s := newStand(12, 1)
	p := &Policy{Caps: []Cap{{By: Brand, Most: 1}}, NewItems: NewItems{Share: 0, MaxAge: time.Hour}, Rules: []Rule{
		{Name: "out", Action: Exclude, HasItem: true, Item: 0}, {Name: "enough", Action: CapPerDay, HasItem: true, Item: 1, PerDay: 0},
		{Name: "pin", Action: Pin, HasItem: true, Item: 2, Slot: 1}, {Name: "cap", Action: Boost, HasItem: true, Item: 4, Factor: 0.5},
	}}
	var e Engine
	var out List
	e.Rerank(s.input(p, 3, 1), &out)
	if f := e.Fate(0); f.Outcome != RuledOut || f.Rule != 0 || f.Place != 0 {
		t.Errorf("excluded: %+v", f)
	}
	if f := e.Fate(1); f.Outcome != ShownEnough || f.Rule != 1 {
		t.Errorf("shown enough: %+v", f)
	}
	if f := e.Fate(2); f.Outcome != Standing || f.Slot != 1 || f.Matched != 1<<2 {
		t.Errorf("pinned: %+v", f)
	}
	if f := e.Fate(3); f.Outcome != VariantStands || f.Item != 2 {
		t.Errorf("a variant of what is pinned: %+v", f)
	}
	if f := e.Fate(4); f.Matched != 1<<3 {
		t.Errorf("boosted: %+v", f)
	}
	capped := 0
	for at := 4; at < 12; at++ {
		if f := e.Fate(at); f.Outcome == OverCap && f.Cap == 0 {
			capped++
		}
	}
	if capped == 0 {
		t.Error("three brands stand with one each, and nothing is told to be capped")
	}
}
