package conversion

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/ranker/internal/decay"
)

// Errors of this package, wrapped with what happened.
var (
	// ErrOptions: an option is out of its range.
	ErrOptions = errors.New("conversion: bad option")
	// ErrAct: an item past MaxItems, or an act that is none. Nothing was counted.
	ErrAct = errors.New("conversion: bad act")
	// ErrCheckpoint: a checkpoint is damaged, or made under another half-life.
	ErrCheckpoint = errors.New("conversion: bad checkpoint")
)

// Act is what is counted.
type Act uint8

const (
	// Shown: the item stood in a list that somebody saw.
	Shown Act = iota
	// Clicked: it was chosen from a list.
	Clicked
	// Opened: its page was looked at, from a list or not.
	Opened
	// Bought: it was purchased.
	Bought
	// Acts is how many there are.
	Acts
)

// Counts are the acts on one item, by [Act], decayed.
type Counts [Acts]float64

// Options of a counter. A zero field means its default.
type Options struct {
	// MaxItems is the first item number that is refused. Default 1<<20, at most 1<<28.
	MaxItems int
	// HalfLife of an act's weight, at least a second. Default 30 days.
	HalfLife time.Duration
	// Prior is how many impressions (and, for purchases, openings) of an average item each
	// item is taken to have had, above 0. Default 50.
	Prior float64
}

func (o Options) withDefaults() (Options, error) {
	if o.MaxItems == 0 {
		o.MaxItems = 1 << 20
	}
	if o.HalfLife == 0 {
		o.HalfLife = 30 * 24 * time.Hour
	}
	if o.Prior == 0 {
		o.Prior = 50
	}
	switch {
	case o.MaxItems < 1 || o.MaxItems > 1<<28:
		return o, fmt.Errorf("%w: MaxItems is %d; it must lie in [1, %d]", ErrOptions, o.MaxItems, 1<<28)
	case o.HalfLife < time.Second:
		return o, fmt.Errorf("%w: HalfLife is %v; it must be at least 1s", ErrOptions, o.HalfLife)
	case !(o.Prior > 0 && o.Prior <= math.MaxInt32):
		return o, fmt.Errorf("%w: Prior is %v; it must be above 0 and at most %d", ErrOptions, o.Prior, math.MaxInt32)
	}
	return o, nil
}

const chunkItems = 1024

// cells are the bits of float64 counts in units of an act at the origin.
type cells [Acts]atomic.Uint64

type chunk [chunkItems]cells

// Counter counts acts on items. Use [New].
type Counter struct {
	options Options
	chunks  []atomic.Pointer[chunk]
	length  atomic.Uint32 // one past the highest item counted
	clock   decay.Clock
	total   cells

	mu sync.Mutex // one writer at a time
}

// New makes an empty counter.
func New(options Options) (*Counter, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Counter{options: options, chunks: make([]atomic.Pointer[chunk], (options.MaxItems+chunkItems-1)/chunkItems)}
	c.clock.HalfLife = options.HalfLife
	return c, nil
}

// Add counts one act at a time in unix microseconds of the tenant's clock.
func (c *Counter) Add(item uint32, act Act, at int64) error {
	if uint64(item) >= uint64(c.options.MaxItems) {
		return fmt.Errorf("%w: item %d is past MaxItems %d; raise MaxItems", ErrAct, item, c.options.MaxItems)
	}
	if act >= Acts {
		return fmt.Errorf("%w: act %d; it must lie in [0, %d]", ErrAct, act, Acts-1)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	weight := c.clock.Advance(at, c.scale)
	add(&c.grow(item)[act], weight)
	add(&c.total[act], weight)
	return nil
}

// add is for the one writer.
func add(cell *atomic.Uint64, weight float64) {
	cell.Store(math.Float64bits(math.Float64frombits(cell.Load()) + weight))
}

// grow returns the cells of item, made if they are not there.
func (c *Counter) grow(item uint32) *cells {
	at := &c.chunks[item/chunkItems]
	if at.Load() == nil {
		at.Store(new(chunk))
	}
	if item >= c.length.Load() {
		c.length.Store(item + 1)
	}
	return &at.Load()[item%chunkItems]
}

// Raw are the counts of item in units that all items share; times [Counter.Factor] they
// are [Counter.Counts]. For loops over many items. Zeros for one that was never counted.
func (c *Counter) Raw(item uint32) Counts {
	at := item / chunkItems
	if uint64(at) >= uint64(len(c.chunks)) {
		return Counts{}
	}
	chunk := c.chunks[at].Load()
	if chunk == nil {
		return Counts{}
	}
	return chunk[item%chunkItems].read()
}

func (c *cells) read() (counts Counts) {
	for act := range counts {
		counts[act] = math.Float64frombits(c[act].Load())
	}
	return counts
}

// Counts are the decayed acts on item, as of now (unix microseconds).
func (c *Counter) Counts(item uint32, now int64) Counts { return c.Raw(item).times(c.Factor(now)) }

// Totals are the decayed acts on all items, as of now (unix microseconds).
func (c *Counter) Totals(now int64) Counts { return c.total.read().times(c.Factor(now)) }

func (c Counts) times(factor float64) Counts {
	for act := range c {
		c[act] *= factor
	}
	return c
}
