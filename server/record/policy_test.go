package record

import (
	"math"
	"strings"
	"testing"
	"time"
)

func aPolicy() Policy {
	return Policy{
		Name: "calm", Seen: SeenKeep, Diversity: 0.5, HasDiversity: true, Temperature: 0.1,
		Caps: []PolicyCap{{Label: LabelBrand, Most: 2}},
		Rules: []PolicyRule{
			{Name: "pin", Item: "i", Action: RulePin, Slot: 1},
			{Name: "share", Condition: "in_stock", Action: RuleReserve, Share: 0.6},
			{Name: "boost", Condition: "in_stock", Action: RuleBoost, Factor: 2},
			{Name: "cap", Condition: "in_stock", Action: RuleDailyCap, PerDay: 5},
		},
		NewItems: NewItems{Share: 0.1, MaxAge: time.Hour}, Fatigue: Fatigue{Weight: 1},
	}
}

func TestPolicyFaultsNameTheirField(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		why  string
		edit func(*Policy)
		want string
	}{
		{"a whole one", func(*Policy) {}, ""},
		{"no name", func(p *Policy) { p.Name = "" }, "name"},
		{"capitals in the name", func(p *Policy) { p.Name = "Calm" }, "name"},
		{"long note", func(p *Policy) { p.Note = strings.Repeat("x", MaxNote+1) }, "note"},
		{"unknown seen policy", func(p *Policy) { p.Seen = "hide" }, "seen_policy"},
		{"diversity NaN", func(p *Policy) { p.Diversity = math.NaN() }, "diversity"},
		{"temperature below 0", func(p *Policy) { p.Temperature = -1 }, "exploration.temperature"},
		{"temperature infinite", func(p *Policy) { p.Temperature = math.Inf(1) }, "exploration.temperature"},
		{"the largest temperature", func(p *Policy) { p.Temperature = MaxTemperature }, ""},
		{"too many caps", func(p *Policy) { p.Caps = make([]PolicyCap, MaxCaps+1) }, "caps"},
		{"empty cap", func(p *Policy) { p.Caps[0] = PolicyCap{} }, "caps[0].label caps[0].most"},
		{"too many rules", func(p *Policy) { p.Rules = make([]PolicyRule, MaxRules+1) }, "rules"},
		{"empty rule", func(p *Policy) { p.Rules[0] = PolicyRule{} }, "rules[0].name rules[0].condition rules[0].action"},
		{"a name twice", func(p *Policy) { p.Rules[1].Name = "pin" }, "rules[1].name"},
		{"slot 0", func(p *Policy) { p.Rules[0].Slot = 0 }, "rules[0].pin.slot"},
		{"slot far below", func(p *Policy) { p.Rules[0].Slot = MaxSlot + 1 }, "rules[0].pin.slot"},
		{"two pins on one slot", func(p *Policy) {
			p.Rules = append(p.Rules, PolicyRule{Name: "pin2", Item: "k", Action: RulePin, Slot: 1})
		}, "rules[4].pin.slot"},
		{"two pins on one slot of other surfaces", func(p *Policy) {
			p.Rules[0].Surfaces = []string{"home"}
			p.Rules = append(p.Rules, PolicyRule{Name: "pin2", Item: "k", Action: RulePin, Slot: 1, Surfaces: []string{"cart"}})
		}, ""},
		{"two pins on one slot one after the other", func(p *Policy) {
			p.Rules[0].Until = noon
			p.Rules = append(p.Rules, PolicyRule{Name: "pin2", Item: "k", Action: RulePin, Slot: 1, From: noon})
		}, ""},
		{"shares above 1", func(p *Policy) {
			p.Rules = append(p.Rules, PolicyRule{Name: "more", Item: "k", Action: RuleReserve, Share: 0.5})
		}, "rules[4].reserve.share"},
		{"share 0", func(p *Policy) { p.Rules[1].Share = 0 }, "rules[1].reserve.share"},
		{"factor NaN", func(p *Policy) { p.Rules[2].Factor = math.NaN() }, "rules[2].boost.factor"},
		{"factor 0", func(p *Policy) { p.Rules[2].Factor = 0 }, "rules[2].boost.factor"},
		{"cap 0", func(p *Policy) { p.Rules[3].PerDay = 0 }, "rules[3].daily_cap.most"},
		{"times the wrong way", func(p *Policy) { p.Rules[0].From, p.Rules[0].Until = noon, noon }, "rules[0].until_time"},
		{"an empty surface, and one twice", func(p *Policy) { p.Rules[0].Surfaces = []string{"", "a", "a"} }, "rules[0].surfaces[0] rules[0].surfaces[2]"},
		{"new items that are none", func(p *Policy) { p.NewItems.MaxAge = 0 }, "new_items"},
		{"share of new items", func(p *Policy) { p.NewItems.Share = 2 }, "new_items.share"},
		{"fatigue NaN", func(p *Policy) { p.Fatigue.Weight = math.NaN() }, "fatigue.weight"},
		{"half-life too short", func(p *Policy) { p.Fatigue.HalfLife = time.Second }, "fatigue.half_life"},
	} {
		p := aPolicy()
		c.edit(&p)
		if got := fields(p.Validate()); got != c.want {
			t.Errorf("%s: got %q, want %q", c.why, got, c.want)
		}
	}
}

