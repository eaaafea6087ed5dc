package ranker

import (
	"cmp"
	"math"
	"slices"
)

// Reason is one part of a score.
type Reason struct {
	Feature Feature
	// Contribution to the score, as the model attributes it. Those of all features
	// and the model's rest add up to the score.
	Contribution float64
	// Because is the item that caused the largest part of it, if HasBecause, and
	// Kind what the user did with it.
	Because    uint32
	Kind       Kind
	HasBecause bool
}

// Text is a sentence a shopper could read; because is the title of the item that
// caused it and may be empty.
func (r Reason) Text(because string) string {
	if because == "" {
		because = "another item"
	}
	switch {
	case r.HasBecause && r.Kind == OnPage && r.Feature.isLikeness():
		return "Like " + because
	case r.HasBecause && r.Kind == OnPage:
		return "Goes with " + because
	case r.HasBecause:
		return "Because you " + r.Kind.String() + " " + because
	}
	switch r.Feature {
	case UserSimilarity, UserRank:
		return "Close to your taste"
	case ColdSimilarity, LabelSimilarity, NeighbourRank, MeanSimilarity, TagAffinity:
		return "Like your items"
	case CategoryAffinity:
		return "Of a kind that you often choose"
	case BrandAffinity:
		return "Of a brand that you often choose"
	case PriceDistance:
		return "At a price like those of your items"
	case Popularity, ClickRate, PurchaseRate:
		return "Popular"
	case Trend:
		return "Popular lately"
	case Freshness, Age:
		return "New"
	case Scarcity:
		return "Few are left"
	case Repeat, RepeatCount, RepeatRecency:
		return "You know it already"
	case PassedOver:
		return "Shown to you before"
	case Hour, Weekday, Surface, Position:
		return "Chosen for this place and time"
	}
	return "Often seen together with your items"
}

// isLikeness reports whether a feature compares items by what they are, not by what
// people did with them.
func (f Feature) isLikeness() bool {
	switch f {
	case LastSimilarity, RecentSimilarity, ColdSimilarity, LabelSimilarity, SecondSimilarity, ContextSimilarity, SpaceSimilarity:
		return true
	}
	return false
}

// Reasons appends to dst why the items of an answer have their scores: for item
// k those of res.Items[k], the largest contribution (by its size) first, features
// that contribute nothing left out. req must be what res answers.
func (p *Pipeline) Reasons(req *Request, res *Response, k int, dst []Reason) []Reason {
	r := p.scratch()
	defer p.release(r)
	r.begin(p, req)
	r.findAnchors()
	return r.reasons(&res.Items[k], res.Model, dst)
}

func (r *run) reasons(x *Ranked, model Model, dst []Reason) []Reason {
	start := len(dst)
	var parts Parts
	model.Attribute(&x.Features, &parts)
	for f := range FeatureCount {
		part := parts[f]
		if part == 0 {
			continue
		}
		reason := Reason{Feature: f, Contribution: part}
		if k := r.cause(f, x.Item); k >= 0 {
			reason.HasBecause, reason.Because, reason.Kind = true, r.anchors[k].item, r.anchors[k].kind
		}
		dst = append(dst, reason)
	}
	slices.SortStableFunc(dst[start:], func(a, b Reason) int { return cmp.Compare(math.Abs(b.Contribution), math.Abs(a.Contribution)) })
	return dst
}

// cause is the anchor with the largest part in a feature of an item, -1 for none.
func (r *run) cause(f Feature, item uint32) int {
	switch f {
	case CoVisited, CoVisitedBefore, Association:
		return r.largest(len(r.anchors), func(a *anchor) float32 { return r.part(f, a, item) })
	case UserSimilarity, UserRank:
		return r.closest(item)
	case LastSimilarity, CoVisitedLast, SpaceSimilarity:
		return r.largest(1, func(*anchor) float32 { return 1 })
	case SecondSimilarity, CoVisitedSecond:
		if len(r.anchors) > 1 {
			return 1
		}
	case ContextSimilarity:
		v := r.vector(item)
		return r.largest(r.reason.Context, func(a *anchor) float32 { return 1 + similarity(a.vector, v) })
	case RecentSimilarity, ColdSimilarity:
		v := r.vector(item)
		return r.largest(r.world.Settings.SimilarAnchors, func(a *anchor) float32 { return 1 + similarity(a.vector, v) })
	}
	return -1
}

// closeEnough is the cosine from which an item of the history is named as what a likeness
// to the user's taste is about.
const closeEnough = 0.5

// closest is the anchor of the history that is closest to an item in the space that user
// vectors are of, -1 where none is close enough: a taste is made of many items, and to name
// one that is unlike would be a lie.
func (r *run) closest(item uint32) int {
	space := r.world.UserSpace
	if space == nil {
		space = r.world.Vectors
	}
	if space == nil {
		return -1
	}
	found, most, v := -1, float32(closeEnough), space.Vector(item)
	for i := range r.anchors {
		a := &r.anchors[i]
		if x := similarity(space.Vector(a.item), v); a.kind != OnPage && a.item != item && x >= most {
			found, most = i, x
		}
	}
	return found
}

// largest is the first of the first n anchors with the largest positive value.
func (r *run) largest(n int, value func(*anchor) float32) int {
	found, most := -1, float32(0)
	for i := range r.anchors[:min(n, len(r.anchors))] {
		if v := value(&r.anchors[i]); v > most {
			found, most = i, v
		}
	}
	return found
}

// part is what one anchor brings to a co-visitation feature of an item.
func (r *run) part(f Feature, a *anchor, item uint32) float32 {
	if r.world.CoVisited == nil {
		return 0
	}
	r.neighbours = r.world.CoVisited.Neighbours(a.item, r.neighbours[:0])
	for _, n := range r.neighbours {
		if n.Item != item {
			continue
		}
		switch f {
		case CoVisited:
			return a.influence * n.After / a.total
		case CoVisitedBefore:
			return a.influence * n.Before / a.total
		}
		return a.influence * n.Weight() / sqrt(a.total)
	}
	return 0
}
