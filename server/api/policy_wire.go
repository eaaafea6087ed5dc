package api

import (
	"fmt"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
)

// seenWire, labelWire and methodWire hold the wire value of each domain value; a test
// visits all.
var (
	seenWire = map[string]kindredv1.SeenPolicy{
		record.SeenKeep:           kindredv1.SeenPolicy_SEEN_POLICY_KEEP,
		record.SeenHidePurchased:  kindredv1.SeenPolicy_SEEN_POLICY_HIDE_PURCHASED,
		record.SeenHideInteracted: kindredv1.SeenPolicy_SEEN_POLICY_HIDE_INTERACTED,
	}
	labelWire = map[record.Label]kindredv1.CapLabel{
		record.LabelCategory: kindredv1.CapLabel_CAP_LABEL_CATEGORY,
		record.LabelBrand:    kindredv1.CapLabel_CAP_LABEL_BRAND,
		record.LabelSeller:   kindredv1.CapLabel_CAP_LABEL_SELLER,
	}
	methodWire = map[record.NewItemMethod]kindredv1.NewItemMethod{
		record.NewByScore:    kindredv1.NewItemMethod_NEW_ITEM_METHOD_SCORE,
		record.NewByThompson: kindredv1.NewItemMethod_NEW_ITEM_METHOD_THOMPSON,
		record.NewByUCB:      kindredv1.NewItemMethod_NEW_ITEM_METHOD_UCB,
	}
	slotWire = map[record.SlotKind]kindredv1.SlotKind{
		record.SlotScore:    kindredv1.SlotKind_SLOT_KIND_SCORE,
		record.SlotExplored: kindredv1.SlotKind_SLOT_KIND_EXPLORED,
		record.SlotNewItem:  kindredv1.SlotKind_SLOT_KIND_NEW_ITEM,
		record.SlotPinned:   kindredv1.SlotKind_SLOT_KIND_PINNED,
		record.SlotReserved: kindredv1.SlotKind_SLOT_KIND_RESERVED,
	}
)

// keyOf is the domain value of a wire value.
func keyOf[K comparable, V comparable](m map[K]V, value V) (K, bool) {
	for k, v := range m {
		if v == value {
			return k, true
		}
	}
	var none K
	return none, false
}

// policyFromWire converts a policy; faults are what no domain value can say.
func policyFromWire(w *kindredv1.Policy) (record.Policy, []record.Violation) {
	var faults []record.Violation
	fault := func(field, format string, args ...any) {
		faults = append(faults, record.Violation{Field: field, Description: fmt.Sprintf(format, args...)})
	}
	p := record.Policy{
		Name: w.Name, Note: w.Note, Temperature: w.GetExploration().GetTemperature(), KeepVariants: w.KeepVariants,
		Diversity: w.GetDiversity(), HasDiversity: w.Diversity != nil,
	}
	var ok bool
	if p.Seen, ok = keyOf(seenWire, w.SeenPolicy); !ok && w.SeenPolicy != kindredv1.SeenPolicy_SEEN_POLICY_UNSPECIFIED {
		fault("seen_policy", "%d is no policy of this version", w.SeenPolicy)
	}
	for _, c := range w.Caps {
		label, _ := keyOf(labelWire, c.GetLabel()) // an unknown one is faulted as one that is not set
		p.Caps = append(p.Caps, record.PolicyCap{Label: label, Most: c.GetMost(), Within: c.GetWithin()})
	}
	for i, r := range w.Rules {
		field := fmt.Sprintf("rules[%d]", i)
		times := map[string]*timestamppb.Timestamp{field + ".from_time": r.GetFromTime(), field + ".until_time": r.GetUntilTime()}
		faults = append(faults, badTimes(times)...)
		p.Rules = append(p.Rules, ruleFromWire(r))
	}
	if n := w.NewItems; n != nil {
		method, ok := keyOf(methodWire, n.Method)
		if !ok && n.Method != kindredv1.NewItemMethod_NEW_ITEM_METHOD_UNSPECIFIED {
			fault("new_items.method", "%d is no method of this version", n.Method)
		}
		p.NewItems = record.NewItems{Share: n.Share, MaxAge: n.MaxAge.AsDuration(), MaxImpressions: n.MaxImpressions, Method: method}
		if n.MaxAge != nil && n.MaxAge.CheckValid() != nil {
			fault("new_items.max_age", "is no duration")
		}
		if p.NewItems == (record.NewItems{}) {
			fault("new_items.share", "is 0: give more than 0, up to 1, or leave new_items out")
		}
	}
	if f := w.Fatigue; f != nil {
		p.Fatigue = record.Fatigue{Weight: f.Weight, HalfLife: f.HalfLife.AsDuration()}
		if f.HalfLife != nil && f.HalfLife.CheckValid() != nil {
			fault("fatigue.half_life", "is no duration")
		}
		if p.Fatigue == (record.Fatigue{}) {
			fault("fatigue.weight", "is 0: give more than 0, or leave fatigue out")
		}
	}
	return p, faults
}

