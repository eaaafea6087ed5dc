package record

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// The bounds of single fields, in bytes unless said otherwise. They are part of the
// wire contract and stand there at each field.
const (
	MaxID          = 128
	MaxTitle       = 1 << 10
	MaxDescription = 64 << 10
	MaxCategories  = 32 // paths
	MaxCategory    = 512
	MaxTags        = 64 // tags
	MaxTag         = 128
	MaxName        = 256 // brand, seller
	MaxLanguage    = 35
	MaxURL         = 2 << 10
	MaxAttributes  = 64 // attributes
	MaxElements    = 64 // of a list attribute
	MaxString      = 1 << 10
	MaxVector      = 4096 // components
	MaxText        = 8 << 10
	MaxTypeName    = 63
	MaxSurface     = 63
	MaxPairs       = 16 // context pairs
	MaxPairKey     = 63
	MaxPairValue   = 256
	MaxPosition    = 10_000
	MaxReply       = 64 // a recommendation id
)

// MaxAhead is how far in the future an event may lie: clocks differ.
const MaxAhead = time.Hour

// Violation is one fault of one field: Field is its wire name within the row.
type Violation struct {
	Field       string
	Description string
}

// checker collects violations.
type checker struct{ found []Violation }

func (c *checker) add(field, format string, args ...any) {
	c.found = append(c.found, Violation{Field: field, Description: fmt.Sprintf(format, args...)})
}

// text checks a string field: valid UTF-8 and no longer than its bound.
func (c *checker) text(field, s string, bound int) {
	if len(s) > bound {
		c.add(field, "is %d bytes, at most %d are taken: shorten it", len(s), bound)
	} else if !utf8.ValidString(s) {
		c.add(field, "is not valid UTF-8: convert it before sending")
	}
}

// id checks a required identifier.
func (c *checker) id(field, s string) {
	switch {
	case s == "":
		c.add(field, "is missing: give 1 to %d bytes", MaxID)
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		c.add(field, "%.40q has a control character: remove it", s)
	default:
		c.text(field, s, MaxID)
	}
}

func (c *checker) currency(field, code string) {
	if len(code) != 3 || strings.ContainsFunc(code, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		c.add(field, "%.12q is no currency: give an ISO 4217 code such as \"EUR\"", code)
	}
}

func (c *checker) money(field string, m *Money) {
	if m == nil {
		return
	}
	c.currency(field+".currency_code", m.Currency)
	if m.Units < 0 {
		c.add(field+".units", "is %d: a price is 0 or more", m.Units)
	}
	if m.Nanos < 0 || m.Nanos > 999_999_999 {
		c.add(field+".nanos", "is %d: give 0 to 999,999,999", m.Nanos)
	}
}

func (c *checker) stock(n *int64) {
	if n != nil && *n < 0 {
		c.add("stock", "is %d: give 0 or more, or leave it out for unlimited", *n)
	}
}

func (c *checker) dates(from, until time.Time) {
	if err := CheckDates(from, until); err != nil {
		c.add("available_until", "%s", err)
	}
}

// CheckDates is an error where an item that is available from a moment until another never is, a zero time being no bound.
// Moments count in whole microseconds, as they are served. A patch is checked again with what it changes: each of the two may be
// right by itself.
func CheckDates(from, until time.Time) error {
	if !never(from, until) {
		return nil
	}
	return fmt.Errorf("%s is not after available_from %s", stamp(until), stamp(from))
}

// never reports whether nothing is from one moment until another, as both are served: in whole microseconds, a zero time being no
// bound.
func never(from, until time.Time) bool {
	return !from.IsZero() && !until.IsZero() && until.UnixMicro() <= from.UnixMicro()
}

func (c *checker) finite(field string, x float64) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		c.add(field, "is %v: give a finite number", x)
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Validate returns what is wrong with an item, nil if nothing is. It looks at form alone.
func (it *Item) Validate() []Violation {
	var c checker
	c.id("id", it.ID)
	c.text("title", it.Title, MaxTitle)
	c.text("description", it.Description, MaxDescription)
	c.strings("categories", it.Categories, MaxCategories, MaxCategory)
	c.strings("tags", it.Tags, MaxTags, MaxTag)
	c.text("brand", it.Brand, MaxName)
	c.text("seller", it.Seller, MaxName)
	c.text("language", it.Language, MaxLanguage)
	c.money("price", it.Price)
	c.stock(it.Stock)
	c.dates(it.AvailableFrom, it.AvailableUntil)
	c.text("url", it.URL, MaxURL)
	c.text("image_url", it.ImageURL, MaxURL)
	c.text("variant_group", it.Group, MaxID)
	c.vector(it.Vector)
	c.attributes(it.Attributes)
	return c.found
}

func (c *checker) strings(field string, list []string, count, bound int) {
	if len(list) > count {
		c.add(field, "has %d entries, at most %d are taken", len(list), count)
		return
	}
	for i, s := range list {
		name := fmt.Sprintf("%s[%d]", field, i)
		if strings.TrimSpace(s) == "" {
			c.add(name, "is empty: leave it out")
		}
		c.text(name, s, bound)
	}
}

