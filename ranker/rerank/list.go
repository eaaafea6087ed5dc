package rerank

import "github.com/kindred-rec/kindred/ranker/catalog"

// A Candidate may stand in a list.
type Candidate struct {
	Item uint32
	// Score by which it is ranked, larger first. One that is not finite counts as none:
	// such candidates stand behind those that have a score.
	Score float64
	// Shown is how often the user was shown it since they last acted on it, decayed by
	// Fatigue.HalfLife; at least 0.
	Shown float64
	// Filler: it makes up the number, and stands behind all that are none and not buried.
	Filler bool
}

// Rows are the live items. *catalog.Table meets it.
type Rows interface {
	// Row of an item, nil when it is not in the catalog (any more): it then matches no rule
	// and has no label.
	Row(item uint32) *catalog.Row
}

// Vectors hold the item vectors.
type Vectors interface {
	// Vector of an item, [dim] float32 of unit length, not to be changed; nil for none.
	Vector(item uint32) []float32
}

// Evidence is what is known of how items do when they are shown.
type Evidence interface {
	// Evidence are the impressions of an item and the clicks on it, both at least 0.
	Evidence(item uint32) (clicks, impressions float64)
	// Overall is the same of the whole shop: the rate that is believed of an item before it
	// is shown. Zeros: nothing is known.
	Overall() (clicks, impressions float64)
}

// Exposures are what was shown today.
type Exposures interface {
	// Today is how many times an item was shown on the UTC day of now (unix microseconds).
	Today(item uint32, now int64) int64
}

// An Input is what a list is made of. Everything but Candidates, Policy and Limit may be
// zero: what it would have told is then absent.
type Input struct {
	// Candidates, each item once, in any order.
	Candidates []Candidate
	// Policy, not nil.
	Policy *Policy
	// Diversity in place of the policy's, 0 to 1.
	Diversity float64
	// Limit is how many slots the list has at most, at least 1.
	Limit int
	// Window is how many of the best candidates a slot is chosen from where diversity or
	// chance has a say, and how many slots these have a say in. Default 200.
	Window int
	// Seed of all that is drawn.
	Seed uint64
	// Now in unix microseconds.
	Now int64

	Rows      Rows
	Vectors   Vectors
	Evidence  Evidence
	Exposures Exposures

	// Without leaves parts out, for the question what a part did.
	Without Part
}

// Part is a set of what a policy does.
type Part uint16

// Parts that can be left out.
const (
	Chance    Part = 1 << iota // the draw of a slot
	NewFloor                   // the places of new items
	Variety                    // diversity
	Tiredness                  // fatigue
	Boosts
	Burials
	Pins
	Reserves
	Limits     // caps
	Variants   // of one product in one place
	Exclusions // and daily caps, for a caller who asked [Policy.Excludes]
)

// Fill is how a slot was filled.
type Fill uint8

const (
	// ByRank: by the largest value.
	ByRank Fill = iota
	// Drawn by chance.
	Drawn
	// Pinned by a rule.
	Pinned
	// Reserved by a rule.
	Reserved
	// NewItem: the place was kept for new items.
	NewItem
	fillCount
)

var fillNames = [fillCount]string{"ranked", "drawn", "pinned", "reserved", "new item"}

// String is the fill in words: "new item".
func (f Fill) String() string {
	if f < fillCount {
		return fillNames[f]
	}
	return "unknown"
}

// A Slot is one place of a list.
type Slot struct {
	// At is the candidate's index in Input.Candidates, and Item its item.
	At   int32
	Item uint32
	Fill Fill
	// Rule that filled the slot, as index of Policy.Rules; -1: none did.
	Rule int16
	// Place is where the candidate stood by value alone, from 1, before anything was
	// placed: boosts, burials and fatigue count, diversity, caps and chance do not.
	Place int32
	// Value is the score with boosts, fatigue and the cost of diversity, as it stood when
	// the slot was filled.
	Value float64
	// Penalty is what diversity took off the value, at least 0.
	Penalty float64
	// Propensity is the exact probability of this item in this slot, given the input and
	// the slots before it. 1 for what is pinned.
	Propensity float64
}

// A List is the outcome. Its slices are reused when it is given to an engine again.
type List struct {
	// Slots from the first on, at most Limit.
	Slots []Slot
	// Conflicts are what could not be met, each once, in the order met.
	Conflicts []Conflict
}

// Has reports whether an item stands in the list.
func (l *List) Has(item uint32) bool {
	for i := range l.Slots {
		if l.Slots[i].Item == item {
			return true
		}
	}
	return false
}
