package ranker

import (
	"strconv"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/ranker/rerank"
)

// Tier is the rung of the ladder that a reply came from, best first.
type Tier uint8

const (
	// Personalized: from the vector and the events of a known user.
	Personalized Tier = iota + 1
	// Session: from events alone, such as those of an anonymous session.
	Session
	// ItemNeighbours: from the items of the page alone.
	ItemNeighbours
	// Popular: from what is popular and new in the tenant.
	Popular
)

var tierNames = [...]string{"", "personalized", "session", "item_neighbours", "popular"}

// String is the tier's name on the wire: "item_neighbours".
func (t Tier) String() string {
	if int(t) < len(tierNames) {
		return tierNames[t]
	}
	return "unknown"
}

// TierReason says why a reply came from its rung. It holds numbers, so that the
// request path writes no text; String does.
type TierReason struct {
	Tier Tier
	// Events of the user that count, and items of the page.
	Events, Context int
	// Filled is how many candidates a lower rung had to add to reach the limit.
	Filled int
	// HasVector: a user vector of the right length was given.
	HasVector bool
	// Unconnected: what is known of the user or the page led to no candidate.
	Unconnected        bool
	Anonymous          bool
	PersonalizationOff bool
	Degraded           Degradation
}

// String is one sentence: "no vector for this user: 0 events known".
func (r TierReason) String() string {
	var b strings.Builder
	switch {
	case r.Degraded == Overloaded:
		b.WriteString("the service is past its permit: answered from what is popular")
	case r.Degraded == ProfileUnavailable:
		b.WriteString("the profile could not be read in time: answered from what is popular")
	case r.Unconnected:
		b.WriteString("nothing is connected with " + count(r.Events, "event") + " and " + count(r.Context, "item") + " of the page")
	case r.PersonalizationOff && r.Tier == ItemNeighbours:
		b.WriteString("personalization is off: answered from " + count(r.Context, "item") + " of the page")
	case r.PersonalizationOff:
		b.WriteString("personalization is off and there is no item of the page to start from")
	case r.Tier == Personalized:
		b.WriteString("from the user's vector and " + count(r.Events, "event"))
	case r.Tier == Session && r.Anonymous:
		b.WriteString("anonymous session with " + count(r.Events, "event"))
	case r.Tier == Session:
		b.WriteString("no vector for this user: answered from " + count(r.Events, "event"))
	case r.Tier == ItemNeighbours:
		b.WriteString("no event known: answered from " + count(r.Context, "item") + " of the page")
	case r.Anonymous:
		b.WriteString("anonymous session: 0 events known")
	default:
		b.WriteString("no vector for this user: 0 events known")
	}
	if r.Filled > 0 {
		b.WriteString("; filled up with " + count(r.Filled, "popular item"))
	}
	return b.String()
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// Source is one way by which candidates are proposed.
type Source uint8

const (
	// FromUserVector: nearest to the user's vector.
	FromUserVector Source = iota
	// FromItemNeighbours: nearest to a recent or context item.
	FromItemNeighbours
	// FromCoVisited: often follows a recent or context item.
	FromCoVisited
	// FromTrending: popular lately.
	FromTrending
	// FromPopular: popular.
	FromPopular
	// FromArrivals: new in the catalog.
	FromArrivals
	// FromRepeat: the user's own items.
	FromRepeat
	// FromCaller: brought by the caller.
	FromCaller
	// FromPolicy: pinned by a rule of the policy.
	FromPolicy
	sourceCount
)

var sourceNames = [sourceCount]string{"user_vector", "item_neighbour", "co_visited", "trending", "popular", "new", "repeat", "caller", "policy"}

// String is the source's name: "co_visited".
func (s Source) String() string {
	if s < sourceCount {
		return sourceNames[s]
	}
	return "unknown"
}

// Sources is a set of sources, bit s for source s.
type Sources uint16

// Has reports whether s is in the set.
func (s Sources) Has(source Source) bool { return s&(1<<source) != 0 }

// Append appends the members in ascending order.
func (s Sources) Append(dst []Source) []Source {
	for source := range sourceCount {
		if s.Has(source) {
			dst = append(dst, source)
		}
	}
	return dst
}

// Ranked is an item of a reply.
type Ranked struct {
	Item uint32
	// Sources that proposed it.
	Sources Sources
	// Score is what Response.Model makes of Features. Larger is better; comparable
	// within one reply only.
	Score float64
	// Propensity is the exact probability of this item in this slot given the request and
	// the items before it. 1: nothing is left to chance. Losers have no slot: 1.
	Propensity float64
	// Value is what the item was ordered by: the score with boosts, fatigue and the cost of
	// diversity, Penalty, which is at least 0.
	Value, Penalty float64
	// Fill is how the slot was filled, and Rule the rule that filled it, as index of the
	// policy's; -1: none did.
	Fill rerank.Fill
	Rule int16
	// Features as they were scored.
	Features Features
}

// Response is an answer. Its slices are reused when it is given to a pipeline
// again, so that a caller who keeps one pays for it once.
type Response struct {
	// Items, best first.
	Items []Ranked
	// Losers are a sample, without replacement and in no order, of the candidates
	// that were scored but are not in Items.
	Losers []Ranked
	// Model that Items and Losers were scored with.
	Model  Model
	Tier   Tier
	Reason TierReason
	// Candidates that were scored.
	Candidates int
	// Conflicts are what the policy wanted and could not have.
	Conflicts []rerank.Conflict
	// Retrieve is the time of finding candidates, Rank that of all after it.
	Retrieve, Rank time.Duration
}
