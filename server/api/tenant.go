package api

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
)

func tenantFromWire(w *kindredv1.Tenant) (record.Tenant, []record.Violation) {
	var faults []record.Violation
	t := record.Tenant{Name: w.GetName(), Currency: w.GetCurrencyCode(), Retention: w.GetRetention().AsDuration(), RemovalShare: w.GetRemovalShare()}
	k := w.GetKept()
	t.Kept = record.Kept{
		Decisions: k.GetDecisions().AsDuration(), Lists: k.GetPageLists().AsDuration(), Vectors: k.GetUnusedVectors().AsDuration(),
		Audit: k.GetAudit().AsDuration(), CatalogBefore: k.GetCatalogBefore().AsDuration(),
	}
	switch w.GetClock() {
	case kindredv1.Clock_CLOCK_WALL:
		t.Clock = record.ClockWall
	case kindredv1.Clock_CLOCK_LOG:
		t.Clock = record.ClockLog
	case kindredv1.Clock_CLOCK_UNSPECIFIED:
	default:
		faults = append(faults, record.Violation{Field: "clock", Description: fmt.Sprintf("%d is no clock of this version", w.GetClock())})
	}
	for _, e := range w.GetEventTypes() {
		t.EventTypes = append(t.EventTypes, record.EventType{Name: e.GetName(), Weight: e.GetWeight(), NeedsItem: e.GetNeedsItem()})
	}
	for _, f := range w.GetSurfaces() {
		t.Surfaces = append(t.Surfaces, record.Surface{
			Name: f.GetName(), Limit: f.GetLimit(), Seen: f.GetSeenPolicy(), Diversity: f.GetDiversity(), Filter: f.GetFilter(), Policy: f.GetPolicy(),
		})
	}
	for _, a := range w.GetAttributes() {
		// One that this version does not know is no kind, which Validate names.
		t.Attributes = append(t.Attributes, record.Attribute{Name: a.GetName(), Kind: domainKinds[a.GetKind()], List: a.GetList()})
	}
	return t, faults
}

// lengthOf is nil for zero.
func lengthOf(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

// domainKinds holds the domain kind of each attribute kind.
var domainKinds = map[kindredv1.AttributeKind]record.Kind{
	kindredv1.AttributeKind_ATTRIBUTE_KIND_STRING: record.KindString,
	kindredv1.AttributeKind_ATTRIBUTE_KIND_NUMBER: record.KindNumber,
	kindredv1.AttributeKind_ATTRIBUTE_KIND_BOOL:   record.KindBool,
	kindredv1.AttributeKind_ATTRIBUTE_KIND_TIME:   record.KindTime,
}

func kindToWire(kind record.Kind) kindredv1.AttributeKind {
	for wire, k := range domainKinds {
		if k == kind {
			return wire
		}
	}
	return kindredv1.AttributeKind_ATTRIBUTE_KIND_UNSPECIFIED
}

func tenantToWire(t *record.Tenant) *kindredv1.Tenant {
	w := &kindredv1.Tenant{
		Name: t.Name, CreateTime: stampOf(t.Created), CurrencyCode: t.Currency, Clock: kindredv1.Clock_CLOCK_WALL,
		Retention: durationpb.New(t.Retention), RemovalShare: t.RemovalShare,
	}
	if k := t.Kept; k != (record.Kept{}) {
		w.Kept = &kindredv1.KeptSettings{
			Decisions: lengthOf(k.Decisions), PageLists: lengthOf(k.Lists), UnusedVectors: lengthOf(k.Vectors),
			Audit: lengthOf(k.Audit), CatalogBefore: lengthOf(k.CatalogBefore),
		}
	}
	if t.Retention == 0 {
		w.Retention = durationpb.New(record.DefaultRetention)
	}
	if t.RemovalShare == 0 {
		w.RemovalShare = record.DefaultRemovalShare
	}
	if t.Clock == record.ClockLog {
		w.Clock = kindredv1.Clock_CLOCK_LOG
	}
	for _, e := range t.EventTypes {
		w.EventTypes = append(w.EventTypes, &kindredv1.EventTypeSettings{Name: e.Name, Weight: e.Weight, NeedsItem: e.NeedsItem})
	}
	for _, f := range t.Surfaces {
		w.Surfaces = append(w.Surfaces, &kindredv1.SurfaceSettings{
			Name: f.Name, Limit: f.Limit, SeenPolicy: f.Seen, Diversity: f.Diversity, Filter: f.Filter, Policy: f.Policy,
		})
	}
	for _, a := range t.Attributes {
		w.Attributes = append(w.Attributes, &kindredv1.AttributeDeclaration{Name: a.Name, Kind: kindToWire(a.Kind), List: a.List})
	}
	return w
}
