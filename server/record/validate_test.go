package record

import (
	"math"
	"strings"
	"testing"
	"time"
)

func number(n int64) *int64 { return &n }

func fields(vs []Violation) string {
	var names []string
	for _, v := range vs {
		if v.Description == "" {
			names = append(names, v.Field+" (no description)")
			continue
		}
		names = append(names, v.Field)
	}
	return strings.Join(names, " ")
}

func TestItemFaultsNameTheirField(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cases := []struct {
		why  string
		edit func(*Item)
		want string
	}{
		{"a plain row", func(*Item) {}, ""},
		{"missing id", func(i *Item) { i.ID = "" }, "id"},
		{"control character in id", func(i *Item) { i.ID = "a\nb" }, "id"},
		{"longest id", func(i *Item) { i.ID = long(MaxID) }, ""},
		{"over-long id", func(i *Item) { i.ID = long(MaxID + 1) }, "id"},
		{"longest title", func(i *Item) { i.Title = long(MaxTitle) }, ""},
		{"over-long title", func(i *Item) { i.Title = long(MaxTitle + 1) }, "title"},
		{"invalid UTF-8", func(i *Item) { i.Description = "caf\xe9" }, "description"},
		{"empty category", func(i *Item) { i.Categories = []string{"A", " "} }, "categories[1]"},
		{"too many tags", func(i *Item) { i.Tags = make([]string, MaxTags+1) }, "tags"},
		{"negative stock", func(i *Item) { i.Stock = number(-1) }, "stock"},
		{"no stock is fine, zero is out of stock", func(i *Item) { i.Stock = number(0) }, ""},
		{"lower-case currency", func(i *Item) { i.Price = &Money{Currency: "eur"} }, "price.currency_code"},
		{"negative price", func(i *Item) { i.Price = &Money{Currency: "EUR", Units: -1} }, "price.units"},
		{"nanos past a unit", func(i *Item) { i.Price = &Money{Currency: "EUR", Nanos: 1e9} }, "price.nanos"},
		{"ends before it begins", func(i *Item) { i.AvailableFrom, i.AvailableUntil = day, day }, "available_until"},
		{"ends within the microsecond it begins in", func(i *Item) { i.AvailableFrom, i.AvailableUntil = day, day.Add(10) }, "available_until"},
		{"is there for a microsecond", func(i *Item) { i.AvailableFrom, i.AvailableUntil = day, day.Add(time.Microsecond) }, ""},
		{"NaN in the vector", func(i *Item) { i.Vector = []float32{1, float32(math.NaN())} }, "vector[1]"},
		{"infinite vector", func(i *Item) { i.Vector = []float32{float32(math.Inf(1))} }, "vector[0]"},
		{"zero vector", func(i *Item) { i.Vector = make([]float32, 4) }, "vector"},
		{"NaN attribute", func(i *Item) {
			i.Attributes = map[string]Value{"w": {Kind: KindNumber, Numbers: []float64{math.NaN()}}}
		}, `attributes["w"]`},
		{"attribute without a value", func(i *Item) { i.Attributes = map[string]Value{"w": {}} }, `attributes["w"]`},
		{"bad attribute name", func(i *Item) {
			i.Attributes = map[string]Value{"9a": {Kind: KindBool, Bools: []bool{true}}}
		}, `attributes["9a"]`},
		{"two faults are both named", func(i *Item) { i.ID, i.Stock = "", number(-5) }, "id stock"},
	}
	for _, c := range cases {
		it := Item{ID: "a", Title: "Gel pens"}
		c.edit(&it)
		if got := fields(it.Validate()); got != c.want {
			t.Errorf("%s: got %q, want %q", c.why, got, c.want)
		}
	}
}

func TestEventFaultsNameTheirField(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	cases := []struct {
		why  string
		edit func(*Event)
		want string
	}{
		{"a plain event", func(*Event) {}, ""},
		{"no user, no session", func(e *Event) { e.User = "" }, "user_id"},
		{"session alone", func(e *Event) { e.User, e.Session = "", "s" }, ""},
		{"no type", func(e *Event) { e.Type = "" }, "type"},
		{"type with a capital", func(e *Event) { e.Type = "View" }, "type"},
		{"NaN value", func(e *Event) { e.Value = math.NaN() }, "value"},
		{"infinite value", func(e *Event) { e.Value = math.Inf(-1) }, "value"},
		{"just ahead", func(e *Event) { e.Time = now.Add(MaxAhead) }, ""},
		{"far in the future", func(e *Event) { e.Time = now.Add(MaxAhead + time.Second) }, "time"},
		{"no time", func(e *Event) { e.Time = time.Time{} }, "time"},
		{"invalid UTF-8 text", func(e *Event) { e.Text = "\xff" }, "text"},
		{"over-long text", func(e *Event) { e.Text = strings.Repeat("x", MaxText+1) }, "text"},
		{"negative position", func(e *Event) { e.Position = -1 }, "position"},
		{"too many pairs", func(e *Event) {
			e.Context = map[string]string{}
			for i := range MaxPairs + 1 {
				e.Context[strings.Repeat("k", i+1)] = "v"
			}
		}, "context"},
	}
	for _, c := range cases {
		e := Event{ID: "1", User: "u", Item: "a", Type: TypeView, Time: now}
		c.edit(&e)
		if got := fields(e.Validate(now)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.why, got, c.want)
		}
	}
}

func TestTenantFaultsNameTheirField(t *testing.T) {
	cases := []struct {
		why  string
		edit func(*Tenant)
		want string
	}{
		{"plain", func(*Tenant) {}, ""},
		{"name with a capital", func(t *Tenant) { t.Name = "Shop" }, "name"},
		{"removal of more than all", func(t *Tenant) { t.RemovalShare = 1.5 }, "removal_share"},
		{"short retention", func(t *Tenant) { t.Retention = time.Hour }, "retention"},
		{"NaN weight", func(t *Tenant) { t.EventTypes = []EventType{{Name: "wish", Weight: math.NaN()}} }, "event_types[0].weight"},
		{"type declared twice", func(t *Tenant) { t.EventTypes = []EventType{{Name: "wish"}, {Name: "wish"}} }, "event_types[1].name"},
		{"unknown seen policy", func(t *Tenant) { t.Surfaces = []Surface{{Name: "home", Seen: "never"}} }, "surfaces[0].seen_policy"},
		{"diversity above one", func(t *Tenant) { t.Surfaces = []Surface{{Name: "home", Diversity: 1.1}} }, "surfaces[0].diversity"},
		{"attribute without kind", func(t *Tenant) { t.Attributes = []Attribute{{Name: "size"}} }, "attributes[0].kind"},
	}
	for _, c := range cases {
		tenant := Tenant{Name: "shop"}
		c.edit(&tenant)
		if got := fields(tenant.Validate()); got != c.want {
			t.Errorf("%s: got %q, want %q", c.why, got, c.want)
		}
	}
}
