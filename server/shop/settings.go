package shop

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/filter"
	"github.com/kindred-rec/kindred/server/record"
)

// tenantView is a tenant's settings with what is looked up in them on every call.
// Immutable; a change makes another.
type tenantView struct {
	record.Tenant
	types      eventTypes
	surfaces   map[string]record.Surface
	attributes map[string]record.Attribute
	policies   *policies
	arms       []*arm // running experiments
	waits      bool   // a rule names an item that is not known
	opened     uint64 // of the catalog, before rules' items were looked for
}

// viewOf makes the view of settings. The catalog need not be there yet.
func (s *Shop) viewOf(t record.Tenant) *tenantView {
	v := &tenantView{
		Tenant: t, types: newEventTypes(t.EventTypes),
		surfaces: map[string]record.Surface{}, attributes: map[string]record.Attribute{},
	}
	for _, f := range t.Surfaces {
		v.surfaces[f.Name] = f
	}
	for _, a := range t.Attributes {
		v.attributes[a.Name] = a
	}
	var before *policies
	if was := s.view.Load(); was != nil {
		before = was.policies
	}
	v.opened = s.table.Opened()
	v.policies, v.arms = s.policiesOf(&t, before), armsOf(t.Experiments)
	v.waits = v.policies.missing()
	return v
}

// surface returns the settings of a surface; an undeclared one has those of
// "default", where that is declared.
func (v *tenantView) surface(name string) record.Surface {
	if f, ok := v.surfaces[name]; ok {
		return f
	}
	return v.surfaces["default"]
}

func (s *Shop) settings() *tenantView { return s.view.Load() }

// Settings returns the tenant's settings.
func (s *Shop) Settings() record.Tenant { return s.settings().Tenant }

// Amend changes the settings: those given replace, lists are joined by name. An
// attribute cannot be retyped and the currency not be changed once an item has it.
func (s *Shop) Amend(ctx context.Context, change record.Tenant) error {
	return s.amend(ctx, func(next *record.Tenant) error {
		if err := join(next, change); err != nil {
			return err
		}
		return checkSurfaces(change.Surfaces, next, s.config.Filters)
	})
}

// checkSurfaces refuses a surface whose filter or policy would make every request on it
// fail.
func checkSurfaces(surfaces []record.Surface, of *record.Tenant, limits filter.Limits) error {
	table, err := catalog.New(catalog.Limits{MaxItems: 1})
	if err != nil {
		return err
	}
	if err := declare(table, of.Attributes); err != nil {
		return err
	}
	filters, err := filter.NewCache(table, limits)
	if err != nil {
		return err
	}
	for i, f := range surfaces {
		if f.Policy != "" && lastVersion(of.Policies, f.Policy) == 0 {
			return &InputError{Field: fmt.Sprintf("tenant.surfaces[%d].policy", i), Description: fmt.Sprintf(
				"there is no policy %.80q: put it first, or leave it out for %q", f.Policy, DefaultPolicy)}
		}
		if f.Filter == "" {
			continue
		}
		if _, err := filters.Filter(f.Filter); err != nil {
			return &InputError{Field: fmt.Sprintf("tenant.surfaces[%d].filter", i), Description: filterFault(err)}
		}
	}
	return nil
}

// join puts change over next.
func join(next *record.Tenant, change record.Tenant) error {
	if change.Currency != "" && next.Currency != "" && change.Currency != next.Currency {
		return &InputError{Field: "tenant.currency_code", Description: fmt.Sprintf(
			"is %s, the tenant's is %s and stored prices are in it: make another tenant", change.Currency, next.Currency)}
	}
	for i, a := range change.Attributes {
		at := slices.IndexFunc(next.Attributes, func(b record.Attribute) bool { return b.Name == a.Name })
		if at >= 0 && next.Attributes[at] != a {
			return &InputError{Field: fmt.Sprintf("tenant.attributes[%d]", i), Description: fmt.Sprintf(
				"%q is declared as a %s: use another name for a %s", a.Name,
				typeText(next.Attributes[at].Kind, next.Attributes[at].List), typeText(a.Kind, a.List))}
		}
	}
	if change.Currency != "" {
		next.Currency = change.Currency
	}
	if change.Retention != 0 {
		next.Retention = change.Retention
	}
	next.Kept = next.Kept.Over(change.Kept)
	if change.RemovalShare != 0 {
		next.RemovalShare = change.RemovalShare
	}
	if change.Clock != record.ClockUnset {
		next.Clock = change.Clock
	}
	next.EventTypes = byName(next.EventTypes, change.EventTypes, func(e record.EventType) string { return e.Name })
	next.Surfaces = byName(next.Surfaces, change.Surfaces, func(f record.Surface) string { return f.Name })
	next.Attributes = byName(next.Attributes, change.Attributes, func(a record.Attribute) string { return a.Name })
	for _, list := range []struct {
		field string
		n     int
	}{{"event_types", len(next.EventTypes)}, {"surfaces", len(next.Surfaces)}, {"attributes", len(next.Attributes)}} {
		if list.n > record.MaxDeclared {
			return &InputError{Field: "tenant." + list.field, Description: fmt.Sprintf(
				"would have %d entries, at most %d are kept", list.n, record.MaxDeclared)}
		}
	}
	return nil
}

// byName returns list with each entry of change in place of the one of its name.
func byName[T any](list, change []T, name func(T) string) []T {
	list = slices.Clone(list)
	for _, c := range change {
		at := slices.IndexFunc(list, func(x T) bool { return name(x) == name(c) })
		if at >= 0 {
			list[at] = c
		} else {
			list = append(list, c)
		}
	}
	return list
}

// amend edits a copy of the settings, writes it, and then lets it be seen.
func (s *Shop) amend(ctx context.Context, edit func(next *record.Tenant) error) error {
	s.amending.Lock()
	defer s.amending.Unlock()
	next := s.settings().Tenant
	next.Attributes = slices.Clone(next.Attributes)
	if err := edit(&next); err != nil {
		return err
	}
	if err := declare(s.table, next.Attributes); err != nil {
		return err
	}
	if err := s.persist(ctx, next); err != nil {
		return fmt.Errorf("settings of tenant %q: %w", next.Name, err)
	}
	view := s.viewOf(next)
	if err := s.countToday(&next, view.policies); err != nil {
		s.config.Log.Error("caps of showings a day count from the start of the service only", "error", err)
	}
	s.view.Store(view)
	return nil
}

// declare makes attributes known to an item table.
func declare(table *catalog.Table, list []record.Attribute) error {
	for _, a := range list {
		if _, err := table.Declare(a.Name, kinds[a.Kind], a.List); err != nil {
			return fmt.Errorf("attribute %q: %w", a.Name, err)
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
