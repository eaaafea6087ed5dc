package covisit

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// A Neighbour of an item i is an item that stood near it in somebody's log.
type Neighbour struct {
	// Item is the neighbour's number, j.
	Item uint32
	// After is the evidence that j followed i, Before that j came before i. Both
	// are at least 0, in the graph's [Graph.Unit].
	After, Before float32
}

// Weight is all evidence of the pair, whatever its direction.
func (n Neighbour) Weight() float32 { return n.After + n.Before }

// A Step is one act of a user.
type Step struct {
	// Item acted on.
	Item uint32
	// Weight is the strength of the act, above 0: 1 for an ordinary one.
	Weight float32
	// Time in unix microseconds of the tenant's clock. Without HalfLife and MaxGap
	// it is not looked at.
	Time int64
}

// chunkItems items share a lock and are allocated together.
const chunkItems = 64

// A chunk holds the lists of 64 consecutive items. mu guards lists; totals are
// written under the graph's own mutex and read at any time.
type chunk struct {
	mu     sync.RWMutex
	lists  [chunkItems]list
	totals [chunkItems]atomic.Uint32 // bits of a float32
}

// Graph is the co-visitation graph of one tenant. Use [New].
type Graph struct {
	options Options
	decay   []float32 // by gap-1
	chunks  []atomic.Pointer[chunk]
	length  atomic.Uint32 // one past the highest item counted
	pairs   atomic.Int64
	evicted atomic.Int64

	mu     sync.Mutex // one writer at a time
	origin int64      // where the decay factor is 1, in microseconds
	latest int64      // largest time seen
	begun  bool       // origin and latest are set
	unit   atomic.Uint32
}

// New makes an empty graph.
func New(options Options) (*Graph, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	g := &Graph{
		options: options,
		decay:   make([]float32, options.Window),
		chunks:  make([]atomic.Pointer[chunk], (options.MaxItems+chunkItems-1)/chunkItems),
	}
	for i := range g.decay {
		g.decay[i] = float32(math.Pow(options.StepDecay, float64(i)))
	}
	g.unit.Store(math.Float32bits(1))
	return g, nil
}

// Add counts one act: next follows the steps of trail, which are oldest first.
// Only the last Window steps are looked at. On an error nothing was counted.
func (g *Graph) Add(trail []Step, next Step) error {
	trail = trail[max(0, len(trail)-g.options.Window):]
	if err := g.check(next); err != nil {
		return err
	}
	for _, step := range trail {
		if err := g.check(step); err != nil {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.advance(next.Time)
	g.addTotal(next.Item, next.Weight*now)
	for i, step := range trail {
		if g.options.MaxGap > 0 && next.Time-step.Time > g.options.MaxGap.Microseconds() {
			continue
		}
		weight := now * g.decay[len(trail)-1-i] * geometricMean(step.Weight, next.Weight)
		g.link(step.Item, next.Item, evidence{after: weight})
		g.link(next.Item, step.Item, evidence{before: weight})
	}
	return nil
}

func geometricMean(a, b float32) float32 {
	if a == b {
		return a
	}
	return float32(math.Sqrt(float64(a) * float64(b)))
}

func (g *Graph) check(s Step) error {
	if uint64(s.Item) >= uint64(g.options.MaxItems) {
		return fmt.Errorf("%w: item %d is past MaxItems %d; raise MaxItems", ErrStep, s.Item, g.options.MaxItems)
	}
	if !(s.Weight > 0 && s.Weight <= math.MaxInt32) {
		return fmt.Errorf("%w: weight %v of item %d; it must be above 0 and at most %d", ErrStep, s.Weight, s.Item, math.MaxInt32)
	}
	return nil
}

// Neighbours appends the neighbours of item to dst, in no particular order but
// the same for the same log, and returns it. It copies: what is returned is the
// caller's.
func (g *Graph) Neighbours(item uint32, dst []Neighbour) []Neighbour {
	c := g.chunk(item)
	if c == nil {
		return dst
	}
	c.mu.RLock()
	l := &c.lists[item%chunkItems]
	dst = slices.Grow(dst, len(l.items))
	for at := range l.items {
		dst = append(dst, l.neighbour(at))
	}
	c.mu.RUnlock()
	return dst
}

// Total is the weight of all acts on item, in the graph's [Graph.Unit].
func (g *Graph) Total(item uint32) float32 {
	c := g.chunk(item)
	if c == nil {
		return 0
	}
	return math.Float32frombits(c.totals[item%chunkItems].Load())
}

// Unit is what an act of weight 1 at the latest time seen counts: 1 without
// HalfLife. Divide counts by it to have them in acts of today.
func (g *Graph) Unit() float32 { return math.Float32frombits(g.unit.Load()) }

// Len is one past the highest item number counted.
func (g *Graph) Len() uint32 { return g.length.Load() }

// Stats says how full a graph is.
type Stats struct {
	// Items is one past the highest item number counted.
	Items int
	// Pairs held, of at most MaxPairs.
	Pairs int
	// Evicted counts pairs that were given up for others, or not taken up, since
	// the graph was made or loaded.
	Evicted int
}

// Stats returns the present figures.
func (g *Graph) Stats() Stats {
	return Stats{Items: int(g.length.Load()), Pairs: int(g.pairs.Load()), Evicted: int(g.evicted.Load())}
}

func (g *Graph) chunk(item uint32) *chunk {
	at := item / chunkItems
	if uint64(at) >= uint64(len(g.chunks)) {
		return nil
	}
	return g.chunks[at].Load()
}

// grow returns the chunk of item, made if it is not there. The caller holds g.mu.
func (g *Graph) grow(item uint32) *chunk {
	at := &g.chunks[item/chunkItems]
	c := at.Load()
	if c == nil {
		c = new(chunk)
		at.Store(c)
	}
	if item >= g.length.Load() {
		g.length.Store(item + 1)
	}
	return c
}

func (g *Graph) addTotal(item uint32, weight float32) {
	total := &g.grow(item).totals[item%chunkItems]
	total.Store(math.Float32bits(math.Float32frombits(total.Load()) + weight))
}
