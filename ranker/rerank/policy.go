package rerank

import (
	"time"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// A Policy says what is done to a ranked list before it is shown. The zero value orders
// by score and lets one variant of a product stand. It is immutable once in use and safe
// for concurrent use; have [Policy.Validate] look at it first.
type Policy struct {
	// Diversity is the weight of variety against relevance, 0 to 1.
	Diversity float64
	// Caps bound how many items of one label stand in a list. At most [MaxCaps].
	Caps []Cap
	// Rules of the merchant, in order: where two want the same, the first has it. At most
	// [MaxRules].
	Rules []Rule
	// Explore leaves something to chance, or nothing.
	Explore Exploration
	// NewItems keeps places for items that few have met.
	NewItems NewItems
	// Fatigue lowers what a user was shown before and passed over.
	Fatigue Fatigue
	// KeepVariants lets several variants of one product (rows of one Group) stand.
	KeepVariants bool
}

// Bounds of a policy.
const (
	MaxRules       = 64
	MaxCaps        = 16
	MaxSlot        = 200     // of a pin
	MaxWithin      = 1000    // of a cap
	MaxFactor      = 1e6     // of a boost, and one over it the least
	MaxTemperature = 1e6     // of an exploration
	MaxPerDay      = 1 << 30 // of a daily cap
	MaxWeight      = 1000    // of fatigue
)

// DefaultDiversity is the weight for those who want variety and have measured nothing: see
// the package comment.
const DefaultDiversity = 0.35

// Label is what a [Cap] counts by.
type Label uint8

// Labels. A row has one brand and one seller, and several categories, of which the leaves
// count (catalog.Row.Leaves): a path's prefixes are shared by much of a catalog.
const (
	Category Label = iota
	Brand
	Seller
	labelCount
)

var labelNames = [labelCount]string{"category", "brand", "seller"}

// String is the label's name: "brand".
func (l Label) String() string {
	if l < labelCount {
		return labelNames[l]
	}
	return "unknown"
}

// A Cap lets at most Most items that share a label of a kind stand in the first Within
// slots of a list (0: in all of it). Items without such a label are not capped.
type Cap struct {
	By     Label
	Most   int // at least 1
	Within int // 0 to MaxWithin
}

// Action is what a [Rule] does with the items it matches.
type Action uint8

const (
	// Exclude never shows them.
	Exclude Action = iota + 1
	// CapPerDay shows each at most PerDay times a day (in UTC), to all users together.
	CapPerDay
	// Pin puts the best of them, by score, into Slot.
	Pin
	// Reserve gives them at least the Share of every beginning of the list: ⌊Share·k⌋ of
	// the first k slots.
	Reserve
	// Boost multiplies their odds by Factor: ln(Factor) is added to their score. Below 1 it
	// lowers them.
	Boost
	// Bury puts them behind all that are not buried.
	Bury
	actionEnd
)

var actionNames = [actionEnd]string{"", "exclude", "daily cap", "pin", "reserve", "boost", "bury"}

// String is the action's name: "daily cap".
func (a Action) String() string {
	if a > 0 && a < actionEnd {
		return actionNames[a]
	}
	return "unknown"
}

// Matcher is a compiled condition. *filter.Program and *filter.Filter meet it.
type Matcher interface {
	// Match reports whether a row meets the condition. The row is never nil.
	Match(row *catalog.Row) bool
}

// A Rule is an action on the items that a condition matches.
type Rule struct {
	// Name is told in explanations, 1 to 63 bytes.
	Name   string
	Action Action
	// Match chooses the items; nil: all.
	Match Matcher
	// Item chooses one item, if HasItem, that must meet Match, too. A pinned item need not
	// have been retrieved: the ranker proposes it.
	Item    uint32
	HasItem bool
	// From and Until bound when the rule holds, unix microseconds, the second exclusive; 0:
	// no bound.
	From, Until int64

	Slot   int     // Pin: 1 to MaxSlot
	Share  float64 // Reserve: above 0 to 1
	Factor float64 // Boost: 1/MaxFactor to MaxFactor
	PerDay int     // CapPerDay: 0 to MaxPerDay
}

// Holds reports whether the rule holds at a time, unix microseconds.
func (r *Rule) Holds(now int64) bool {
	return (r.From == 0 || now >= r.From) && (r.Until == 0 || now < r.Until)
}

// Exploration leaves order to chance: each slot is drawn from the candidates that may
// stand in it, with probabilities in proportion to exp(value/Temperature), so that a list
// is a sample of the Plackett-Luce model. 0: the largest value takes the slot.
type Exploration struct {
	Temperature float64 // 0 to MaxTemperature
}

// Method is how an item is chosen for a place that is kept for new ones.
type Method uint8

const (
	// ByScore: as for any other slot.
	ByScore Method = iota
	// Thompson: a click rate is drawn for each new item from what is believed of it, a beta
	// distribution, and the largest has the place (Thompson, 1933).
	Thompson
	// UCB: the largest upper bound of the click rate has the place (Auer et al., 2002).
	UCB
	methodCount
)

// NewItems gives each slot, with probability Share, to the new items alone, so that the
// expected exposure of these is at least Share wherever there are any. An item is new
// within MaxAge of its creation, or below MaxImpressions impressions; a zero field has no
// say, and with both zero none is new.
type NewItems struct {
	Share          float64 // 0 to 1; 0: no place is kept
	MaxAge         time.Duration
	MaxImpressions int
	Method         Method
}

// Fatigue takes Weight·ln(1+n) off the score of an item that the user was shown n times,
// each of the times counted by half for every HalfLife that it is ago, since the user last
// acted on it.
type Fatigue struct {
	Weight   float64 // 0 to MaxWeight; 0: none
	HalfLife time.Duration
}
