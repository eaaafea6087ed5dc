package shop

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/rerank"
	"github.com/kindred-rec/kindred/server/record"
)

// DefaultPolicy is the name of the policy that serves where nothing names one. Its first
// version is built in and leaves all to the surface; a tenant may put others.
const DefaultPolicy = "default"

func builtinPolicy() record.Policy { return record.Policy{Name: DefaultPolicy, Version: 1} }

// policy is a version of a policy as it serves. It is immutable, so that a pointer to one
// stands for what it does.
type policy struct {
	record.Policy
	id       string
	programs []rerank.Matcher // of each rule; nil: all items
	// Rules are chosen by surface here, so that a request finds its own made. surfaces has
	// those that some rule names.
	surfaces  map[string]*rerank.Policy
	elsewhere *rerank.Policy
	// missing: a rule names an item that had no number when this was made.
	missing bool
	capped  bool // some rule counts showings of a day
}

// on is what a list of a surface is made by.
func (p *policy) on(surface string) *rerank.Policy {
	if made, ok := p.surfaces[surface]; ok {
		return made
	}
	return p.elsewhere
}

// compile makes a policy out of a version. faults are the conditions that are refused; a
// rule with such a one matches nothing.
func (s *Shop) compile(p record.Policy) (_ *policy, faults []record.Violation) {
	programs := make([]rerank.Matcher, len(p.Rules))
	for i := range p.Rules {
		if p.Rules[i].Condition == "" {
			continue
		}
		program, err := s.conditions.Compile(p.Rules[i].Condition)
		if err != nil {
			faults = append(faults, record.Violation{Field: fmt.Sprintf("rules[%d].condition", i), Description: filterFault(err)})
			programs[i] = matchesNothing{}
			continue
		}
		programs[i] = program
	}
	return s.assemblePolicy(p, programs), faults
}

// matchesNothing stands for a condition that does not compile.
type matchesNothing struct{}

// Match is false.
func (matchesNothing) Match(*catalog.Row) bool { return false }

// assemblePolicy finds the items that rules name and sorts the rules by surface.
func (s *Shop) assemblePolicy(p record.Policy, programs []rerank.Matcher) *policy {
	made := &policy{Policy: p, id: p.ID(), programs: programs, surfaces: map[string]*rerank.Policy{}}
	rules := make([]rerank.Rule, len(p.Rules))
	for i := range p.Rules {
		r := &p.Rules[i]
		rules[i] = ruleOf(r, programs[i])
		made.capped = made.capped || r.Action == record.RuleDailyCap
		if r.Item == "" {
			continue
		}
		rules[i].HasItem = true
		number, ok := s.log.ItemNumber(r.Item)
		if !ok {
			number, made.missing = record.NoItem, true // no candidate has it
		}
		rules[i].Item = number
	}
	made.elsewhere = made.with(rules, "")
	for i := range p.Rules {
		for _, surface := range p.Rules[i].Surfaces {
			if _, ok := made.surfaces[surface]; !ok {
				made.surfaces[surface] = made.with(rules, surface)
			}
		}
	}
	return made
}

// with is the policy with the rules of a surface; "" for one that no rule names.
func (p *policy) with(rules []rerank.Rule, surface string) *rerank.Policy {
	out := &rerank.Policy{
		Diversity: p.Diversity, Explore: rerank.Exploration{Temperature: p.Temperature}, KeepVariants: p.KeepVariants,
		NewItems: rerank.NewItems{
			Share: p.NewItems.Share, MaxAge: p.NewItems.MaxAge, MaxImpressions: int(p.NewItems.MaxImpressions),
			Method: methods[p.NewItems.Method],
		},
	}
	if p.Fatigue.Weight > 0 {
		out.Fatigue = rerank.Fatigue{Weight: p.Fatigue.Weight, HalfLife: p.Fatigue.HalfLife}
		orElse(&out.Fatigue.HalfLife, record.DefaultHalfLife)
	}
	for _, c := range p.Caps {
		out.Caps = append(out.Caps, rerank.Cap{By: labels[c.Label], Most: int(c.Most), Within: int(c.Within)})
	}
	for i := range rules {
		if names := p.Rules[i].Surfaces; len(names) == 0 || slices.Contains(names, surface) {
			out.Rules = append(out.Rules, rules[i])
		}
	}
	return out
}

