package shop

import (
	"fmt"
	"sort"
	"strings"

	"github.com/kindred-rec/kindred/server/record"
)

// builtin holds the default weights of the built-in event types. They say how much
// an act tells of a user's taste; the order and rough size follow what shops commonly
// use (a purchase several times a view). A tenant may change each.
var builtin = map[string]record.EventType{
	record.TypeImpression: {Weight: 0, NeedsItem: true},
	record.TypeView:       {Weight: 1, NeedsItem: true},
	record.TypeClick:      {Weight: 1, NeedsItem: true},
	record.TypeLike:       {Weight: 2, NeedsItem: true},
	record.TypeDislike:    {Weight: -2, NeedsItem: true},
	record.TypeAddToCart:  {Weight: 3, NeedsItem: true},
	record.TypePurchase:   {Weight: 4, NeedsItem: true},
	record.TypeRating:     {Weight: 1.2, NeedsItem: true},
	record.TypeComment:    {Weight: 1, NeedsItem: true},
	record.TypeSearch:     {Weight: 0},
	record.TypeShare:      {Weight: 2, NeedsItem: true},
	record.TypeHide:       {Weight: -4, NeedsItem: true},
}

// ratingMiddle is the rating that says nothing: above it the weight is positive.
const ratingMiddle = 2.5

// eventTypes is a tenant's view of event types: built in, changed, declared.
type eventTypes map[string]record.EventType

func newEventTypes(declared []record.EventType) eventTypes {
	types := make(eventTypes, len(builtin)+len(declared))
	for name, t := range builtin {
		t.Name = name
		types[name] = t
	}
	for _, t := range declared {
		if b, ok := builtin[t.Name]; ok {
			t.NeedsItem = b.NeedsItem
		}
		types[t.Name] = t
	}
	return types
}

// weight says how much an event speaks for its item; negative: against it.
func (e eventTypes) weight(ev *record.Event) float32 {
	t := e[ev.Type]
	if ev.Type == record.TypeRating {
		return float32(t.Weight * (ev.Value - ratingMiddle))
	}
	return float32(t.Weight)
}

// check reports a violation of the tenant's types by one event.
func (e eventTypes) check(ev *record.Event) error {
	t, ok := e[ev.Type]
	if !ok {
		return &InputError{Field: "custom_type", Description: fmt.Sprintf(
			"%q is not declared: declare it with AdminService.UpdateTenant, or use one of %s", ev.Type, e.names())}
	}
	if t.NeedsItem && ev.Item == "" {
		return &InputError{Field: "item_id", Description: fmt.Sprintf("an event of type %q needs an item: give 1 to 128 bytes", ev.Type)}
	}
	if ev.Type == record.TypeRating && !ev.HasValue {
		return &InputError{Field: "value", Description: "is missing: a rating needs a value from 0 to 5"}
	}
	if ev.Type == record.TypeRating && (ev.Value < 0 || ev.Value > 5) {
		return &InputError{Field: "value", Description: fmt.Sprintf("is %v: a rating needs a value from 0 to 5", ev.Value)}
	}
	return nil
}

func (e eventTypes) names() string {
	names := make([]string, 0, len(e))
	for n := range e {
		names = append(names, n)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

// EventTypes are the types of events that a tenant knows, by name: the built-in ones, those
// that it changed, and those that it declared. A rating's weight is that of a point above
// the middle of its scale, 0 to 5.
func EventTypes(declared []record.EventType) []record.EventType {
	types := newEventTypes(declared)
	list := make([]record.EventType, 0, len(types))
	for _, t := range types {
		list = append(list, t)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}
