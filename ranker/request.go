package ranker

import (
	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/rerank"
)

// Kind is how a user acted on an item.
type Kind uint8

// Kinds of acts. OnPage is not an act of the past: the item stands on the page
// that the reply is for.
const (
	Viewed Kind = iota
	Clicked
	Liked
	Carted
	Purchased
	Rated
	Commented
	Shared
	OnPage
	kindCount
)

var kindVerbs = [kindCount]string{"viewed", "clicked", "liked", "put in the cart", "bought", "rated", "commented on", "shared", "are looking at"}

// String is what the user did, in the past tense: "viewed".
func (k Kind) String() string {
	if k < kindCount {
		return kindVerbs[k]
	}
	return "acted on"
}

// A Touch is one act of the user on one item.
type Touch struct {
	// Item acted on. Numbers past the catalog are ignored.
	Item uint32
	// Weight is the strength of the act; 0 means 1. Acts against an item (dislike,
	// hide) are no touches: they belong in [Request.Hidden].
	Weight float32
	// Time in unix microseconds; 0 when unknown.
	Time int64
	Kind Kind
}

// A Showing is one time that the user was shown an item.
type Showing struct {
	// Item shown. Numbers past the catalog are ignored.
	Item uint32
	// Time in unix microseconds; 0 when unknown.
	Time int64
}

// SeenPolicy says what happens to the items of [Request.History].
type SeenPolicy uint8

const (
	// Keep leaves nothing out: for shops where people buy again.
	Keep SeenPolicy = iota
	// HidePurchased leaves out what was purchased.
	HidePurchased
	// HideInteracted leaves out every item of the history.
	HideInteracted
)

// Relation chooses what the items of a reply have to do with the first context
// item. It changes weights and sources, nothing else.
type Relation uint8

const (
	// ForUser recommends to the user, on the page of the context items.
	ForUser Relation = iota
	// Similar wants items that can stand in the context item's place.
	Similar
	// BoughtTogether wants items that people went on to from it.
	BoughtTogether
)

// Degradation makes a reply come from the popular rung, whatever is known.
type Degradation uint8

const (
	// NotDegraded is the ordinary case.
	NotDegraded Degradation = iota
	// Overloaded: the service is past its permit.
	Overloaded
	// ProfileUnavailable: the profile could not be read in time.
	ProfileUnavailable
)

// Matcher is a filter that is checked on each candidate at reply time.
// *filter.Program meets it.
type Matcher interface {
	// Match reports whether the row passes. The row is never nil.
	Match(row *catalog.Row) bool
}

// Request asks for a list. The pipeline keeps nothing of it. The zero value of
// every field but Limit is meaningful.
type Request struct {
	// History of the user, oldest first. Only the last Settings.MaxHistory
	// touches are looked at.
	History []Touch
	// Impressions are the times that the user was shown an item since they last acted on
	// it, oldest first: what they passed over.
	Impressions []Showing
	// Surface that the list is for, by name: home, cart. It makes a feature, no more.
	Surface string
	// UserVector, [dim] float32 of unit length in the space of World.UserSpace, or of
	// World.Vectors where there is none; nil when there is no vector. One of another
	// length than the items' there is ignored.
	UserVector []float32
	// Nearest is what [Pipeline.Nearest] found for UserVector, for a caller who keeps
	// it from one request to the next; nil: it is searched for. It must be of the
	// vectors as they are now, and is not used beside Allow.
	Nearest []Scored
	// Context are the items of the page, the most important first. They are never
	// returned.
	Context []uint32
	// Exclude is never returned.
	Exclude []uint32
	// Hidden by the user; never returned.
	Hidden []uint32
	// Candidates, if not nil, are the only items to rank; nothing is retrieved.
	// Those past the catalog, and those given again, are not ranked.
	Candidates []uint32
	// Allow is a bitmap of the items that may be returned: bit i of word i/64 is
	// item i; items past its end may not. nil allows all.
	Allow []uint64
	// Match is asked for each candidate that passes Allow. nil lets all pass.
	Match Matcher
	// Now is the tenant's clock, unix microseconds.
	Now int64
	// Limit is how many items are wanted, 1 to [MaxLimit].
	Limit int
	// Losers is how many candidates that were ranked but not returned are drawn,
	// by Seed, into Response.Losers. At most [MaxLimit].
	Losers int
	// Seed of all that is drawn.
	Seed uint64
	// Policy of re-ranking, validated; nil: the largest score first, and Diversity.
	Policy *rerank.Policy
	// Diversity is the weight of variety against relevance, 0 to 1. Above 0, or with
	// DiversitySet, it stands in place of the policy's.
	Diversity    float32
	DiversitySet bool
	Seen         SeenPolicy
	Relation     Relation
	Degraded     Degradation
	// Anonymous: the history is that of a session nobody is known behind.
	Anonymous bool
	// PersonalizationOff: the user does not want it. History and UserVector are
	// ignored, but for Seen.
	PersonalizationOff bool
}

// MaxLimit is the largest [Request.Limit].
const MaxLimit = 10_000