var (
	methods = map[record.NewItemMethod]rerank.Method{
		record.NewByScore: rerank.ByScore, record.NewByThompson: rerank.Thompson, record.NewByUCB: rerank.UCB,
	}
	labels = map[record.Label]rerank.Label{
		record.LabelCategory: rerank.Category, record.LabelBrand: rerank.Brand, record.LabelSeller: rerank.Seller,
	}
	actions = map[record.RuleAction]rerank.Action{
		record.RuleExclude: rerank.Exclude, record.RuleDailyCap: rerank.CapPerDay, record.RulePin: rerank.Pin,
		record.RuleReserve: rerank.Reserve, record.RuleBoost: rerank.Boost, record.RuleBury: rerank.Bury,
	}
)

func ruleOf(r *record.PolicyRule, program rerank.Matcher) rerank.Rule {
	return rerank.Rule{
		Name: r.Name, Action: actions[r.Action], Match: program, From: micros(r.From), Until: micros(r.Until),
		Slot: int(r.Slot), Share: r.Share, Factor: r.Factor, PerDay: int(r.PerDay),
	}
}

// policies are a tenant's policies as they serve.
type policies struct {
	last map[string]*policy // the last version of each name
	kept map[string]*policy // by id, those of last among them
}

// policiesOf makes them of the settings. What was compiled before is taken from there.
func (s *Shop) policiesOf(t *record.Tenant, before *policies) *policies {
	all := &policies{last: map[string]*policy{}, kept: map[string]*policy{}}
	add := func(p record.Policy) {
		var made *policy
		if was := before.find(p.ID()); was != nil && was.Created.Equal(p.Created) {
			if made = was; was.missing {
				made = s.assemblePolicy(p, was.programs)
			}
		} else {
			var faults []record.Violation
			made, faults = s.compile(p)
			for _, f := range faults { // it was taken by an earlier release
				s.config.Log.Error("a rule of a policy does not hold", "policy", p.ID(), "field", f.Field, "error", f.Description)
			}
		}
		all.kept[made.id], all.last[p.Name] = made, made
	}
	add(builtinPolicy())
	for i := range t.Policies {
		p := &t.Policies[i]
		switch {
		case !p.Deleted:
			add(*p)
		case p.Name == DefaultPolicy:
			all.last[DefaultPolicy] = all.kept[record.PolicyID(DefaultPolicy, 1)]
		default:
			delete(all.last, p.Name)
		}
	}
	return all
}

func (p *policies) find(id string) *policy {
	if p == nil {
		return nil
	}
	return p.kept[id]
}

// named returns the policy of "name" or "name/version"; nil for none.
func (p *policies) named(text string) *policy {
	if strings.Contains(text, "/") {
		return p.kept[text]
	}
	return p.last[text]
}

// missing reports whether some rule waits for an item.
func (p *policies) missing() bool {
	for _, x := range p.last {
		if x.missing {
			return true
		}
	}
	return false
}

// lookAgain makes the policies anew once an item has come that a rule waits for. It is
// called on the way of a request, and does nothing where nothing is waited for, where no
// item has come, or where another call does it.
func (s *Shop) lookAgain(v *tenantView) *tenantView {
	if !v.waits || s.table.Opened() == v.opened || !s.amending.TryLock() {
		return v
	}
	defer s.amending.Unlock()
	next := s.viewOf(s.settings().Tenant)
	s.view.Store(next)
	return next
}

// ValidPolicyID reports whether a text is "name" or "name/version".
func ValidPolicyID(text string) bool {
	_, _, ok := splitPolicyID(text)
	return ok
}

// splitPolicyID reads "name/version"; version is 0 where there is none, and ok is false
// for what is neither.
func splitPolicyID(text string) (name string, version int32, ok bool) {
	name, digits, versioned := strings.Cut(text, "/")
	if !versioned {
		return name, 0, record.ValidPolicyName(name)
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != digits {
		return name, 0, false
	}
	return name, int32(n), record.ValidPolicyName(name)
}
