package ranker

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"
)

// Pipeline answers requests over one [World]. All methods are safe for
// concurrent use.
type Pipeline struct {
	world  World
	labels atomic.Pointer[labels]
	idle   chan *run // scratch memory at rest
}

// atRest is how much scratch is kept for each thread that can run: under load more
// requests are under way than run at once, since those that the scheduler set aside have theirs.
const atRest = 4

// New checks the world and makes its pipeline. It reads every row of the catalog
// once.
func New(world World) (*Pipeline, error) {
	if world.Catalog == nil {
		return nil, fmt.Errorf("%w: there is no Catalog; a catalog.Table is one", ErrWorld)
	}
	settings, err := world.Settings.withDefaults()
	if err != nil {
		return nil, err
	}
	world.Settings = settings
	for _, w := range []struct {
		weights **Weights
		byHand  func() Weights
	}{{&world.Weights, DefaultWeights}, {&world.Similar, SimilarWeights}, {&world.BoughtTogether, BoughtTogetherWeights}} {
		own := w.byHand()
		if *w.weights != nil {
			own = **w.weights // a copy: the caller's may change
		}
		if err := own.Validate(); err != nil {
			return nil, err
		}
		*w.weights = &own
	}
	if world.Model == nil {
		world.Model = world.Weights
	}
	// A sync.Pool would be emptied by the collector, and the scratch of a large catalog
	// is dear to make.
	p := &Pipeline{world: world, idle: make(chan *run, atRest*runtime.GOMAXPROCS(0))}
	p.Recount()
	return p, nil
}

// Nearest returns the items that a user's vector proposes without a filter, for
// [Request.Nearest]: empty, not nil, where there are none. The vector must be finite.
func (p *Pipeline) Nearest(vector []float32) []Scored {
	if p.world.Nearest == nil || p.world.Settings.UserVectorCandidates < 0 {
		return []Scored{}
	}
	limit := p.world.Settings.UserVectorCandidates
	return p.world.Nearest.Nearest(vector, limit, nil, make([]Scored, 0, limit))
}

// Recount counts anew what is counted over the whole catalog: how rare each label
// is. Call it when much of the catalog has changed; it reads every row.
func (p *Pipeline) Recount() { p.labels.Store(countLabels(p.world.Catalog)) }

// scratch takes what is at rest, or makes it.
func (p *Pipeline) scratch() *run {
	select {
	case r := <-p.idle:
		return r
	default:
		r := new(run)
		r.rng = rand.New(&r.pcg)
		return r
	}
}

// Recommend answers a request into res, whose slices are reused. It fails only
// on a malformed request, with [ErrRequest]; res is then undefined. When little
// is known, or little passes the filter, the reply is short or from a lower
// rung, and res.Reason says so.
func (p *Pipeline) Recommend(req *Request, res *Response) error {
	r, err := p.run(req, res)
	if err != nil {
		return err
	}
	p.release(r)
	return nil
}

// run answers a request and hands over the scratch it was answered with, for
// release.
func (p *Pipeline) run(req *Request, res *Response) (*run, error) {
	if err := req.validate(); err != nil {
		return nil, err
	}
	start := time.Now()
	r := p.scratch()
	r.begin(p, req)
	r.retrieve()
	retrieved := time.Now()
	r.score()
	r.write(res)
	r.refill(res)
	res.Retrieve, res.Rank = retrieved.Sub(start), time.Since(retrieved)
	return r, nil
}

func (p *Pipeline) release(r *run) {
	r.end()
	select {
	case p.idle <- r:
	default: // enough are at rest
	}
}

