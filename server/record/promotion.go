package record

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Promotion makes a bundle, a trained model, the one that serves the tenant. It stays in
// the log for ever.
type Promotion struct {
	// Bundle is the content hash of the bundle, 64 hexadecimal digits. Empty: none serves,
	// what people do is read without a trained model.
	Bundle string
	// Previous is the bundle promoted before. A promotion whose Previous is another than
	// the one that is promoted then is refused with ErrConflict, so that two that were
	// decided at once do not both land.
	Previous string
	By       string // id of the caller's API key; empty: none was asked for
	Note     string // at most 512 bytes
	Rollback bool   // back to what served before
	Forced   bool   // although a check failed
	Checks   []Check
}

// Check is one threshold of a promotion, as it stood then.
type Check struct {
	Name     string  // such as "overlap_at_10", at most 63 bytes
	Measured float64 // 0 with Unmeasured
	Bound    float64
	AtMost   bool // Measured must not be above Bound; false: not below
	// Unmeasured: there was nothing to measure by.
	Unmeasured bool
	Failed     bool
}

// Promoted is a promotion at its place in the log.
type Promoted struct {
	Promotion
	Seq  uint64
	Time time.Time // when it was acknowledged
}

// Bounds of a promotion.
const (
	MaxNote      = 512
	MaxChecks    = 32
	MaxCheckName = 63
	bundleDigits = 64
)

// Validate returns what is wrong with a promotion, nil if nothing is.
func (p *Promotion) Validate() []Violation {
	var c checker
	c.bundle("bundle", p.Bundle)
	c.bundle("previous", p.Previous)
	c.text("by", p.By, MaxID)
	c.text("note", p.Note, MaxNote)
	if len(p.Checks) > MaxChecks {
		c.add("checks", "has %d entries, at most %d are taken", len(p.Checks), MaxChecks)
		return c.found
	}
	for i, k := range p.Checks {
		field := fmt.Sprintf("checks[%d]", i)
		if k.Name == "" || len(k.Name) > MaxCheckName || !utf8.ValidString(k.Name) {
			c.add(field+".name", "%.40q must have 1 to %d bytes of UTF-8", k.Name, MaxCheckName)
		}
		c.finite(field+".measured", k.Measured)
		c.finite(field+".bound", k.Bound)
	}
	return c.found
}

// bundle checks the hash of a bundle, which may be empty.
func (c *checker) bundle(field, s string) {
	if s != "" && (len(s) != bundleDigits || strings.Trim(s, "0123456789abcdef") != "") {
		c.add(field, "%.70q is no bundle's hash: give %d hexadecimal digits", s, bundleDigits)
	}
}
