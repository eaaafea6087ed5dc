package ranker

// farthestLooked is how far down a source's list is looked at least, for an item that is
// not in the part that it proposes.
const farthestLooked = 1000

// near tells how near an item came to being proposed, by each source that had something to
// go by.
func (r *run) near(item uint32) []Near {
	var out []Near
	s := &r.world.Settings
	if r.user != nil && r.world.Nearest != nil && s.UserVectorCandidates > 0 {
		n := max(farthestLooked, 2*s.UserVectorCandidates)
		hits := r.world.Nearest.Nearest(r.user, n, r.req.Allow, nil)
		out = append(out, Near{Source: FromUserVector, Place: placeOf(hits, item), Looked: len(hits), Takes: s.UserVectorCandidates})
	}
	if r.world.Neighbours != nil {
		takes := s.NeighbourCandidates
		if r.req.Relation != ForUser {
			takes *= s.SimilarAnchors
		}
		for i := range r.anchors[:min(len(r.anchors), s.SimilarAnchors)] {
			a := r.anchors[i].item
			hits := r.world.Neighbours.Neighbours(a)
			out = append(out, Near{Source: FromItemNeighbours, Anchor: a, Place: placeOf(hits, item), Looked: len(hits), Takes: max(0, takes)})
		}
	}
	if r.world.CoVisited != nil && len(r.anchors) > 0 {
		out = append(out, Near{Source: FromCoVisited, Place: r.evidencePlace(item), Looked: len(r.evidence), Takes: max(0, s.CoVisitedCandidates)})
	}
	if r.world.Trending != nil {
		out = append(out, listed(FromTrending, r.world.Trending.Top(), item, s.TrendingCandidates))
	}
	if r.world.Popular != nil {
		out = append(out, listed(FromPopular, r.world.Popular.Top(), item, s.PopularCandidates))
	}
	if r.world.Arrivals != nil {
		out = append(out, listed(FromArrivals, r.world.Arrivals.Newest(), item, s.NewCandidates))
	}
	return out
}

func placeOf(hits []Scored, item uint32) int {
	for i := range hits {
		if hits[i].Item == item {
			return i + 1
		}
	}
	return 0
}

func listed(source Source, items []uint32, item uint32, takes int) Near {
	n := Near{Source: source, Looked: len(items), Takes: max(0, takes)}
	for i, other := range items {
		if other == item {
			n.Place = i + 1
			break
		}
	}
	return n
}

// evidencePlace is the place of an item among those that were co-visited with the anchors,
// 0 for one that was not.
func (r *run) evidencePlace(item uint32) int {
	at := r.at(item).evidence
	if at < 0 {
		return 0
	}
	place, mine := 1, r.evidence[at].proposes()
	for i := range r.evidence {
		if r.evidence[i].proposes() > mine {
			place++
		}
	}
	return place
}