func ruleFromWire(w *kindredv1.PolicyRule) record.PolicyRule {
	r := record.PolicyRule{
		Name: w.GetName(), Condition: w.GetCondition(), Item: w.GetItemId(), Surfaces: w.GetSurfaces(),
		From: timeOf(w.GetFromTime()), Until: timeOf(w.GetUntilTime()),
	}
	switch a := w.GetAction().(type) {
	case *kindredv1.PolicyRule_Exclude:
		r.Action = record.RuleExclude
	case *kindredv1.PolicyRule_DailyCap:
		r.Action, r.PerDay = record.RuleDailyCap, a.DailyCap.GetMost()
	case *kindredv1.PolicyRule_Pin:
		r.Action, r.Slot = record.RulePin, a.Pin.GetSlot()
	case *kindredv1.PolicyRule_Reserve:
		r.Action, r.Share = record.RuleReserve, a.Reserve.GetShare()
	case *kindredv1.PolicyRule_Boost:
		r.Action, r.Factor = record.RuleBoost, a.Boost.GetFactor()
	case *kindredv1.PolicyRule_Bury:
		r.Action = record.RuleBury
	}
	return r
}

func policyToWire(p *record.Policy) *kindredv1.Policy {
	w := &kindredv1.Policy{
		Name: p.Name, Version: p.Version, CreateTime: stampOf(p.Created), CreatedBy: p.By, Note: p.Note,
		SeenPolicy: seenWire[p.Seen], KeepVariants: p.KeepVariants,
	}
	if p.HasDiversity {
		w.Diversity = &p.Diversity
	}
	for _, c := range p.Caps {
		w.Caps = append(w.Caps, &kindredv1.PolicyCap{Label: labelWire[c.Label], Most: c.Most, Within: c.Within})
	}
	for i := range p.Rules {
		w.Rules = append(w.Rules, ruleToWire(&p.Rules[i]))
	}
	if p.Temperature > 0 {
		w.Exploration = &kindredv1.Exploration{Temperature: p.Temperature}
	}
	if n := p.NewItems; n.Share > 0 {
		w.NewItems = &kindredv1.NewItems{Share: n.Share, MaxImpressions: n.MaxImpressions, Method: methodWire[n.Method]}
		if n.MaxAge > 0 {
			w.NewItems.MaxAge = durationpb.New(n.MaxAge)
		}
	}
	if f := p.Fatigue; f.Weight > 0 {
		w.Fatigue = &kindredv1.Fatigue{Weight: f.Weight}
		if f.HalfLife > 0 {
			w.Fatigue.HalfLife = durationpb.New(f.HalfLife)
		}
	}
	return w
}

func ruleToWire(r *record.PolicyRule) *kindredv1.PolicyRule {
	w := &kindredv1.PolicyRule{
		Name: r.Name, Condition: r.Condition, ItemId: r.Item, Surfaces: r.Surfaces, FromTime: stampOf(r.From), UntilTime: stampOf(r.Until),
	}
	switch r.Action {
	case record.RuleExclude:
		w.Action = &kindredv1.PolicyRule_Exclude{Exclude: &kindredv1.ExcludeAction{}}
	case record.RuleDailyCap:
		w.Action = &kindredv1.PolicyRule_DailyCap{DailyCap: &kindredv1.DailyCapAction{Most: r.PerDay}}
	case record.RulePin:
		w.Action = &kindredv1.PolicyRule_Pin{Pin: &kindredv1.PinAction{Slot: r.Slot}}
	case record.RuleReserve:
		w.Action = &kindredv1.PolicyRule_Reserve{Reserve: &kindredv1.ReserveAction{Share: r.Share}}
	case record.RuleBoost:
		w.Action = &kindredv1.PolicyRule_Boost{Boost: &kindredv1.BoostAction{Factor: r.Factor}}
	case record.RuleBury:
		w.Action = &kindredv1.PolicyRule_Bury{Bury: &kindredv1.BuryAction{}}
	}
	return w
}
