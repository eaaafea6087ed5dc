package ranker

import "github.com/kindred-rec/kindred/ranker/covisit"

// findAnchors lists the distinct items that the reply starts from: those of the
// page, then those of the history, newest first.
func (r *run) findAnchors() {
	if r.req.Degraded != NotDegraded {
		return
	}
	influence := 1.0
	for _, item := range r.req.Context {
		if r.addAnchor(item, OnPage, influence) {
			influence *= r.world.Settings.PositionDecay
			r.reason.Context++
		}
		if r.req.Relation != ForUser && len(r.anchors) > 0 {
			return
		}
	}
	if r.req.PersonalizationOff || r.req.Relation != ForUser {
		return
	}
	r.reason.Events = r.touches
	history := r.req.History
	for i := len(history) - 1; i >= max(0, len(history)-r.world.Settings.MaxHistory); i-- {
		weight := float64(history[i].Weight)
		if weight == 0 {
			weight = 1
		}
		if r.addAnchor(history[i].Item, history[i].Kind, influence*weight) {
			influence *= r.world.Settings.PositionDecay
		}
	}
}

// addAnchor reports whether the item became one.
func (r *run) addAnchor(item uint32, kind Kind, influence float64) bool {
	if len(r.anchors) == r.world.Settings.Anchors || !r.known(item) || r.at(item).mark&anchored != 0 {
		return false
	}
	r.at(item).mark |= anchored
	a := anchor{item: item, kind: kind, influence: float32(influence), vector: r.vector(item), row: r.world.Catalog.Row(item)}
	if r.world.CoVisited != nil {
		a.total = r.world.CoVisited.Total(item) + r.shrink
	}
	r.anchors = append(r.anchors, a)
	return true
}

func (r *run) vector(item uint32) []float32 {
	if r.world.Vectors == nil {
		return nil
	}
	return r.world.Vectors.Vector(item)
}

// gather sums what co-visitation says over the anchors.
func (r *run) gather() {
	if r.world.CoVisited == nil {
		return
	}
	for i := range r.anchors {
		a := &r.anchors[i]
		r.neighbours = r.world.CoVisited.Neighbours(a.item, r.neighbours[:0])
		share, shareBoth := a.influence/a.total, a.influence/sqrt(a.total)
		for _, n := range r.neighbours {
			if e := r.evidenceOf(n); e != nil {
				e.after += share * n.After
				e.before += share * n.Before
				e.both += shareBoth * n.Weight()
				if i < len(e.near) {
					e.near[i] = n.After / a.total
				}
			}
		}
	}
}

func (r *run) evidenceOf(n covisit.Neighbour) *evidence {
	if !r.known(n.Item) {
		return nil
	}
	c := r.at(n.Item)
	if c.evidence < 0 {
		c.evidence = int32(len(r.evidence))
		r.evidence = append(r.evidence, evidence{item: n.Item})
	}
	return &r.evidence[c.evidence]
}
