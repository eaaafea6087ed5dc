package record

import (
	"math"
	"strings"
	"testing"
)

func TestPromotionFaultsNameTheirField(t *testing.T) {
	hash := strings.Repeat("0a", 32)
	for _, c := range []struct {
		why  string
		edit func(*Promotion)
		want string
	}{
		{"plain", func(*Promotion) {}, ""},
		{"back to none", func(p *Promotion) { p.Bundle = "" }, ""},
		{"a short hash", func(p *Promotion) { p.Bundle = hash[:12] }, "bundle"},
		{"capitals", func(p *Promotion) { p.Previous = strings.ToUpper(hash) }, "previous"},
		{"long note", func(p *Promotion) { p.Note = strings.Repeat("x", MaxNote+1) }, "note"},
		{"NaN", func(p *Promotion) { p.Checks[0].Measured = math.NaN() }, "checks[0].measured"},
		{"no name", func(p *Promotion) { p.Checks[0].Name = "" }, "checks[0].name"},
		{"too many", func(p *Promotion) { p.Checks = make([]Check, MaxChecks+1) }, "checks"},
	} {
		p := Promotion{Bundle: hash, Checks: []Check{{Name: "overlap_at_10", Measured: 0.4, Bound: 0.2}}}
		c.edit(&p)
		if got := fields(p.Validate()); got != c.want {
			t.Errorf("%s: got %q, want %q", c.why, got, c.want)
		}
	}
}
