package ranker

import (
	"fmt"
	"math"
)

// Feature names one number about a candidate. Each is computed as a column over
// all candidates of a request. In what follows, anchors are the distinct items
// of the page and then of the history, newest first; the anchor at place p has
// the influence PositionDecay^p × its touch's weight.
type Feature uint8

const (
	// CoVisited is ln(1 + 50·Σ influence × After/(Total+Shrink)) over the anchors:
	// how probable the item is after them.
	CoVisited Feature = iota
	// CoVisitedBefore is the same of Before: how often the item precedes them.
	CoVisitedBefore
	// Association is Σ influence × (After+Before)/√((Total(i)+Shrink)(Total(j)+Shrink)):
	// how much the two belong together, popular or not.
	Association
	// UserSimilarity is the inner product of the user's and the item's vector, in
	// [-1, 1]; 0 where one is missing, as in the next two.
	UserSimilarity
	// LastSimilarity is the inner product with the first anchor's vector.
	LastSimilarity
	// RecentSimilarity is the largest of those with the first SimilarAnchors
	// anchors.
	RecentSimilarity
	// ColdSimilarity is the square of RecentSimilarity, if positive, times
	// Shrink/(Shrink+acts counted): of an item that few have met its likeness is all there is to go by,
	// and the absence of co-visitation says nothing.
	ColdSimilarity
	// LabelSimilarity is the cosine of the labels (tags, categories, brand) with
	// those of the first SimilarAnchors anchors, summed by influence, in [0, 1].
	// Rare labels weigh more: ln(items/items that bear it).
	LabelSimilarity
	// Popularity is ln(1 + acts counted).
	Popularity
	// Trend is ln(1 + acts counted lately), as of Now.
	Trend
	// Repeat is 1 for an item of the user's history. Its weight is negative, since
	// such an item is also its own neighbour and its own likeness.
	Repeat
	// RepeatCount is ln(times purchased), 0 for none: those who bought a thing
	// several times have it by now.
	RepeatCount
	// Freshness is 2^(-age/FreshHalfLife) since Created, 0 when that is unknown or
	// in the future.
	Freshness
	// UserRank is 10/(10+r) for the item at place r, from 0, of those nearest to the
	// user's vector; 0 for one that the vector did not propose.
	UserRank
	// NeighbourRank is the same of the best place among the neighbours of an anchor.
	NeighbourRank
	// CoVisitedShare is what retrieval by co-visitation goes by (after + 0.3 before, as
	// summed for the first two features) over the largest of it among the candidates, in [0, 1].
	CoVisitedShare
	// CoVisitedLast is ln(1 + 50·After/(Total+Shrink)) of the first anchor alone, whatever
	// its influence, and CoVisitedSecond of the second.
	CoVisitedLast
	CoVisitedSecond
	// SecondSimilarity is the inner product with the second anchor's vector, as
	// LastSimilarity.
	SecondSimilarity
	// MeanSimilarity is the mean of those with the first SimilarAnchors anchors, by
	// influence.
	MeanSimilarity
	// ContextSimilarity is the largest of those with the page's items among them; 0 where
	// there is no page.
	ContextSimilarity
	// SpaceSimilarity is the inner product with the first anchor's vector in the space
	// of the users' vectors: LastSimilarity where that is no space of its own.
	SpaceSimilarity
	// SpaceRecent is the largest of those with the first SimilarAnchors anchors.
	SpaceRecent
	// RepeatRecency is 1/n for the item of the n-th touch from the end, 0 for one that is
	// not in the history.
	RepeatRecency
	// PriceDistance is |ln(1+price) - mean|/deviation, at most 4, by the mean and the
	// deviation of the anchors' prices; 0 where a price is missing. The deviation is held to
	// that of prices half as high again, as if one more act spoke for it.
	PriceDistance
	// TagAffinity is how much of what the user did went to items with the item's tags: the
	// mean over these, rare ones weighing more (ln(items/items that bear it)), of the share
	// of the anchors with each, by the root of their influence. In [0, 1].
	TagAffinity
	// CategoryAffinity is the same of categories, BrandAffinity of the brand.
	CategoryAffinity
	BrandAffinity
	// LabelEvidence is ln(1 + 50·s), where s is the mean over the item's labels, by rarity,
	// of what After/(Total+Shrink) of CoVisited came to for the other candidates with that
	// label: how probable items of its kind are next.
	LabelEvidence
	// ClickRate is ln of the item's smoothed rate of clicks an impression over the shop's
	// (package conversion), 0 where it was never shown; PurchaseRate is that of purchases
	// an opening.
	ClickRate
	PurchaseRate
	// Age is ln(1 + days since Created), 0 when that is unknown or in the future.
	Age
	// Scarcity is 1/(1+stock), 0 for stock without limit.
	Scarcity
	// PassedOver is ln(1 + times the user was shown the item since they last acted on it).
	PassedOver
	// Hour of the shop's day over 24, Weekday (from Monday) over 7, both in [0, 1) and 0
	// where Now is 0; Surface is a number in (0, 1] made of its name, 0 for none. They are
	// the same for all candidates: of no say in a linear model, but for models that ask
	// several features at once.
	Hour
	Weekday
	Surface
	// Position is 0 when serving. A trainer from impressions sets it to -ln(slot), so that
	// what the slot did to a click is learned apart from what the item did.
	Position
	// FeatureCount is the number of features.
	FeatureCount
)