func (c *checker) vector(v []float32) {
	if len(v) == 0 {
		return
	}
	if len(v) > MaxVector {
		c.add("vector", "has %d components, at most %d are taken", len(v), MaxVector)
		return
	}
	var sum float64
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			c.add(fmt.Sprintf("vector[%d]", i), "is %v: give a finite number", x)
			return
		}
		sum += float64(x) * float64(x)
	}
	if sum == 0 || math.IsInf(float64(float32(sum)), 0) {
		c.add("vector", "has no direction that can be used (length %g): leave it out to have the text encoded", math.Sqrt(sum))
	}
}

func (c *checker) attributes(attrs map[string]Value) {
	if len(attrs) > MaxAttributes {
		c.add("attributes", "has %d entries, at most %d are taken", len(attrs), MaxAttributes)
		return
	}
	for name, v := range attrs {
		field := fmt.Sprintf("attributes[%q]", name)
		if !validAttributeName(name) {
			c.add(field, "is no attribute name: use a letter, then at most 62 of a-z, A-Z, 0-9, '_'")
			continue
		}
		c.value(field, v)
	}
}

func (c *checker) value(field string, v Value) {
	if v.Kind < KindString || v.Kind > KindTime {
		c.add(field, "has no value: set one, or leave the attribute out")
		return
	}
	if v.Len() > MaxElements {
		c.add(field, "has %d elements, at most %d are taken", v.Len(), MaxElements)
		return
	}
	for _, s := range v.Strings {
		c.text(field, s, MaxString)
	}
	for _, x := range v.Numbers {
		c.finite(field, x)
	}
}

func validAttributeName(s string) bool {
	if s == "" || len(s) > MaxTypeName {
		return false
	}
	for i := 0; i < len(s); i++ {
		b := s[i]
		letter := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
		if !letter && (i == 0 || b != '_' && (b < '0' || b > '9')) {
			return false
		}
	}
	return true
}

// Validate returns what is wrong with a patch, nil if nothing is.
func (p *Patch) Validate() []Violation {
	var c checker
	c.id("id", p.ID)
	if len(p.Fields) == 0 {
		c.add("update_mask", "is empty: name some of price, stock, available_from, available_until, hidden")
	}
	for _, f := range p.Fields {
		switch f {
		case FieldPrice, FieldStock, FieldAvailableFrom, FieldAvailableUntil, FieldHidden:
		default:
			c.add("update_mask", "%.40q cannot be patched: use price, stock, available_from, available_until, hidden, or UpsertItems for the rest", f)
		}
	}
	c.money("price", p.Price)
	c.stock(p.Stock)
	c.dates(p.AvailableFrom, p.AvailableUntil)
	return c.found
}

// Validate returns what is wrong with an event, nil if nothing is. now bounds its time.
func (e *Event) Validate(now time.Time) []Violation {
	var c checker
	c.id("id", e.ID)
	if e.User == "" && e.Session == "" {
		c.add("user_id", "is missing and so is session_id: give at least one")
	}
	c.optionalID("user_id", e.User)
	c.optionalID("session_id", e.Session)
	c.optionalID("item_id", e.Item)
	if !validTypeName(e.Type) {
		c.add("type", "%.40q is no event type: set type, or custom_type to 1 to 63 of a-z, 0-9, '_'", e.Type)
	}
	c.finite("value", e.Value)
	c.text("text", e.Text, MaxText)
	if e.Time.After(now.Add(MaxAhead)) {
		c.add("time", "%s is more than %s in the future of the service's clock %s: check the sender's clock", stamp(e.Time), "1h", stamp(now))
	}
	if e.Time.IsZero() || e.Time.Year() < 1970 {
		c.add("time", "%s is before 1970: check the unit, a Timestamp counts seconds", stamp(e.Time))
	}
	c.text("recommendation_id", e.RecommendationID, MaxReply)
	if e.Position < 0 || e.Position > MaxPosition {
		c.add("position", "is %d: give 1 to %d, or leave it out", e.Position, MaxPosition)
	}
	c.text("surface", e.Surface, MaxSurface)
	c.context(e.Context)
	return c.found
}

func (c *checker) optionalID(field, s string) {
	if s != "" {
		c.id(field, s)
	}
}

func (c *checker) context(pairs map[string]string) {
	if len(pairs) > MaxPairs {
		c.add("context", "has %d pairs, at most %d are taken", len(pairs), MaxPairs)
		return
	}
	for k, v := range pairs {
		c.text(fmt.Sprintf("context[%.63q]", k), k, MaxPairKey)
		c.text(fmt.Sprintf("context[%.63q]", k), v, MaxPairValue)
	}
}

func validTypeName(s string) bool {
	if s == "" || len(s) > MaxTypeName {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	})
}

// Validate returns what is wrong with a profile, nil if nothing is.
func (p *Profile) Validate() []Violation {
	var c checker
	c.id("user_id", p.User)
	c.attributes(p.Attributes)
	return c.found
}
