package record

import "time"

// Mutation is one change to a tenant: exactly one field is set.
type Mutation struct {
	Event   *Event
	Item    *Item
	Patch   *Patch
	Delete  *Delete
	Profile *Profile
	Merge   *Merge
	Erase   *Erase
	Promote *Promotion
}

// Delete removes an item from the catalog; its number and its counters stay.
type Delete struct{ ID string }

// Merge makes a session an alias of a user; later events of the session follow.
type Merge struct{ Session, User string }

// Erase removes a user, or a session where Session is set, and all their rows.
type Erase struct{ User, Session string }

// Status says what became of one mutation.
type Status uint8

// The outcomes. Only Added, Changed and Removed wrote to the log.
const (
	Added     Status = iota + 1
	Changed          // replaced an existing row
	Removed          // deleted or erased
	Unchanged        // equal to what is stored; for an event: a true duplicate
	Stale            // older source time than the stored row; the stored row stays
	Refused          // Err says why
)

// String returns the name used in replies.
func (s Status) String() string {
	switch s {
	case Added:
		return "added"
	case Changed:
		return "changed"
	case Removed:
		return "removed"
	case Unchanged:
		return "unchanged"
	case Stale:
		return "stale"
	case Refused:
		return "refused"
	}
	return "unknown"
}

// Outcome answers one mutation, in the order of the batch.
type Outcome struct {
	Status Status
	Seq    uint64 // of this mutation, or of the first write that a duplicate repeats
	Err    error  // why it was refused: ErrConflict, ErrNotFound, ErrExpired, ErrLimit
	// Unjoined says that an event names an item that is not in the catalog yet;
	// it counts as soon as the item arrives.
	Unjoined bool
	// Receipt says what an erase removed; nil for all else.
	Receipt *Receipt
}

// Receipt counts what an erase removed.
type Receipt struct {
	Events    int64
	Decisions int64
	Lists     int64 // page lists
	Sessions  int64 // merged into the user, or named beside them alone
	Profile   bool
	// FirstPlace is the lowest place in the log of the events; 0: there were none. First
	// and Last are the times of the earliest and the latest.
	FirstPlace  uint64
	First, Last time.Time
}

// SawEvent counts an event that went, by its place in the log and its time; zero: it could
// not be read.
func (r *Receipt) SawEvent(place uint64, at time.Time) {
	r.Events++
	if r.FirstPlace == 0 || place < r.FirstPlace {
		r.FirstPlace = place
	}
	if at.IsZero() {
		return
	}
	if r.First.IsZero() || at.Before(r.First) {
		r.First = at
	}
	if at.After(r.Last) {
		r.Last = at
	}
}

// Entry is one mutation in the log, with what the store resolved.
type Entry struct {
	Seq      uint64
	Received time.Time
	Mutation
	// Stored is the event with its numbers when Mutation.Event is set.
	Stored *Stored
	// Row is the item as it stands after a put, and also after a patch.
	Row        *Item
	ItemNumber uint32 // of the item put, patched or deleted; NoItem otherwise
	UserNumber uint64 // of the user of a profile, merge or erase; 0 otherwise
	// MergedNumber is the number the merged session had of its own; 0: none.
	MergedNumber uint64
}

// Token names a place in a tenant's log: what was written up to it. Epoch
// changes when a store is restored, so that a token of another past is noticed.
type Token struct {
	Epoch uint64
	Seq   uint64
}

// Decision is what one reply showed and why, kept for a while so that models can
// be trained on and policies judged by what was really shown.
type Decision struct {
	ID         string // recommendation id
	Time       time.Time
	UserNumber uint64 // 0: anonymous
	Surface    string
	Context    []string
	Policy     string
	Generation string
	Seed       uint64
	Tier       string
	Profile    Token
	Candidates int32
	Items      []Shown
	// Losers is a seeded sample of candidates that were not shown.
	Losers []Shown
	// FeatureNames names the columns of Shown.Features.
	FeatureNames []string

	// What follows is what the reply was made from, so that it can be made again.

	Kind       DecisionKind
	Assignment Assignment
	Filter     string // of the request and the surface; empty: none
	Limit      int32
	Seen       string // the seen policy as it served
	Diversity  float32
	// Exclude holds the items left out by request, or because an earlier row has them.
	Exclude []uint32
	// Clock is the tenant's, as_of where that was given. Zero: Time.
	Clock   time.Time
	AsOf    bool   // Clock is the request's as_of
	Applied uint64 // place in the log that the counters reflected
	// Degraded: 0, or why it came from the popular rung, as the ranker numbers it.
	Degraded uint8
	Ranked   int32  // slots that were ranked, for pages to come; 0: Limit
	Offset   int32  // slots of the list before the first item
	First    string // id of the first page; empty: this is it

	// Again is the id of an earlier decision, already on disk, that showed the same: to be put without Items,
	// Losers and FeatureNames. What is read has those, and no Again.
	Again string
}

// ClockTime is the tenant's clock at the decision.
func (d *Decision) ClockTime() time.Time {
	if d.Clock.IsZero() {
		return d.Time
	}
	return d.Clock
}

// DecisionKind is what a decision answered.
type DecisionKind uint8

// The kinds of decisions; the zero value is of those logged before there were kinds.
const (
	DecisionUnknown DecisionKind = iota
	DecisionRecommend
	DecisionPage
	DecisionSimilar
	DecisionTogether
	DecisionSearch
	DecisionRank
	DecisionBulk
)

// Shown is one item of a decision.
type Shown struct {
	Item       uint32
	Score      float32
	Propensity float32
	Features   []float32
	Slot       SlotKind
}

// SlotKind is what put an item into its slot.
type SlotKind uint8

// The kinds of slots; the zero value is the best score.
const (
	SlotScore SlotKind = iota
	SlotExplored
	SlotNewItem
	SlotPinned
	SlotReserved
)

// List is a ranked list kept so that a page token can continue it.
type List struct {
	ID         string // recommendation id of its first page
	UserNumber uint64
	Time       time.Time
	Items      []Shown
	Tier       string
	Why        string
	Generation string
	Seed       uint64
	Surface    string
	Policy     string // "name/version"
	Assignment Assignment
	Seen       string
	Diversity  float32
	Profile    Token
	Applied    uint64
	Clock      time.Time // zero: Time
	Context    []string
	// FeatureNames names the columns of Shown.Features.
	FeatureNames []string
}
