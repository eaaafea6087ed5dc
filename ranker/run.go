package ranker

import (
	"math/rand/v2"

	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/covisit"
)

// mark is what a run knows of an item.
type mark uint8

const (
	excluded mark = 1 << iota // named in Exclude or Context
	seen                      // left out by the seen policy, or hidden by the user
	inHistory
	anchored
	checked  // passed the checks of the catalog and the filter
	refused  // did not pass them
	returned // stands in the reply
)

// A cell is what a run knows of an item. It holds for the run whose stamp it
// bears; another's counts as empty, so that nothing has to be cleared.
type cell struct {
	stamp     uint32
	mark      mark
	purchases uint8 // saturating, as the next two
	shown     uint8 // times passed over
	back      uint8 // 1 for the item of the last touch, 2 for that of the one before; 0: none
	evidence  int32 // index into run.evidence, -1: none
	candidate int32 // index into run.candidates, -1: none
}

// An anchor is an item that the reply starts from.
type anchor struct {
	item      uint32
	kind      Kind
	influence float32
	total     float32      // acts on it, with Shrink
	vector    []float32    // nil: none
	row       *catalog.Row // nil: none
}

// evidence is what co-visitation says of an item, summed over the anchors.
type evidence struct {
	item                uint32
	after, before, both float32
	near                [2]float32 // after the first and the second anchor alone, whatever their influence
}

// proposes is what an item is proposed by for being co-visited.
func (e *evidence) proposes() float32 { return e.after + beforeShare*e.before }

type candidate struct {
	item     uint32
	sources  Sources
	evidence int32 // index into run.evidence, -1: none
	// One more than the best place in the list of a source, 0: not in it; saturating.
	userPlace, neighbourPlace uint16
}

// A run is the scratch memory of one request. It is kept; between requests it
// keeps its slices and nothing else. cells, 16 bytes an item, is most of it.
type run struct {
	world  *World
	req    *Request
	model  Model
	labels *labels

	stamp      uint32
	cells      []cell
	anchors    []anchor
	evidence   []evidence
	candidates []candidate
	fillers    int // index of the first candidate that fill proposed, -1: none
	columns    Columns
	table      []float32      // [features, candidates], what columns lie in
	rows       []*catalog.Row // [candidates]
	met        int            // keeps the reading ahead of findRows from being left out
	shrink     float32        // Settings.Shrink in the unit of the graph
	user       []float32      // nil: none, or not used on this rung
	reason     TierReason
	touches    int // acts of the history on items that are known

	likeness   likeness // among the texts' vectors
	inSpace    likeness // among the users', where that is another space
	neighbours []covisit.Neighbour
	nearest    []Scored
	best       best
	scores     []float64
	arranging  arranging
	pcg        rand.PCG
	rng        *rand.Rand
	profile    [labelKinds][]labelCell // by code; zeros, but for the weights, between uses
	weighed    *labels                 // that the weights in profile are of
}

// begin makes the run ready for a request.
func (r *run) begin(p *Pipeline, req *Request) {
	world := &p.world
	r.world, r.labels, r.req = world, p.labels.Load(), req
	n := int(world.Catalog.Len())
	if n > len(r.cells) {
		r.cells = make([]cell, n+n/8)
		r.stamp = 0
	}
	if r.stamp++; r.stamp == 0 { // after four billion runs
		clear(r.cells)
		r.stamp = 1
	}
	r.anchors, r.evidence, r.candidates = r.anchors[:0], r.evidence[:0], r.candidates[:0]
	r.reason, r.touches, r.fillers = TierReason{}, 0, -1
	r.user = nil
	r.shrink = float32(world.Settings.Shrink)
	if world.CoVisited != nil {
		r.shrink *= world.CoVisited.Unit()
	}
	switch req.Relation {
	case Similar:
		r.model = world.Similar
	case BoughtTogether:
		r.model = world.BoughtTogether
	default:
		r.model = world.Model
	}
	r.arranging.begin(r)
	r.markRequest()
}

// end drops what belongs to the request, so that scratch at rest keeps none of it alive.
func (r *run) end() {
	clear(r.anchors)
	clear(r.rows)
	r.arranging.end()
	r.world, r.labels, r.req, r.model, r.user = nil, nil, nil, nil, nil
}

// known reports whether a number lies within the catalog. Rows may still be nil.
func (r *run) known(item uint32) bool {
	return item < r.world.Catalog.Len() && int(item) < len(r.cells)
}

// at is the cell of an item that is known.
func (r *run) at(item uint32) *cell {
	c := &r.cells[item]
	if c.stamp != r.stamp {
		*c = cell{stamp: r.stamp, evidence: -1, candidate: -1}
	}
	return c
}

func (r *run) markAll(items []uint32, m mark) {
	for _, item := range items {
		if r.known(item) {
			r.at(item).mark |= m
		}
	}
}

// markRequest notes what the request says of items.
func (r *run) markRequest() {
	r.markAll(r.req.Context, excluded)
	r.markAll(r.req.Exclude, excluded)
	r.markAll(r.req.Hidden, seen)
	for _, s := range r.req.Impressions {
		if r.known(s.Item) {
			if c := r.at(s.Item); c.shown < 255 {
				c.shown++
			}
		}
	}
	for i, t := range r.req.History {
		if !r.known(t.Item) {
			continue
		}
		r.touches++
		c := r.at(t.Item)
		c.mark |= inHistory
		c.back = uint8(min(255, len(r.req.History)-i))
		if t.Kind == Purchased && c.purchases < 255 {
			c.purchases++
		}
		if r.req.Seen == HideInteracted || r.req.Seen == HidePurchased && t.Kind == Purchased {
			c.mark |= seen
		}
	}
}

// allowed reports whether the bitmap lets an item pass.
func (r *run) allowed(item uint32) bool {
	word := int(item / 64)
	return r.req.Allow == nil || word < len(r.req.Allow) && r.req.Allow[word]&(1<<(item%64)) != 0
}

// eligible reports whether an item may be returned. It asks the catalog and the
// filter once for each item.
func (r *run) eligible(item uint32) bool {
	if !r.known(item) {
		return false
	}
	c := r.at(item)
	if c.mark&(excluded|seen|refused|checked) == 0 {
		c.mark |= refused
		if r.allowed(item) {
			if r.passes(item) {
				c.mark ^= refused | checked
			}
		}
	}
	return c.mark&(excluded|seen|refused) == 0
}

// passes reports whether an item may be shown now and passes the filter.
func (r *run) passes(item uint32) bool {
	if r.req.Match == nil && !r.arranging.excluding && r.world.Catalog.Brief(item).Plain() {
		return true
	}
	row := r.world.Catalog.Row(item)
	return row.Servable(r.req.Now) && (r.req.Match == nil || r.req.Match.Match(row)) && r.excludedBy(row) < 0
}

// propose makes an item a candidate, or adds a source to it. It reports whether
// the item is eligible.
func (r *run) propose(item uint32, source Source) bool {
	if !r.eligible(item) {
		return false
	}
	c := r.at(item)
	if c.candidate < 0 {
		c.candidate = int32(len(r.candidates))
		r.candidates = append(r.candidates, candidate{item: item, evidence: c.evidence})
	}
	r.candidates[c.candidate].sources |= 1 << source
	return true
}
