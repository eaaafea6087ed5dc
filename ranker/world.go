package ranker

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/conversion"
	"github.com/kindred-rec/kindred/ranker/covisit"
	"github.com/kindred-rec/kindred/ranker/popularity"
	"github.com/kindred-rec/kindred/ranker/rerank"
)

// Errors of this package, wrapped with what happened.
var (
	// ErrWorld: a part is missing or a setting is out of its range.
	ErrWorld = errors.New("ranker: bad world")
	// ErrWeights: a weight is not finite, too large, or of no known feature.
	ErrWeights = errors.New("ranker: bad weights")
	// ErrRequest: a field of a request is out of its range. It is a mistake of the
	// caller; nothing else makes a request fail.
	ErrRequest = errors.New("ranker: bad request")
)

// Catalog is the live item table. *catalog.Table meets it.
type Catalog interface {
	// Row of an item, nil when it is not in the catalog.
	Row(item uint32) *catalog.Row
	// Brief of an item, as of its row.
	Brief(item uint32) catalog.Brief
	// Len is one past the highest item number.
	Len() uint32
}

// Vectors holds the item vectors.
type Vectors interface {
	// Vector of an item, [dim] float32 of unit length, not to be changed; nil when
	// it has none. All have one length.
	Vector(item uint32) []float32
}

// Scored is an item with a score, such as an inner product.
type Scored struct {
	Item  uint32
	Score float32
}

// Nearest searches the item vectors of the space that user vectors are of.
type Nearest interface {
	// Nearest appends to dst at most limit items that allow lets pass (nil: all)
	// in descending order of their inner product with vector, [dim] float32.
	Nearest(vector []float32, limit int, allow []uint64, dst []Scored) []Scored
}

// Neighbours holds for items the items nearest to them. *NeighbourCache is one.
type Neighbours interface {
	// Neighbours of an item, nearest first, without the item itself. The slice must
	// not be changed. It is read several times a request: no search should run.
	Neighbours(item uint32) []Scored
}

// World is all that one generation ranks with. The parts may change while they
// are used, each by its own contract; the struct may not. Every part but Catalog
// may be nil: what it would have told is then absent.
type World struct {
	Catalog    Catalog
	Vectors    Vectors
	Nearest    Nearest
	Neighbours Neighbours
	// UserSpace holds the item vectors of the space that Request.UserVector and Nearest
	// are of, where that is not the space of Vectors: what a trained behaviour encoder
	// says of items beside what their texts say. nil: Vectors hold it.
	UserSpace Vectors
	CoVisited *covisit.Graph
	Popular   *popularity.Counter
	Trending  *popularity.Counter
	Arrivals  *popularity.Arrivals
	// Conversion counts impressions, clicks and purchases.
	Conversion *conversion.Counter
	// Exposures of today, for daily caps. *exposure.Counter meets it.
	Exposures rerank.Exposures

	// Model of recommendations. nil: the weights of Weights.
	Model Model
	// Weights of the three relations. nil: the defaults.
	Weights, Similar, BoughtTogether *Weights
	Settings                         Settings
}

// Settings shape retrieval and features. A zero field means its default; a
// negative number of candidates turns a source off.
type Settings struct {
	// Anchors are how many distinct items of page and history have a say. Default 10: twice
	// as many said the same on three logs.
	Anchors int
	// PositionDecay is the factor of an anchor's influence for each place it stands
	// further back, above 0 to 1. Default 0.8.
	PositionDecay float64
	// SimilarAnchors are how many anchors RecentSimilarity looks at, and whose
	// neighbours are proposed. Default 5.
	SimilarAnchors int
	// MaxHistory is how many of the last touches anchors are looked for in.
	// Default 500.
	MaxHistory int
	// Shrink is added to the totals that co-visitation is divided by, in acts: how
	// many acts it takes to be believed. Default 3.
	Shrink float64
	// FreshHalfLife is the half-life of Freshness. Default 14 days.
	FreshHalfLife time.Duration

	// UTCOffset is what the shop's clocks show beyond UTC, for Hour and Weekday: within
	// 24 hours either way.
	UTCOffset time.Duration

	// Candidates of each source: UserVectorCandidates in all (50),
	// NeighbourCandidates of each anchor (15), CoVisitedCandidates (100),
	// TrendingCandidates (25), PopularCandidates (50), NewCandidates (20),
	// RepeatCandidates (50). Twice as many of the first five found no more on three logs.
	UserVectorCandidates, NeighbourCandidates, CoVisitedCandidates         int
	TrendingCandidates, PopularCandidates, NewCandidates, RepeatCandidates int

	// MaxScan is how many rows are looked at in order of their numbers when all
	// else has left a reply short. Default 65536.
	MaxScan int
	// MaxDiversified is how many of the best candidates a slot is chosen from where
	// diversity or chance has a say, and how many slots these have a say in. Default 200.
	MaxDiversified int
}

func (s Settings) withDefaults() (Settings, error) {
	for _, d := range []struct {
		field   *int
		value   int
		negOkay bool
		name    string
	}{
		{&s.Anchors, 10, false, "Anchors"}, {&s.SimilarAnchors, 5, false, "SimilarAnchors"}, {&s.MaxHistory, 500, false, "MaxHistory"},
		{&s.MaxScan, 1 << 16, false, "MaxScan"}, {&s.MaxDiversified, 200, false, "MaxDiversified"},
		{&s.UserVectorCandidates, 50, true, "UserVectorCandidates"}, {&s.NeighbourCandidates, 15, true, "NeighbourCandidates"},
		{&s.CoVisitedCandidates, 100, true, "CoVisitedCandidates"}, {&s.TrendingCandidates, 25, true, "TrendingCandidates"},
		{&s.PopularCandidates, 50, true, "PopularCandidates"}, {&s.NewCandidates, 20, true, "NewCandidates"},
		{&s.RepeatCandidates, 50, true, "RepeatCandidates"},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
		if *d.field < 0 && !d.negOkay || *d.field > 1<<24 {
			return s, fmt.Errorf("%w: %s is %d; it must lie in [1, %d]", ErrWorld, d.name, *d.field, 1<<24)
		}
	}
	if s.PositionDecay == 0 {
		s.PositionDecay = 0.8
	}
	if s.Shrink == 0 {
		s.Shrink = 3
	}
	if s.FreshHalfLife == 0 {
		s.FreshHalfLife = 14 * 24 * time.Hour
	}
	switch {
	case !(s.PositionDecay > 0 && s.PositionDecay <= 1):
		return s, fmt.Errorf("%w: PositionDecay is %v; it must lie in (0, 1]", ErrWorld, s.PositionDecay)
	case !(s.Shrink > 0 && s.Shrink <= math.MaxInt32):
		return s, fmt.Errorf("%w: Shrink is %v; it must be above 0 and finite", ErrWorld, s.Shrink)
	case s.UTCOffset < -24*time.Hour || s.UTCOffset > 24*time.Hour:
		return s, fmt.Errorf("%w: UTCOffset is %v; it must lie within 24 hours", ErrWorld, s.UTCOffset)
	case s.FreshHalfLife < time.Minute:
		return s, fmt.Errorf("%w: FreshHalfLife is %v; it must be at least a minute", ErrWorld, s.FreshHalfLife)
	}
	return s, nil
}
