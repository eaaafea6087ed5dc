package shop

import (
	"time"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/server/record"
)

// Seen says what happens to items that the user already had to do with.
type Seen uint8

// SeenDefault takes the surface's policy, and HidePurchased where it has none.
const (
	SeenDefault Seen = iota
	SeenKeep
	SeenHidePurchased
	SeenHideInteracted
)

// Subject is whom a query is about. Both empty: an anonymous visitor.
type Subject struct{ User, Session string }

// Anonymous reports whether nothing is known of the subject.
func (s Subject) Anonymous() bool { return s.User == "" && s.Session == "" }

// Fresh asks that a reply reflects a write.
type Fresh struct {
	Token record.Token // zero: whatever is applied
	Wait  time.Duration
}

// Row is one list of a page.
type Row struct {
	Surface   string
	Limit     int // 0: the surface's, else 10
	Filter    string
	Seen      Seen
	Diversity float64 // negative: the policy's, else the surface's
	// Policy serves instead of the surface's: "name", or "name/version". Empty: as
	// Experiment and Variant say, else by what runs on the surface.
	Policy              string
	Experiment, Variant string
}

// RecommendQuery asks for one or more lists.
type RecommendQuery struct {
	Subject  Subject
	Rows     []Row    // at least one; earlier rows choose first
	Context  []string // item ids of the page
	Exclude  []string
	AsOf     time.Time // zero: now
	Fresh    Fresh
	Seed     uint64 // 0: drawn
	Paginate bool   // keep the list of the only row, return a next page token
	Explain  bool

	bulk bool // one of many
}

func (q *RecommendQuery) kind() record.DecisionKind {
	if q.bulk {
		return record.DecisionBulk
	}
	return record.DecisionRecommend
}

// PageQuery continues a kept list.
type PageQuery struct {
	Subject Subject
	Token   string
	Limit   int
}

// SimilarQuery asks for items like, or bought together with, one item.
type SimilarQuery struct {
	Item     string
	Together bool // bought together; false: similar
	Row      Row  // Seen default: keep
	Exclude  []string
	Subject  Subject
	Seed     uint64
	Explain  bool
}

// SearchQuery asks for items by text.
type SearchQuery struct {
	Text    string
	Subject Subject
	Row     Row
	Fresh   Fresh
	Seed    uint64
	Explain bool
}

// RankQuery asks for the order of the caller's own list.
type RankQuery struct {
	Subject Subject
	Items   []string
	Row     Row // Limit 0: all; Seen default: keep
	Context []string
	AsOf    time.Time
	Fresh   Fresh
	Seed    uint64
	Explain bool
}

// ExplainQuery asks where items ended up in the answer to a query.
type ExplainQuery struct {
	Query RecommendQuery // one row
	Items []string
}

// Item is one recommended item.
type Item struct {
	ID         string
	Number     uint32
	Score      float64
	Propensity float64
	Sources    ranker.Sources
	Slot       record.SlotKind
	// Probability of a click, were it shown first; with Calibrated.
	Probability float64
	Calibrated  bool
	Reasons     []Reason // with Explain
}

// Reason is one part of a score.
type Reason struct {
	Feature      string
	Contribution float64
	Because      string // id of the item that caused it, empty: none
	Text         string // a sentence a shopper could read
}

// List is the answer to one row.
type List struct {
	Surface string
	Items   []Item
	Tier    ranker.Tier
	Why     string
	// Policy is "name/version"; Conflicts are its rules that could not have their way.
	Policy     string
	Assignment record.Assignment
	Conflicts  []string
}

// Info says what made a reply.
type Info struct {
	RecommendationID string
	Generation       string
	Seed             uint64
	Profile          record.Token
	Lag              int64
	Candidates       int
	Logged           bool
	// RankingAge is how long ago the ranking was made; 0: for this reply.
	RankingAge time.Duration
	Times      Times
}

// Times are microseconds by stage.
type Times struct{ Wait, Profile, Retrieve, Rank, Encode, Log, Total int64 }

// Reply answers a RecommendQuery or a PageQuery: Lists has one list a row.
type Reply struct {
	Lists    []List
	Info     Info
	NextPage string
}

// SimilarReply answers a SimilarQuery.
type SimilarReply struct {
	List List
	Info Info
}

// SearchReply answers a SearchQuery; Method says what the search used.
type SearchReply struct {
	List   List
	Info   Info
	Method string
}

// RankReply answers a RankQuery.
type RankReply struct {
	List    List
	Info    Info
	LeftOut []Placement // with ID, Verdict and Text
}

// Placement says where an item ended up, and why.
type Placement struct {
	ID      string
	Verdict ranker.Verdict
	Rank    int // from 1; 0: not ranked
	Score   float64
	Sources ranker.Sources
	Reasons []Reason
	Text    string

	Slot        record.SlotKind
	Propensity  float64
	Probability float64 // as of an Item
	Calibrated  bool
	// ByScore and ByValue are its places by score alone and by Value, from 1.
	ByScore, ByValue int
	Value, Penalty   float64
	Rest             float64
	Effects          []ranker.Effect
	Clause           string // of the filter, that it does not meet
	Instead          string // id of the variant that stands in its place
	Near             []NearMiss
}

// NearMiss is how near an item came to being proposed by one source.
type NearMiss struct {
	ranker.Near
	AnchorID string
}

// ExplainReply answers an ExplainQuery, in its order of items.
type ExplainReply struct {
	Items []Placement
	List  List // the tier and its reason; Items are not filled
	Info  Info
}

// Status says what a tenant holds.
type Status struct {
	Items, Encoded   int64
	Head, Applied    record.Token
	Generation       string
	Encoder          string
	Dim              int
	Engine           string
	Profiles         int64
	MemoryBytes      int64
	Events           int64
	DecisionsDropped int64
	RankingsReused   int64 // lists since the start
	Permits          int   // requests that may be ranked at once now
	UnderPermit      int   // and those that are
	ProfileHits      int64 // profiles asked for that were in memory, since the start
	ProfileMisses    int64 // and that were read from the store
	Index            IndexStatus
	Encoding         EncodingStatus
	Models           ModelsStatus // without lists
}