func (q *Request) validate() error {
	switch {
	case q.Limit < 1 || q.Limit > MaxLimit:
		return fmt.Errorf("%w: Limit is %d; it must lie in [1, %d]", ErrRequest, q.Limit, MaxLimit)
	case q.Losers < 0 || q.Losers > MaxLimit:
		return fmt.Errorf("%w: Losers is %d; it must lie in [0, %d]", ErrRequest, q.Losers, MaxLimit)
	case !(q.Diversity >= 0 && q.Diversity <= 1):
		return fmt.Errorf("%w: Diversity is %v; it must lie in [0, 1]", ErrRequest, q.Diversity)
	case q.Seen > HideInteracted || q.Relation > BoughtTogether || q.Degraded > ProfileUnavailable:
		return fmt.Errorf("%w: Seen %d, Relation %d or Degraded %d is none of those known", ErrRequest, q.Seen, q.Relation, q.Degraded)
	case q.Relation != ForUser && len(q.Context) == 0:
		return fmt.Errorf("%w: Relation %d needs the item it starts from in Context", ErrRequest, q.Relation)
	}
	for i, x := range q.UserVector {
		if !(x >= -2 && x <= 2) {
			return fmt.Errorf("%w: component %d of UserVector is %v; the vector must have unit length", ErrRequest, i, x)
		}
	}
	for i, t := range q.History {
		if !(t.Weight >= 0 && t.Weight <= 1000) {
			return fmt.Errorf("%w: touch %d has weight %v; it must lie in [0, 1000]", ErrRequest, i, t.Weight)
		}
	}
	return nil
}

// retrieve finds the rung and the candidates.
func (r *run) retrieve() {
	r.findAnchors()
	r.chooseTier()
	r.gather()
	if r.req.Candidates != nil {
		for _, item := range r.req.Candidates {
			r.propose(item, FromCaller)
		}
		return
	}
	for _, s := range sources {
		s.propose(r)
	}
	r.proposePins()
	r.fill(r.req.Limit)
	r.checkTier()
}

func (r *run) chooseTier() {
	req := r.req
	r.reason.Anonymous, r.reason.PersonalizationOff, r.reason.Degraded = req.Anonymous, req.PersonalizationOff, req.Degraded
	if len(req.UserVector) > 0 && req.Degraded == NotDegraded && !req.PersonalizationOff && req.Relation == ForUser {
		r.user = req.UserVector
		r.reason.HasVector = true
	}
	switch {
	case r.user != nil && !req.Anonymous:
		r.reason.Tier = Personalized
	case r.user != nil || r.reason.Events > 0:
		r.reason.Tier = Session
	case len(r.anchors) > 0:
		r.reason.Tier = ItemNeighbours
	default:
		r.reason.Tier = Popular
	}
}

// checkTier owns up when what was known led to nothing.
func (r *run) checkTier() {
	if r.reason.Tier == Popular {
		return
	}
	const personal = 1<<FromUserVector | 1<<FromItemNeighbours | 1<<FromCoVisited | 1<<FromRepeat
	for i := range r.candidates {
		if r.candidates[i].sources&personal != 0 {
			return
		}
	}
	r.reason.Tier, r.reason.Unconnected = Popular, true
}

func (r *run) ranked(at int32) Ranked {
	c := &r.candidates[at]
	x := r.features(at)
	return Ranked{Item: c.item, Sources: c.sources, Score: r.scores[at], Value: r.scores[at], Propensity: 1, Rule: -1, Features: x}
}

// drawLosers fills a reservoir (Vitter's algorithm R) from what was not returned.
func (r *run) drawLosers(res *Response) {
	if r.req.Losers == 0 {
		return
	}
	r.pcg.Seed(r.req.Seed, losersStream)
	met := 0
	for i := range r.candidates {
		if r.at(r.candidates[i].item).mark&returned != 0 {
			continue
		}
		if met++; met <= r.req.Losers {
			res.Losers = append(res.Losers, r.ranked(int32(i)))
		} else if at := r.rng.IntN(met); at < r.req.Losers {
			res.Losers[at] = r.ranked(int32(i))
		}
	}
}

// losersStream keeps this use of a seed apart from others.
const losersStream = 0x6c6f73657273
