package ranker

import "math"

// A source proposes candidates. Sources run in the order of this list; each is
// bounded by its number in Settings.
type source interface{ propose(r *run) }

var sources = [...]source{userVector{}, itemNeighbours{}, coVisited{}, repeats{}, trending{}, popular{}, arrivals{}}

// userVector proposes the items nearest to the user's vector.
type userVector struct{}

func (userVector) propose(r *run) {
	if r.user == nil || r.world.Nearest == nil || r.world.Settings.UserVectorCandidates < 0 {
		return
	}
	hits := r.req.Nearest
	if hits == nil || r.req.Allow != nil {
		r.nearest = r.world.Nearest.Nearest(r.user, r.world.Settings.UserVectorCandidates, r.req.Allow, r.nearest[:0])
		hits = r.nearest
	}
	for place, hit := range hits {
		if r.propose(hit.Item, FromUserVector) {
			r.candidates[r.at(hit.Item).candidate].userPlace = uint16(min(place+1, math.MaxUint16))
		}
	}
}

// itemNeighbours proposes the items nearest to each of the first anchors.
type itemNeighbours struct{}

func (itemNeighbours) propose(r *run) {
	if r.world.Neighbours == nil {
		return
	}
	for i := range r.anchors[:min(len(r.anchors), r.world.Settings.SimilarAnchors)] {
		left := r.world.Settings.NeighbourCandidates
		if r.req.Relation != ForUser {
			left *= r.world.Settings.SimilarAnchors // one anchor has the whole budget
		}
		for place, hit := range r.world.Neighbours.Neighbours(r.anchors[i].item) {
			if left <= 0 {
				break
			}
			if r.propose(hit.Item, FromItemNeighbours) {
				left--
				c := &r.candidates[r.at(hit.Item).candidate]
				if at := uint16(min(place+1, math.MaxUint16)); c.neighbourPlace == 0 || at < c.neighbourPlace {
					c.neighbourPlace = at
				}
			}
		}
	}
}

// coVisited proposes the items with the most evidence that they follow.
type coVisited struct{}

// beforeShare is what a step against the usual direction counts in retrieval.
const beforeShare = 0.3

func (coVisited) propose(r *run) {
	r.best.reset(r.world.Settings.CoVisitedCandidates)
	for i := range r.evidence {
		e := &r.evidence[i]
		offer := entry{score: float64(e.proposes()), item: e.item}
		if r.best.wants(offer) && r.eligible(e.item) {
			r.best.offer(offer)
		}
	}
	for _, kept := range r.best.heap { // in any order: scores decide later
		r.propose(kept.item, FromCoVisited)
	}
}

// repeats proposes the user's own items, newest first, where the seen policy lets
// them stand.
type repeats struct{}

func (repeats) propose(r *run) {
	if r.reason.Events == 0 || r.req.Seen == HideInteracted || r.req.Relation != ForUser {
		return
	}
	left := r.world.Settings.RepeatCandidates
	history := r.req.History
	for i := len(history) - 1; i >= max(0, len(history)-r.world.Settings.MaxHistory) && left > 0; i-- {
		item := history[i].Item
		if !r.known(item) {
			continue
		}
		if c := r.at(item); c.candidate >= 0 && r.candidates[c.candidate].sources.Has(FromRepeat) {
			continue
		}
		if r.propose(item, FromRepeat) {
			left--
		}
	}
}

// trending proposes what is popular lately.
type trending struct{}

func (trending) propose(r *run) {
	if r.world.Trending != nil {
		r.proposeTop(r.world.Trending.Top(), r.world.Settings.TrendingCandidates, FromTrending)
	}
}

// popular proposes what is popular.
type popular struct{}

func (popular) propose(r *run) {
	if r.world.Popular != nil {
		r.proposeTop(r.world.Popular.Top(), r.world.Settings.PopularCandidates, FromPopular)
	}
}

// arrivals proposes what is new in the catalog.
type arrivals struct{}

func (arrivals) propose(r *run) {
	if r.world.Arrivals != nil {
		r.proposeTop(r.world.Arrivals.Newest(), r.world.Settings.NewCandidates, FromArrivals)
	}
}

func (r *run) proposeTop(items []uint32, most int, source Source) {
	for _, item := range items {
		if most <= 0 {
			return
		}
		if r.propose(item, source) {
			most--
		}
	}
}

// fill adds candidates from lower rungs when there are fewer than wanted: the
// rest of the popular ones, the rest of the new ones, then what the catalog has. They
// stand behind all others, whatever their scores, so that a long list begins as a short one.
func (r *run) fill(wanted int) {
	before := len(r.candidates)
	defer func() {
		if r.fillers < 0 && len(r.candidates) > before {
			r.fillers = before
		}
	}()
	missing := func() int { return wanted - len(r.candidates) }
	if missing() > 0 && r.world.Popular != nil {
		r.proposeTop(r.world.Popular.Top(), wanted+r.world.Settings.PopularCandidates, FromPopular)
	}
	if missing() > 0 && r.world.Arrivals != nil {
		r.proposeTop(r.world.Arrivals.Newest(), wanted+r.world.Settings.NewCandidates, FromArrivals)
	}
	for item, scanned := uint32(0), 0; missing() > 0 && scanned < r.world.Settings.MaxScan && r.known(item); item++ {
		if item%64 == 0 && r.noneAllowed(item/64) {
			item += 63
			continue
		}
		scanned++
		if r.at(item).candidate < 0 {
			r.propose(item, FromPopular)
		}
	}
	r.reason.Filled += len(r.candidates) - before
}

// noneAllowed reports whether the bitmap refuses a whole word of items.
func (r *run) noneAllowed(word uint32) bool {
	return r.req.Allow != nil && (int(word) >= len(r.req.Allow) || r.req.Allow[word] == 0)
}
