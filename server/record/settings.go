package record

import (
	"fmt"
	"strings"
	"time"
)

// Bounds of a tenant's settings.
const (
	MaxDeclared    = 64 // event types, surfaces, attributes: each
	MaxLimit       = 1000
	MaxFilter      = 4 << 10
	MinRetention   = 24 * time.Hour
	MaxRetention   = 100 * 365 * 24 * time.Hour
	MaxEventWeight = 10
)

// DefaultRetention is how long events live where the tenant does not say.
const DefaultRetention = 400 * 24 * time.Hour

// DefaultRemovalShare is Tenant.RemovalShare where the tenant does not say.
const DefaultRemovalShare = 0.2

// Seen policies of a surface.
const (
	SeenKeep           = "keep"
	SeenHidePurchased  = "hide_purchased"
	SeenHideInteracted = "hide_interacted"
)

// Validate returns what is wrong with a tenant's settings, nil if nothing is.
func (t *Tenant) Validate() []Violation {
	var c checker
	if !ValidTenantName(t.Name) {
		c.add("name", "%.80q is no tenant name: use a letter, then at most 62 of a-z, 0-9 and '-'", t.Name)
	}
	if t.Currency != "" {
		c.currency("currency_code", t.Currency)
	}
	if t.RemovalShare != 0 && !(t.RemovalShare > 0 && t.RemovalShare <= 1) {
		c.add("removal_share", "is %v: give above 0 to 1, or leave it out for 0.2", t.RemovalShare)
	}
	if t.Retention != 0 && (t.Retention < MinRetention || t.Retention > MaxRetention) {
		c.add("retention", "is %s: give 1 day to 100 years, or leave it out for 400 days", t.Retention)
	}
	c.kept(t.Kept)
	c.eventTypes(t.EventTypes)
	c.surfaces(t.Surfaces)
	c.declarations(t.Attributes)
	return c.found
}

func (c *checker) kept(k Kept) {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	for _, f := range []struct {
		field        string
		is           time.Duration
		least, most  time.Duration
		bounds, none string
	}{
		{"decisions", k.Decisions, time.Hour, 10 * year, "1 hour to 10 years", "what the service has for all"},
		{"page_lists", k.Lists, time.Minute, day, "1 minute to 1 day", "what the service has for all"},
		{"unused_vectors", k.Vectors, time.Hour, year, "1 hour to 1 year", "each sweep"},
		{"audit", k.Audit, 30 * day, 100 * year, "30 days to 100 years", "as many as its size allows"},
		{"catalog_before", k.CatalogBefore, time.Hour, 10 * year, "1 hour to 10 years", "until the next replacement"},
	} {
		if f.is != 0 && (f.is < f.least || f.is > f.most) {
			c.add("kept."+f.field, "is %s: give %s, or leave it out for %s", f.is, f.bounds, f.none)
		}
	}
}

// ValidTenantName reports whether s can name a tenant.
func ValidTenantName(s string) bool {
	if s == "" || len(s) > 63 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

func (c *checker) eventTypes(list []EventType) {
	if len(list) > MaxDeclared {
		c.add("event_types", "has %d entries, at most %d are taken", len(list), MaxDeclared)
		return
	}
	seen := map[string]bool{}
	for i, e := range list {
		field := fmt.Sprintf("event_types[%d]", i)
		if !validTypeName(e.Name) {
			c.add(field+".name", "%.80q is no type name: use 1 to 63 of a-z, 0-9, '_'", e.Name)
		}
		if !(e.Weight >= -MaxEventWeight && e.Weight <= MaxEventWeight) { // also refuses NaN
			c.add(field+".weight", "is %v: give -%d to %d", e.Weight, MaxEventWeight, MaxEventWeight)
		}
		c.once(seen, field+".name", e.Name)
	}
}

func (c *checker) surfaces(list []Surface) {
	if len(list) > MaxDeclared {
		c.add("surfaces", "has %d entries, at most %d are taken", len(list), MaxDeclared)
		return
	}
	seen := map[string]bool{}
	for i, s := range list {
		field := fmt.Sprintf("surfaces[%d]", i)
		if s.Name == "" {
			c.add(field+".name", "is missing: give 1 to %d bytes", MaxSurface)
		}
		c.text(field+".name", s.Name, MaxSurface)
		if s.Limit < 0 || s.Limit > MaxLimit {
			c.add(field+".limit", "is %d: give 1 to %d, or 0 for 10", s.Limit, MaxLimit)
		}
		if !knownSeen(s.Seen) {
			c.add(field+".seen_policy", "%.40q is unknown: use %s, %s or %s", s.Seen, SeenKeep, SeenHidePurchased, SeenHideInteracted)
		}
		if !(s.Diversity >= 0 && s.Diversity <= 1) {
			c.add(field+".diversity", "is %v: give 0 to 1", s.Diversity)
		}
		c.text(field+".filter", s.Filter, MaxFilter)
		if s.Policy != "" && !ValidPolicyName(s.Policy) {
			c.add(field+".policy", "%.80q is no policy name: %s", s.Policy, nameRule)
		}
		c.once(seen, field+".name", s.Name)
	}
}

func (c *checker) declarations(list []Attribute) {
	if len(list) > MaxDeclared {
		c.add("attributes", "has %d entries, at most %d are taken", len(list), MaxDeclared)
		return
	}
	seen := map[string]bool{}
	for i, a := range list {
		field := fmt.Sprintf("attributes[%d]", i)
		if !validAttributeName(a.Name) {
			c.add(field+".name", "%.80q is no attribute name: use a letter, then at most 62 of a-z, A-Z, 0-9, '_'", a.Name)
		}
		if a.Kind < KindString || a.Kind > KindTime {
			c.add(field+".kind", "is not set: use string, number, bool or time")
		}
		c.once(seen, field+".name", a.Name)
	}
}

// once notes a name and reports one that stands twice.
func (c *checker) once(seen map[string]bool, field, name string) {
	if seen[name] {
		c.add(field, "%q stands twice", name)
	}
	seen[name] = true
}
