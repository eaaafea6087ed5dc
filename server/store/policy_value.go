package store

import (
	"time"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

func policyMessage(p *record.Policy) *storepb.Policy {
	m := &storepb.Policy{
		Name: p.Name, Version: p.Version, Created: instant(p.Created), By: p.By, Note: p.Note, Deleted: p.Deleted,
		Seen: p.Seen, Temperature: p.Temperature,
		NewShare: p.NewItems.Share, NewMaxAgeNs: int64(p.NewItems.MaxAge), NewMaxImpressions: p.NewItems.MaxImpressions,
		NewMethod: uint32(p.NewItems.Method), Fatigue: p.Fatigue.Weight, HalfLifeNs: int64(p.Fatigue.HalfLife),
		KeepVariants: p.KeepVariants,
	}
	if p.HasDiversity {
		m.Diversity = &p.Diversity
	}
	for _, c := range p.Caps {
		m.Caps = append(m.Caps, &storepb.PolicyCap{Label: uint32(c.Label), Most: c.Most, Within: c.Within})
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		m.Rules = append(m.Rules, &storepb.PolicyRule{
			Name: r.Name, Condition: r.Condition, Item: r.Item, Surfaces: r.Surfaces,
			From: instant(r.From), Until: instant(r.Until), Action: uint32(r.Action),
			PerDay: r.PerDay, Slot: r.Slot, Share: r.Share, Factor: r.Factor,
		})
	}
	return m
}

func fromPolicyMessage(m *storepb.Policy) record.Policy {
	p := record.Policy{
		Name: m.Name, Version: m.Version, Created: fromInstant(m.Created), By: m.By, Note: m.Note, Deleted: m.Deleted,
		Seen: m.Seen, Temperature: m.Temperature,
		NewItems: record.NewItems{
			Share: m.NewShare, MaxAge: time.Duration(m.NewMaxAgeNs), MaxImpressions: m.NewMaxImpressions,
			Method: record.NewItemMethod(m.NewMethod),
		},
		Fatigue:      record.Fatigue{Weight: m.Fatigue, HalfLife: time.Duration(m.HalfLifeNs)},
		KeepVariants: m.KeepVariants,
	}
	if m.Diversity != nil {
		p.Diversity, p.HasDiversity = *m.Diversity, true
	}
	for _, c := range m.Caps {
		p.Caps = append(p.Caps, record.PolicyCap{Label: record.Label(c.Label), Most: c.Most, Within: c.Within})
	}
	for _, r := range m.Rules {
		p.Rules = append(p.Rules, record.PolicyRule{
			Name: r.Name, Condition: r.Condition, Item: r.Item, Surfaces: r.Surfaces,
			From: fromInstant(r.From), Until: fromInstant(r.Until), Action: record.RuleAction(r.Action),
			PerDay: r.PerDay, Slot: r.Slot, Share: r.Share, Factor: r.Factor,
		})
	}
	return p
}

func experimentMessage(e *record.Experiment) *storepb.Experiment {
	m := &storepb.Experiment{
		Name: e.Name, Revision: e.Revision, Updated: instant(e.Updated), By: e.By, Note: e.Note, Salt: e.Salt,
		Surfaces: e.Surfaces, Layer: e.Layer, LayerFrom: e.LayerFrom, LayerUntil: e.LayerUntil,
		Start: instant(e.Start), End: instant(e.End), Status: uint32(e.Status), Excluded: e.Excluded,
	}
	for _, v := range e.Variants {
		m.Variants = append(m.Variants, &storepb.Variant{Name: v.Name, Policy: v.Policy, Share: v.Share, Users: v.Users})
	}
	for _, s := range e.Spans {
		m.Spans = append(m.Spans, &storepb.Span{From: s.From, Until: s.Until, Variant: s.Variant})
	}
	return m
}

func fromExperimentMessage(m *storepb.Experiment) record.Experiment {
	e := record.Experiment{
		Name: m.Name, Revision: m.Revision, Updated: fromInstant(m.Updated), By: m.By, Note: m.Note, Salt: m.Salt,
		Surfaces: m.Surfaces, Layer: m.Layer, LayerFrom: m.LayerFrom, LayerUntil: m.LayerUntil,
		Start: fromInstant(m.Start), End: fromInstant(m.End), Status: record.ExperimentStatus(m.Status), Excluded: m.Excluded,
	}
	for _, v := range m.Variants {
		e.Variants = append(e.Variants, record.Variant{Name: v.Name, Policy: v.Policy, Share: v.Share, Users: v.Users})
	}
	for _, s := range m.Spans {
		e.Spans = append(e.Spans, record.Span{From: s.From, Until: s.Until, Variant: s.Variant})
	}
	return e
}