func anExperiment() Experiment {
	return Experiment{
		Name: "tea", Status: ExperimentRunning, LayerFrom: 0.25, LayerUntil: 0.5,
		Variants: []Variant{{Name: "control", Share: 0.5}, {Name: "b", Policy: "calm", Share: 0.5, Users: []string{"ann"}}},
	}
}

func TestExperimentFaultsNameTheirField(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		why  string
		edit func(*Experiment)
		want string
	}{
		{"a whole one", func(*Experiment) {}, ""},
		{"no name", func(e *Experiment) { e.Name = "" }, "name"},
		{"no variants", func(e *Experiment) { e.Variants = nil }, "variants"},
		{"shares above 1", func(e *Experiment) { e.Variants[0].Share = 0.6 }, "variants"},
		{"a share between steps", func(e *Experiment) { e.Variants[0].Share = 0.12345 }, "variants[0].share"},
		{"a share NaN", func(e *Experiment) { e.Variants[0].Share = math.NaN() }, "variants[0].share"},
		{"a variant twice", func(e *Experiment) { e.Variants[1].Name = "control" }, "variants[1].name"},
		{"somebody listed in two", func(e *Experiment) { e.Variants[0].Users = []string{"ann"} }, "variants[1].user_ids[0]"},
		{"a part the wrong way", func(e *Experiment) { e.LayerUntil = 0.25 }, "layer_until"},
		{"an end before the start", func(e *Experiment) { e.Start, e.End = noon, noon }, "end_time"},
		{"no status", func(e *Experiment) { e.Status = 0 }, "status"},
		{"an empty id", func(e *Experiment) { e.Excluded = []string{""} }, "excluded_user_ids[0]"},
	} {
		e := anExperiment()
		c.edit(&e)
		if got := fields(e.Validate()); got != c.want {
			t.Errorf("%s: got %q, want %q", c.why, got, c.want)
		}
	}
}

// TestExperimentsThatShareNobodyDoNotClash covers what keeps two apart.
func TestExperimentsThatShareNobodyDoNotClash(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		why  string
		edit func(a, b *Experiment)
		want bool
	}{
		{"nothing keeps them apart", func(_, _ *Experiment) {}, true},
		{"one is a draft", func(_, b *Experiment) { b.Status = ExperimentDraft }, false},
		{"other surfaces", func(a, b *Experiment) { a.Surfaces, b.Surfaces = []string{"home"}, []string{"cart"} }, false},
		{"one is on all surfaces", func(a, _ *Experiment) { a.Surfaces = []string{"home"} }, true},
		{"one after the other", func(a, b *Experiment) { a.End, b.Start = noon, noon }, false},
		{"parts of one layer", func(a, b *Experiment) { a.Layer, b.Layer, b.LayerFrom, b.LayerUntil = "l", "l", 0.5, 1 }, false},
		{"overlapping parts", func(a, b *Experiment) { a.Layer, b.Layer, b.LayerFrom, b.LayerUntil = "l", "l", 0.4, 1 }, true},
		{"other layers", func(a, b *Experiment) { a.Layer, b.Layer, b.LayerFrom, b.LayerUntil = "l", "m", 0.5, 1 }, true},
	} {
		a, b := anExperiment(), anExperiment()
		b.Name = "coffee"
		c.edit(&a, &b)
		if a.Clashes(&b) != c.want || b.Clashes(&a) != c.want {
			t.Errorf("%s: clash is %v and %v, want %v", c.why, a.Clashes(&b), b.Clashes(&a), c.want)
		}
	}
}

func TestExperimentRunsWithinItsTimesWhileItHasTheStatus(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		why  string
		edit func(*Experiment)
		want bool
	}{
		{"without times", func(*Experiment) {}, true},
		{"a draft", func(e *Experiment) { e.Status = ExperimentDraft }, false},
		{"stopped", func(e *Experiment) { e.Status = ExperimentStopped }, false},
		{"from now on", func(e *Experiment) { e.Start = noon }, true},
		{"from later on", func(e *Experiment) { e.Start = noon.Add(1) }, false},
		{"until later", func(e *Experiment) { e.End = noon.Add(1) }, true},
		{"until now", func(e *Experiment) { e.End = noon }, false},
	} {
		e := anExperiment()
		c.edit(&e)
		if e.RunsAt(noon) != c.want {
			t.Errorf("%s: runs is %v", c.why, !c.want)
		}
	}
	e := anExperiment()
	e.Surfaces = []string{"home"}
	if !e.On("home") || e.On("cart") {
		t.Error("it runs on other surfaces")
	}
}
