package rerank

// Outcome is what became of a candidate.
type Outcome uint8

const (
	// Left: it may stand, and others had the slots.
	Left Outcome = iota
	// Standing in the list.
	Standing
	// RuledOut: a rule excludes it.
	RuledOut
	// ShownEnough: it was shown today as often as a rule allows.
	ShownEnough
	// VariantStands: another variant of it is in the list.
	VariantStands
	// OverCap: a cap kept it out of the last slot.
	OverCap
)

// A Fate is what became of a candidate and why.
type Fate struct {
	Outcome Outcome
	// Rule of RuledOut and ShownEnough, Cap of OverCap, else -1.
	Rule, Cap int
	// Slot of Standing, from 1.
	Slot int
	// Place by value alone, from 1; 0 for one that a rule excludes.
	Place int
	// Value with boosts, burials and fatigue.
	Value float64
	// Matched are the rules that hold and match, bit i for rule i.
	Matched uint64
	// Item that stands in place of a VariantStands.
	Item uint32
}

// Fate tells what became of candidate at of the last input, until Release.
func (e *Engine) Fate(at int) Fate {
	f := Fate{Rule: -1, Cap: -1}
	k := e.fates[at]
	if k < 0 {
		f.Rule, f.Outcome = int(-1-k), RuledOut
		if e.in.Policy.Rules[f.Rule].Action == CapPerDay {
			f.Outcome = ShownEnough
		}
		f.Matched = 1 << f.Rule
		return f
	}
	c := &e.ranked[k]
	f.Place, f.Value, f.Matched = int(k)+1, c.value, c.rules
	if c.state == stands {
		f.Outcome, f.Slot = Standing, int(c.slot)
		return f
	}
	e.know(k)
	if c.group >= 0 && e.groups.owner[c.group] >= 0 {
		f.Outcome, f.Item = VariantStands, e.ranked[e.groups.owner[c.group]].item
		return f
	}
	if cap := e.caps.first(c, max(1, len(e.placed))); cap >= 0 {
		f.Outcome, f.Cap = OverCap, cap
	}
	return f
}
