package store

import (
	"time"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

func tenantMessage(t record.Tenant) *storepb.Tenant {
	m := &storepb.Tenant{
		Name: t.Name, Number: t.Number, Created: instant(t.Created),
		Currency: t.Currency, Clock: uint32(t.Clock), RetentionNs: int64(t.Retention), RemovalShare: t.RemovalShare,
	}
	if k := t.Kept; k != (record.Kept{}) {
		m.Kept = &storepb.Kept{
			DecisionsNs: int64(k.Decisions), ListsNs: int64(k.Lists), VectorsNs: int64(k.Vectors), AuditNs: int64(k.Audit), CatalogBeforeNs: int64(k.CatalogBefore),
		}
	}
	for _, e := range t.EventTypes {
		m.EventTypes = append(m.EventTypes, &storepb.EventType{Name: e.Name, Weight: e.Weight, NeedsItem: e.NeedsItem})
	}
	for _, s := range t.Surfaces {
		m.Surfaces = append(m.Surfaces, &storepb.Surface{
			Name: s.Name, Limit: s.Limit, Seen: s.Seen, Diversity: s.Diversity, Filter: s.Filter, Policy: s.Policy,
		})
	}
	for _, a := range t.Attributes {
		m.Attributes = append(m.Attributes, &storepb.Attribute{Name: a.Name, Kind: uint32(a.Kind), List: a.List})
	}
	for i := range t.Policies {
		m.Policies = append(m.Policies, policyMessage(&t.Policies[i]))
	}
	for i := range t.Experiments {
		m.Experiments = append(m.Experiments, experimentMessage(&t.Experiments[i]))
	}
	return m
}

func fromTenantMessage(m *storepb.Tenant) record.Tenant {
	t := record.Tenant{
		Name: m.Name, Number: m.Number, Created: fromInstant(m.Created),
		Currency: m.Currency, Clock: record.Clock(m.Clock), Retention: time.Duration(m.RetentionNs), RemovalShare: m.RemovalShare,
	}
	if k := m.Kept; k != nil {
		t.Kept = record.Kept{
			Decisions: time.Duration(k.DecisionsNs), Lists: time.Duration(k.ListsNs), Vectors: time.Duration(k.VectorsNs),
			Audit: time.Duration(k.AuditNs), CatalogBefore: time.Duration(k.CatalogBeforeNs),
		}
	}
	for _, e := range m.EventTypes {
		t.EventTypes = append(t.EventTypes, record.EventType{Name: e.Name, Weight: e.Weight, NeedsItem: e.NeedsItem})
	}
	for _, s := range m.Surfaces {
		t.Surfaces = append(t.Surfaces, record.Surface{
			Name: s.Name, Limit: s.Limit, Seen: s.Seen, Diversity: s.Diversity, Filter: s.Filter, Policy: s.Policy,
		})
	}
	for _, a := range m.Attributes {
		t.Attributes = append(t.Attributes, record.Attribute{Name: a.Name, Kind: record.Kind(a.Kind), List: a.List})
	}
	for _, p := range m.Policies {
		t.Policies = append(t.Policies, fromPolicyMessage(p))
	}
	for _, e := range m.Experiments {
		t.Experiments = append(t.Experiments, fromExperimentMessage(e))
	}
	return t
}

func keyMessage(k record.Key) *storepb.Key {
	m := &storepb.Key{
		Id: k.ID, Tenant: k.Tenant, Role: string(k.Role), Name: k.Name,
		Hash: k.Hash[:], Created: instant(k.Created), Revoked: instant(k.Revoked),
		Rotated: instant(k.Rotated), Origins: k.Origins,
	}
	if !k.PriorUntil.IsZero() {
		m.Prior, m.PriorUntil = k.Prior[:], instant(k.PriorUntil)
	}
	if k.Quota != (record.Quota{}) {
		m.Quota = &storepb.Quota{Requests: k.Quota.Requests, Events: k.Quota.Events, Bytes: k.Quota.Bytes}
	}
	return m
}

func fromKeyMessage(m *storepb.Key) record.Key {
	k := record.Key{
		ID: m.Id, Tenant: m.Tenant, Role: record.Role(m.Role), Name: m.Name,
		Created: fromInstant(m.Created), Revoked: fromInstant(m.Revoked),
		Rotated: fromInstant(m.Rotated), PriorUntil: fromInstant(m.PriorUntil), Origins: m.Origins,
		Quota: record.Quota{Requests: m.Quota.GetRequests(), Events: m.Quota.GetEvents(), Bytes: m.Quota.GetBytes()},
	}
	copy(k.Hash[:], m.Hash)
	copy(k.Prior[:], m.Prior)
	return k
}
