package rerank

import "fmt"

// Why says why a rule or a cap could not be met.
type Why uint8

const (
	// PinMissing: no candidate that may be shown meets the pin.
	PinMissing Why = iota + 1
	// PinExcluded: the item of the pin is excluded by a rule, or was shown as often today as
	// a rule allows.
	PinExcluded
	// PinTaken: an earlier pin has the item.
	PinTaken
	// PinVariant: an earlier pin has another variant of the item.
	PinVariant
	// PinMoved: an earlier pin has the slot; Slot is where the item stands instead.
	PinMoved
	// PinBeyond: the slot, or the next one that is free, lies past the end of the list.
	PinBeyond
	// ReserveShort: too few items that the rule matches are left; Slot is the first that
	// the rule did not get.
	ReserveShort
	// ReserveCapped: the items left that the rule matches are all capped.
	ReserveCapped
	// ReserveBehind: rules before it or pins had the slots.
	ReserveBehind
	// CapGaveWay: only capped items were left; Slot is the first that has one.
	CapGaveWay
	whyEnd
)

var whyTexts = [whyEnd]string{"", "no item that may be shown meets it", "its item is excluded by a rule", "an earlier pin has its item",
	"an earlier pin shows another variant of its item", "an earlier pin has its slot", "its slot lies past the end of the list",
	"too few of its items are left", "its items left are capped", "other rules had the slots", "only capped items were left"}

// String is the reason in words.
func (w Why) String() string {
	if w > 0 && w < whyEnd {
		return whyTexts[w]
	}
	return "unknown"
}

// A Conflict is a rule or a cap that could not be met in one list.
type Conflict struct {
	Why Why
	// Rule or Cap, as index of the policy's; the other is -1.
	Rule, Cap int16
	// Slot it was first not met at, from 1; 0: none in particular.
	Slot int32
	// Times it was not met.
	Times int32
}

// Text is one sentence: `rule "spring" (pin) at slot 3: an earlier pin has its slot`.
func (c Conflict) Text(p *Policy) string {
	what := "a rule that is gone"
	switch {
	case c.Rule >= 0 && int(c.Rule) < len(p.Rules):
		what = fmt.Sprintf("rule %q (%v)", p.Rules[c.Rule].Name, p.Rules[c.Rule].Action)
	case c.Cap >= 0 && int(c.Cap) < len(p.Caps):
		what = fmt.Sprintf("the cap of %d by %v", p.Caps[c.Cap].Most, p.Caps[c.Cap].By)
	}
	if c.Slot > 0 {
		what += fmt.Sprintf(" at slot %d", c.Slot)
	}
	if c.Times > 1 {
		return fmt.Sprintf("%s and %d more: %v", what, c.Times-1, c.Why)
	}
	return fmt.Sprintf("%s: %v", what, c.Why)
}

// conflict notes what could not be met, once a rule or cap and reason.
func (e *Engine) conflict(why Why, rule, cap int, slot int) {
	for i := range e.out.Conflicts {
		if c := &e.out.Conflicts[i]; c.Why == why && int(c.Rule) == rule && int(c.Cap) == cap {
			c.Times++
			return
		}
	}
	e.out.Conflicts = append(e.out.Conflicts, Conflict{Why: why, Rule: int16(rule), Cap: int16(cap), Slot: int32(slot), Times: 1})
}
