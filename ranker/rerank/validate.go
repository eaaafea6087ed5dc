package rerank

import (
	"errors"
	"fmt"
)

// ErrPolicy: a field of a policy is out of its range.
var ErrPolicy = errors.New("rerank: bad policy")

// Validate refuses what lies out of range; the error names the field, its value and the
// range.
func (p *Policy) Validate() error {
	switch {
	case !(p.Diversity >= 0 && p.Diversity <= 1):
		return bad("Diversity is %v; it must lie in [0, 1]", p.Diversity)
	case len(p.Caps) > MaxCaps:
		return bad("%d caps; at most %d: leave some out", len(p.Caps), MaxCaps)
	case len(p.Rules) > MaxRules:
		return bad("%d rules; at most %d: join conditions with ||", len(p.Rules), MaxRules)
	case !(p.Explore.Temperature >= 0 && p.Explore.Temperature <= MaxTemperature):
		return bad("Explore.Temperature is %v; it must lie in [0, %v]", p.Explore.Temperature, float64(MaxTemperature))
	case !(p.NewItems.Share >= 0 && p.NewItems.Share <= 1):
		return bad("NewItems.Share is %v; it must lie in [0, 1]", p.NewItems.Share)
	case p.NewItems.MaxAge < 0 || p.NewItems.MaxImpressions < 0 || p.NewItems.Method >= methodCount:
		return bad("NewItems has MaxAge %v, MaxImpressions %d and Method %d; none may be negative, Method is at most %d",
			p.NewItems.MaxAge, p.NewItems.MaxImpressions, p.NewItems.Method, methodCount-1)
	case !(p.Fatigue.Weight >= 0 && p.Fatigue.Weight <= MaxWeight):
		return bad("Fatigue.Weight is %v; it must lie in [0, %d]", p.Fatigue.Weight, MaxWeight)
	case p.Fatigue.HalfLife < 0 || p.Fatigue.Weight > 0 && p.Fatigue.HalfLife == 0:
		return bad("Fatigue.HalfLife is %v; it must be above 0", p.Fatigue.HalfLife)
	}
	for i := range p.Caps {
		if err := p.Caps[i].validate(); err != nil {
			return fmt.Errorf("caps[%d]: %w", i, err)
		}
	}
	for i := range p.Rules {
		if err := p.Rules[i].validate(); err != nil {
			return fmt.Errorf("rules[%d]: %w", i, err)
		}
	}
	return nil
}

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrPolicy, fmt.Sprintf(format, args...))
}

func (c *Cap) validate() error {
	switch {
	case c.By >= labelCount:
		return bad("By is %d; it is at most %d", c.By, labelCount-1)
	case c.Most < 1:
		return bad("Most is %d; it must be at least 1: exclude by a rule", c.Most)
	case c.Within < 0 || c.Within > MaxWithin:
		return bad("Within is %d; it must lie in [0, %d]", c.Within, MaxWithin)
	}
	return nil
}

func (r *Rule) validate() error {
	switch {
	case len(r.Name) < 1 || len(r.Name) > 63:
		return bad("Name has %d bytes; it must have 1 to 63", len(r.Name))
	case r.Until != 0 && r.Until <= r.From:
		return bad("Until is %d, not after From %d: the rule would never hold", r.Until, r.From)
	}
	switch r.Action {
	case Exclude, Bury:
	case CapPerDay:
		if r.PerDay < 0 || r.PerDay > MaxPerDay {
			return bad("PerDay is %d; it must lie in [0, %d]", r.PerDay, MaxPerDay)
		}
	case Pin:
		if r.Slot < 1 || r.Slot > MaxSlot {
			return bad("Slot is %d; it must lie in [1, %d]", r.Slot, MaxSlot)
		}
	case Reserve:
		if !(r.Share > 0 && r.Share <= 1) {
			return bad("Share is %v; it must be above 0 and at most 1", r.Share)
		}
	case Boost:
		if !(r.Factor >= 1/float64(MaxFactor) && r.Factor <= MaxFactor) {
			return bad("Factor is %v; it must lie in [%v, %v]", r.Factor, 1/float64(MaxFactor), float64(MaxFactor))
		}
	default:
		return bad("Action is %d; it must lie in [1, %d]", r.Action, actionEnd-1)
	}
	return nil
}
