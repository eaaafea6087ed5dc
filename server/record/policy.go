package record

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Policy is one version of a named policy: how a ranked list is made into a shown one.
// It is immutable once kept.
type Policy struct {
	Name    string // 1 to 63 of a-z, 0-9, '-', '_', starting with a letter
	Version int32  // from 1
	Created time.Time
	By      string // id of the API key that put it; empty: none was asked for
	Note    string
	// Deleted: there is no policy of that name since this version, which has no content.
	// The ones before stay for a while, so that decisions are reproduced.
	Deleted bool

	Seen         string // as of a surface; empty: the surface's
	Diversity    float64
	HasDiversity bool // false: the surface's
	Caps         []PolicyCap
	Rules        []PolicyRule
	Temperature  float64 // of exploration; 0: none
	NewItems     NewItems
	Fatigue      Fatigue
	KeepVariants bool // false: one of a variant group has a place
}

// ID is what replies and decisions name a version by: "name/version".
func (p *Policy) ID() string { return PolicyID(p.Name, p.Version) }

// PolicyID is "name/version".
func PolicyID(name string, version int32) string { return fmt.Sprintf("%s/%d", name, version) }

// Label is what a cap counts by.
type Label uint8

// The labels of a cap.
const (
	LabelCategory Label = iota + 1
	LabelBrand
	LabelSeller
)

// PolicyCap bounds how many items of one label stand in the first Within slots, 0: in the
// whole list.
type PolicyCap struct {
	Label        Label
	Most, Within int32
}

// RuleAction is what a rule does.
type RuleAction uint8

// The actions of a rule; each names the field of PolicyRule that it reads.
const (
	RuleExclude  RuleAction = iota + 1
	RuleDailyCap            // PerDay
	RulePin                 // Slot
	RuleReserve             // Share
	RuleBoost               // Factor
	RuleBury
)

// PolicyRule is an action on the items that Condition matches and, if Item is not empty,
// that are it.
type PolicyRule struct {
	Name        string
	Condition   string // CEL; empty: all items
	Item        string
	Surfaces    []string  // empty: all
	From, Until time.Time // zero: no bound
	Action      RuleAction
	PerDay      int32
	Slot        int32
	Share       float64
	Factor      float64
}

// NewItemMethod is how a new item is chosen for a place that is kept for one.
type NewItemMethod uint8

// The methods.
const (
	NewByScore NewItemMethod = iota
	NewByThompson
	NewByUCB
)

// NewItems keeps places for items that are younger than MaxAge or have had fewer than
// MaxImpressions impressions. Share 0: none.
type NewItems struct {
	Share          float64
	MaxAge         time.Duration
	MaxImpressions int32
	Method         NewItemMethod
}

// Fatigue lowers what a user was shown before. Weight 0: not.
type Fatigue struct {
	Weight   float64
	HalfLife time.Duration // 0: DefaultHalfLife
}

// Bounds of policies.
const (
	MaxPolicies       = 64 // of a tenant
	KeptVersions      = 10 // of a policy
	MaxRules          = 64
	MaxCaps           = 16
	MaxSlot           = 200
	MaxFactor         = 1e6
	MaxTemperature    = 1e6
	MaxPerDay         = 1 << 30
	MaxFatigue        = 1000
	MaxRuleSurfaces   = 64
	DefaultHalfLife   = 7 * 24 * time.Hour
	maxPolicyDuration = 10 * 365 * 24 * time.Hour
	minHalfLife       = time.Minute
)

