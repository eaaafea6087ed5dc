package popularity

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/ranker/internal/decay"
)

// Errors of this package, wrapped with what happened.
var (
	// ErrOptions: an option is out of its range.
	ErrOptions = errors.New("popularity: bad option")
	// ErrAct: an item past MaxItems, or a weight that is not positive and finite.
	// Nothing was counted.
	ErrAct = errors.New("popularity: bad act")
	// ErrCheckpoint: a checkpoint is damaged, or made under another half-life.
	ErrCheckpoint = errors.New("popularity: bad checkpoint")
)

// Options bound a counter. A zero field means its default.
type Options struct {
	// MaxItems is the first item number that is refused. Default 1<<20, at most
	// 1<<28. An item costs 8 bytes.
	MaxItems int
	// MaxTop is the length of the list of top items, 1 to 65536. Default 1024.
	MaxTop int
	// HalfLife of an act's weight. 0: acts count for ever. At least a second
	// otherwise.
	HalfLife time.Duration
}

func (o Options) withDefaults() (Options, error) {
	if o.MaxItems == 0 {
		o.MaxItems = 1 << 20
	}
	if o.MaxTop == 0 {
		o.MaxTop = 1024
	}
	switch {
	case o.MaxItems < 1 || o.MaxItems > 1<<28:
		return o, fmt.Errorf("%w: MaxItems is %d; it must lie in [1, %d]", ErrOptions, o.MaxItems, 1<<28)
	case o.MaxTop < 1 || o.MaxTop > 1<<16:
		return o, fmt.Errorf("%w: MaxTop is %d; it must lie in [1, %d]", ErrOptions, o.MaxTop, 1<<16)
	case o.HalfLife != 0 && o.HalfLife < time.Second:
		return o, fmt.Errorf("%w: HalfLife is %v; it must be 0 (none) or at least 1s", ErrOptions, o.HalfLife)
	}
	return o, nil
}

const chunkItems = 1024

// A chunk holds the counts of 1024 consecutive items: bits of a float64 in units
// of an act at the origin.
type chunk [chunkItems]atomic.Uint64

// Counter counts acts on items. Use [New].
type Counter struct {
	options Options
	chunks  []atomic.Pointer[chunk]
	length  atomic.Uint32
	clock   decay.Clock
	top     atomic.Pointer[[]uint32] // as published, never changed

	mu      sync.Mutex // one writer at a time; guards what follows
	live    []uint32   // the top items as they are now, most popular first
	place   map[uint32]struct{}
	added   int // acts counted
	pending int // acts since the list was published
}

// New makes an empty counter.
func New(options Options) (*Counter, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Counter{
		options: options,
		chunks:  make([]atomic.Pointer[chunk], (options.MaxItems+chunkItems-1)/chunkItems),
		place:   map[uint32]struct{}{},
	}
	c.clock.HalfLife = options.HalfLife
	c.top.Store(new([]uint32))
	return c, nil
}

// Add counts one act of so much weight at a time in unix microseconds of the
// tenant's clock. Without HalfLife the time is not looked at.
func (c *Counter) Add(item uint32, weight float64, at int64) error {
	if uint64(item) >= uint64(c.options.MaxItems) {
		return fmt.Errorf("%w: item %d is past MaxItems %d; raise MaxItems", ErrAct, item, c.options.MaxItems)
	}
	if !(weight > 0 && weight <= math.MaxInt32) {
		return fmt.Errorf("%w: weight %v of item %d; it must be above 0 and at most %d", ErrAct, weight, item, math.MaxInt32)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	weight *= c.clock.Advance(at, c.scale)
	cell := c.cell(item)
	cell.Store(math.Float64bits(math.Float64frombits(cell.Load()) + weight))
	c.raise(item)
	c.added++
	if c.pending++; c.pending >= min(64, c.added/64+1) {
		c.publish()
	}
	return nil
}

// cell returns where the count of item stands, made if it is not there.
func (c *Counter) cell(item uint32) *atomic.Uint64 {
	at := &c.chunks[item/chunkItems]
	if at.Load() == nil {
		at.Store(new(chunk))
	}
	if item >= c.length.Load() {
		c.length.Store(item + 1)
	}
	return &at.Load()[item%chunkItems]
}

// raw is the count of item in units of an act at the origin.
func (c *Counter) raw(item uint32) float64 {
	at := item / chunkItems
	if uint64(at) >= uint64(len(c.chunks)) {
		return 0
	}
	chunk := c.chunks[at].Load()
	if chunk == nil {
		return 0
	}
	return math.Float64frombits(chunk[item%chunkItems].Load())
}

// before is the order of the list: the larger count, then the smaller number.
func (c *Counter) before(a, b uint32) int {
	x, y := c.raw(a), c.raw(b)
	switch {
	case x > y:
		return -1
	case x < y:
		return 1
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// raise brings an item whose count has grown to its place in the list. All other
// items are in order, since counts never shrink against one another.
func (c *Counter) raise(item uint32) {
	at := len(c.live)
	if _, held := c.place[item]; held {
		at = slices.Index(c.live, item)
	} else if at < c.options.MaxTop {
		c.live = append(c.live, item)
		c.place[item] = struct{}{}
	} else {
		if at--; c.before(item, c.live[at]) > 0 {
			return
		}
		delete(c.place, c.live[at])
		c.live[at] = item
		c.place[item] = struct{}{}
	}
	for ; at > 0 && c.before(item, c.live[at-1]) < 0; at-- {
		c.live[at] = c.live[at-1]
	}
	c.live[at] = item
}

func (c *Counter) publish() {
	c.pending = 0
	if !slices.Equal(c.live, *c.top.Load()) {
		published := slices.Clone(c.live)
		c.top.Store(&published)
	}
}

// Publish makes Top reflect every act counted so far.
func (c *Counter) Publish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.publish()
}

// Top is the list of the most popular items, most popular first, at most MaxTop.
// It must not be changed.
func (c *Counter) Top() []uint32 { return *c.top.Load() }

// Count is the decayed weight of the acts on item, as of now (unix microseconds).
func (c *Counter) Count(item uint32, now int64) float64 { return c.raw(item) * c.Factor(now) }

// Raw is the weight of the acts on item in units that all items share; times
// [Counter.Factor] it is [Counter.Count]. For loops over many items.
func (c *Counter) Raw(item uint32) float64 { return c.raw(item) }
