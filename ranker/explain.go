package ranker

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/kindred-rec/kindred/ranker/catalog"
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

// Verdict says where an item ended up.
type Verdict uint8

const (
	// Shown: in the reply, at Rank.
	Shown Verdict = iota + 1
	// RankedBelow: ranked, past the limit.
	RankedBelow
	// NotRetrieved: no source proposed it.
	NotRetrieved
	// NotInCatalog: there is no such item.
	NotInCatalog
	// HiddenItem: the merchant hid it.
	HiddenItem
	// OutOfStock: its stock is 0.
	OutOfStock
	// Unavailable: outside its dates.
	Unavailable
	// Filtered: refused by Allow or Match.
	Filtered
	// Seen: by the seen policy, or hidden by the user.
	Seen
	// Excluded: named in Exclude, or a context item.
	Excluded
)

var verdictTexts = [...]string{"", "shown", "ranked below the limit", "no source proposed it", "not in the catalog", "hidden by the merchant",
	"out of stock", "outside its dates", "refused by the filter", "seen by the user before, or hidden by them", "excluded by the request, or an item of the page"}

// String is the verdict in words.
func (v Verdict) String() string {
	if int(v) < len(verdictTexts) {
		return verdictTexts[v]
	}
	return "unknown"
}

// Explanation tells of one item under one request.
type Explanation struct {
	Ranked
	Verdict Verdict
	// Rank is the place in the full ranking, from 1; 0 when it was not ranked.
	Rank int
	// Reasons for the score, the largest contribution first; nil when not ranked.
	Reasons []Reason
}

// Text is one sentence.
func (e Explanation) Text() string {
	switch e.Verdict {
	case Shown:
		return fmt.Sprintf("shown at place %d", e.Rank)
	case RankedBelow:
		return fmt.Sprintf("ranked at place %d, below the limit", e.Rank)
	}
	return e.Verdict.String()
}

// Explain answers a request into res and tells of each of items why it is where
// it is in the answer, or why it is not in it.
func (p *Pipeline) Explain(req *Request, items []uint32, res *Response) ([]Explanation, error) {
	r, err := p.run(req, res)
	if err != nil {
		return nil, err
	}
	defer p.release(r)
	out := make([]Explanation, 0, len(items))
	for _, item := range items {
		out = append(out, r.explain(item, res))
	}
	return out, nil
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

func (r *run) explain(item uint32, res *Response) Explanation {
	e := Explanation{Ranked: Ranked{Item: item}, Verdict: r.verdict(item)}
	if e.Verdict != Shown && e.Verdict != RankedBelow {
		return e
	}
	at := r.at(item).candidate
	e.Ranked = r.ranked(at)
	e.Reasons = r.reasons(&e.Ranked, r.model, nil)
	if e.Verdict == Shown {
		e.Rank = 1 + slices.IndexFunc(res.Items, func(x Ranked) bool { return x.Item == item })
		return e
	}
	// What is shown stands before all else, whatever diversity did to its order.
	e.Rank = 1 + len(res.Items)
	for i := range r.candidates {
		other := entry{score: r.scores[i], item: r.candidates[i].item}
		if r.at(other.item).mark&returned == 0 && order(other, entry{score: e.Score, item: item}) < 0 {
			e.Rank++
		}
	}
	return e
}

func (r *run) verdict(item uint32) Verdict {
	row := r.world.Catalog.Row(item)
	switch {
	case row == nil || !r.known(item):
		return NotInCatalog
	case r.at(item).candidate >= 0:
		if r.at(item).mark&returned != 0 {
			return Shown
		}
		return RankedBelow
	case r.at(item).mark&excluded != 0:
		return Excluded
	}
	switch row.Withheld(r.req.Now) {
	case catalog.Hidden:
		return HiddenItem
	case catalog.OutOfStock:
		return OutOfStock
	case catalog.NotYetAvailable, catalog.NoLongerAvailable:
		return Unavailable
	}
	switch {
	case !r.allowed(item) || r.req.Match != nil && !r.req.Match.Match(row):
		return Filtered
	case r.at(item).mark&seen != 0:
		return Seen
	}
	return NotRetrieved
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

// LeftOut is an item that the caller brought and that was not ranked.
type LeftOut struct {
	Item    uint32
	Verdict Verdict
}

// RankItems answers a request with Candidates, and appends to left those of them
// that were not ranked, in the order given. Those past the limit are not listed.
func (p *Pipeline) RankItems(req *Request, res *Response, left []LeftOut) ([]LeftOut, error) {
	if req.Candidates == nil {
		return left, fmt.Errorf("%w: RankItems needs Candidates", ErrRequest)
	}
	r, err := p.run(req, res)
	if err != nil {
		return left, err
	}
	defer p.release(r)
	for _, item := range req.Candidates {
		if !r.known(item) || r.at(item).candidate < 0 {
			left = append(left, LeftOut{Item: item, Verdict: r.verdict(item)})
		}
	}
	return left, nil
}