// ValidPolicyName reports whether s can name a policy, an experiment or a variant.
func ValidPolicyName(s string) bool {
	if s == "" || len(s) > MaxTypeName || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

const nameRule = "use a letter, then at most 62 of a-z, 0-9, '-', '_'"

// Validate returns what is wrong with the form of a policy, nil if nothing is. Whether
// conditions compile is not looked at.
func (p *Policy) Validate() []Violation {
	var c checker
	if !ValidPolicyName(p.Name) {
		c.add("name", "%.80q is no policy name: %s", p.Name, nameRule)
	}
	c.text("note", p.Note, MaxNote)
	if !knownSeen(p.Seen) {
		c.add("seen_policy", "%.40q is unknown: use %s, %s or %s", p.Seen, SeenKeep, SeenHidePurchased, SeenHideInteracted)
	}
	c.within("diversity", p.Diversity, 0, 1)
	c.within("exploration.temperature", p.Temperature, 0, MaxTemperature)
	c.caps(p.Caps)
	c.rules(p.Rules)
	c.newItems(p.NewItems)
	c.fatigue(p.Fatigue)
	return c.found
}

func knownSeen(s string) bool {
	switch s {
	case "", SeenKeep, SeenHidePurchased, SeenHideInteracted:
		return true
	}
	return false
}

// within refuses what lies outside of bounds, and NaN.
func (c *checker) within(field string, x, low, high float64) {
	if !(x >= low && x <= high) {
		c.add(field, "is %v: give %v to %v", x, low, high)
	}
}

// above is within, the lower bound exclusive.
func (c *checker) above(field string, x, low, high float64) {
	if !(x > low && x <= high) {
		c.add(field, "is %v: give more than %v, up to %v", x, low, high)
	}
}

func (c *checker) count(field string, n, low, high int32) {
	if n < low || n > high {
		c.add(field, "is %d: give %d to %d", n, low, high)
	}
}

func (c *checker) caps(list []PolicyCap) {
	if len(list) > MaxCaps {
		c.add("caps", "has %d entries, at most %d are taken", len(list), MaxCaps)
		return
	}
	for i, k := range list {
		field := fmt.Sprintf("caps[%d]", i)
		if k.Label < LabelCategory || k.Label > LabelSeller {
			c.add(field+".label", "is not set: use category, brand or seller")
		}
		c.count(field+".most", k.Most, 1, MaxLimit)
		c.count(field+".within", k.Within, 0, MaxLimit)
	}
}

func (c *checker) rules(list []PolicyRule) {
	if len(list) > MaxRules {
		c.add("rules", "has %d entries, at most %d are taken", len(list), MaxRules)
		return
	}
	seen := map[string]bool{}
	for i := range list {
		r, field := &list[i], fmt.Sprintf("rules[%d]", i)
		c.rule(field, r)
		c.once(seen, field+".name", r.Name)
		c.clashes(field, r, list[:i])
	}
	c.shares(list)
}

func (c *checker) rule(field string, r *PolicyRule) {
	if r.Name == "" {
		c.add(field+".name", "is missing: give 1 to %d bytes; explanations name it", MaxTypeName)
	}
	c.text(field+".name", r.Name, MaxTypeName)
	c.text(field+".condition", r.Condition, MaxFilter)
	if r.Item != "" {
		c.id(field+".item_id", r.Item)
	}
	if r.Item == "" && r.Condition == "" {
		c.add(field+".condition", "is missing and so is item_id: give one; the condition true is met by all items")
	}
	if len(r.Surfaces) > MaxRuleSurfaces {
		c.add(field+".surfaces", "has %d entries, at most %d are taken", len(r.Surfaces), MaxRuleSurfaces)
	}
	c.surfaceNames(field+".", r.Surfaces)
	if never(r.From, r.Until) {
		c.add(field+".until_time", "%s is not after from_time %s", stamp(r.Until), stamp(r.From))
	}
	c.action(field, r)
}

// surfaceNames checks the field surfaces under a path that is empty or ends in a point.
func (c *checker) surfaceNames(field string, names []string) {
	seen := map[string]bool{}
	for k, s := range names {
		at := fmt.Sprintf("%ssurfaces[%d]", field, k)
		if s == "" {
			c.add(at, "is empty: give 1 to %d bytes", MaxSurface)
		}
		c.text(at, s, MaxSurface)
		c.once(seen, at, s)
	}
}

func (c *checker) action(field string, r *PolicyRule) {
	switch r.Action {
	case RuleExclude, RuleBury:
	case RuleDailyCap:
		c.count(field+".daily_cap.most", r.PerDay, 1, MaxPerDay)
	case RulePin:
		c.count(field+".pin.slot", r.Slot, 1, MaxSlot)
	case RuleReserve:
		c.above(field+".reserve.share", r.Share, 0, 1)
	case RuleBoost:
		c.within(field+".boost.factor", r.Factor, 1/MaxFactor, MaxFactor)
	default:
		c.add(field+".action", "is missing: set one of exclude, daily_cap, pin, reserve, boost, bury")
	}
}

// clashes refuses a pin on the slot of an earlier one.
func (c *checker) clashes(field string, r *PolicyRule, earlier []PolicyRule) {
	if r.Action != RulePin {
		return
	}
	for i := range earlier {
		e := &earlier[i]
		if e.Action == RulePin && e.Slot == r.Slot && e.meets(r) {
			c.add(field+".pin.slot", "is %d, where rule %.63q (rules[%d]) pins already: give another slot, or surfaces or times that do not overlap",
				r.Slot, e.Name, i)
			return
		}
	}
}

// shares refuses reserved shares that cannot all be had.
func (c *checker) shares(list []PolicyRule) {
	for i := range list {
		r, sum := &list[i], 0.0
		if r.Action != RuleReserve {
			continue
		}
		for k := range list[:i+1] {
			if e := &list[k]; e.Action == RuleReserve && e.meets(r) {
				sum += e.Share
			}
		}
		if sum > 1+1e-9 {
			c.add(fmt.Sprintf("rules[%d].reserve.share", i), "makes %v with those of earlier rules that hold with it: shares add up to 1 at most", sum)
		}
	}
}

// meets reports whether two rules may hold at once on one surface.
func (r *PolicyRule) meets(other *PolicyRule) bool {
	return surfacesMeet(r.Surfaces, other.Surfaces) && timesMeet(r.From, r.Until, other.From, other.Until)
}

// surfacesMeet reports whether two lists of surfaces, empty for all, have one in common.
func surfacesMeet(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// timesMeet reports whether two spans of time, zero for no bound, have a moment in common.
func timesMeet(from, until, otherFrom, otherUntil time.Time) bool {
	return (until.IsZero() || otherFrom.Before(until)) && (otherUntil.IsZero() || from.Before(otherUntil))
}

func (c *checker) newItems(n NewItems) {
	if n == (NewItems{}) {
		return
	}
	c.above("new_items.share", n.Share, 0, 1)
	if n.MaxAge < 0 || n.MaxAge > maxPolicyDuration {
		c.add("new_items.max_age", "is %s: give up to 10 years, or leave it out", n.MaxAge)
	}
	c.count("new_items.max_impressions", n.MaxImpressions, 0, MaxPerDay)
	if n.MaxAge == 0 && n.MaxImpressions == 0 {
		c.add("new_items", "has neither max_age nor max_impressions, so that no item is new: give one")
	}
	if n.Method > NewByUCB {
		c.add("new_items.method", "%d is no method of this version", n.Method)
	}
}

func (c *checker) fatigue(f Fatigue) {
	if f == (Fatigue{}) {
		return
	}
	c.above("fatigue.weight", f.Weight, 0, MaxFatigue)
	if f.HalfLife != 0 && (f.HalfLife < minHalfLife || f.HalfLife > maxPolicyDuration) {
		c.add("fatigue.half_life", "is %s: give a minute to 10 years, or leave it out for 7 days", f.HalfLife)
	}
}

// steps checks a share and that it is a whole number of steps.
func (c *checker) steps(field string, x float64, steps int) {
	if !(x >= 0 && x <= 1) {
		c.add(field, "is %v: give 0 to 1", x)
		return
	}
	if n := x * float64(steps); math.Abs(n-math.Round(n)) > 1e-6 {
		c.add(field, "is %v: give a whole number of steps of %v", x, 1/float64(steps))
	}
}