var featureNames = [FeatureCount]string{"co_visited", "co_visited_before", "association", "user_similarity", "last_similarity",
	"recent_similarity", "cold_similarity", "label_similarity", "popularity", "trend", "repeat", "repeat_count", "freshness",
	"user_rank", "neighbour_rank", "co_visited_share", "co_visited_last", "co_visited_second", "second_similarity",
	"mean_similarity", "context_similarity", "space_similarity", "space_recent", "repeat_recency", "price_distance", "tag_affinity",
	"category_affinity", "brand_affinity", "label_evidence", "click_rate", "purchase_rate", "age", "scarcity", "passed_over",
	"hour", "weekday", "surface", "position"}

// String is the feature's name on the wire: "co_visited".
func (f Feature) String() string {
	if f < FeatureCount {
		return featureNames[f]
	}
	return "unknown"
}

// ParseFeature is the inverse of String.
func ParseFeature(name string) (Feature, error) {
	for f, known := range featureNames {
		if known == name {
			return Feature(f), nil
		}
	}
	return 0, fmt.Errorf("%w: no feature %q; known are %v", ErrWeights, name, featureNames)
}

// Features are the numbers of one candidate, by [Feature].
type Features [FeatureCount]float32

// Weights are a linear model: one weight for each [Feature]. A literal reads
// Weights{CoVisited: 1.6, Popularity: 0.1}.
type Weights [FeatureCount]float64

// Validate refuses what is not finite or beyond ±1000.
func (w *Weights) Validate() error {
	for f, weight := range w {
		if !(math.Abs(weight) <= 1000) {
			return fmt.Errorf("%w: %s is %v; it must lie in [-1000, 1000]", ErrWeights, Feature(f), weight)
		}
	}
	return nil
}

// DefaultWeights serve where nothing was learned. They come from the fit of a
// conditional logit (package fit) on the validation parts of three logs of
// different kind, each counting alike: office supplies, where people buy again,
// beauty products and films; rounded, and kept positive among the similarities,
// which can stand in for one another. The optimum is flat. ColdSimilarity was
// chosen with a fifth of the items taken out of training: it finds some of those.
// Trend, Freshness and the rates have no say in logs without times and impressions:
// theirs are priors, small enough to decide among near equals only. What has no weight
// here has one where it was fitted.
func DefaultWeights() Weights {
	return Weights{
		CoVisited: 1.1, CoVisitedBefore: 0.43, Association: 1.6, CoVisitedLast: 0.5, CoVisitedSecond: 0.12,
		UserSimilarity: 0.3, LastSimilarity: 0.6, RecentSimilarity: 0.5, ColdSimilarity: 3,
		LabelSimilarity: 1.3, LabelEvidence: 0.17, UserRank: 0.6, NeighbourRank: 0.7,
		Popularity: 0.3, Trend: 0.05, ClickRate: 0.1, PurchaseRate: 0.05,
		Repeat: -3.5, RepeatCount: -5.5, RepeatRecency: 2,
		Freshness: 0.2,
	}
}

// SimilarWeights serve [Similar]: likeness first, what people did as a tie
// breaker. Chosen by hand.
func SimilarWeights() Weights {
	return Weights{CoVisited: 0.2, CoVisitedBefore: 0.2, Association: 0.5, LastSimilarity: 6, LabelSimilarity: 1, Popularity: 0.02}
}

// BoughtTogetherWeights serve [BoughtTogether]: what people went on to, likeness
// where nobody did yet. Chosen by hand.
func BoughtTogetherWeights() Weights {
	return Weights{CoVisited: 1.6, CoVisitedBefore: 0.5, Association: 2, LastSimilarity: 0.5, Popularity: 0.02}
}
