package filter

import (
	"container/list"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// A Cache keeps the filters in use, compiled, each with its bitmap. It is
// bounded: the least recently asked for makes room. It is safe for concurrent
// use, and holds no lock while it compiles or evaluates.
type Cache struct {
	compiler *Compiler
	capacity int
	counters counters

	mu     sync.Mutex
	byText map[string]*list.Element
	byUse  *list.List // of *Filter, the last used in front
}

// counters are what Stats reports, counted as they happen.
type counters struct {
	hits, misses, evictions, current, stale, refreshes, computations atomic.Uint64
}

// Stats counts what a [Cache] did since it was made.
type Stats struct {
	// Filters is how many it keeps now.
	Filters int
	// Hits and Misses are the calls of Filter that found the text, and those
	// that compiled it or refused it; Evictions the filters dropped for room.
	Hits, Misses, Evictions uint64
	// Current counts bitmaps asked for while the catalog stood still, Refreshes
	// those brought up to date row by row, Computations those computed from all
	// rows, and Stale those answered as they were since another call was
	// already bringing them up to date.
	Current, Refreshes, Computations, Stale uint64
}

// NewCache makes an empty cache over table. It fails with [ErrLimit] on a limit
// out of range, or when not one bitmap fits.
func NewCache(table *catalog.Table, limits Limits) (*Cache, error) {
	compiler, err := NewCompiler(table, limits)
	if err != nil {
		return nil, err
	}
	limits = compiler.limits
	bitmapBytes := 8 * wordsFor(table.Limits().MaxItems)
	capacity := min(limits.MaxPrograms, limits.MaxBitmapBytes/bitmapBytes)
	if capacity == 0 {
		return nil, fmt.Errorf("%w: a bitmap over %d items takes %d bytes, filter.Limits.MaxBitmapBytes is %d; raise it, or lower catalog.Limits.MaxItems",
			ErrLimit, table.Limits().MaxItems, bitmapBytes, limits.MaxBitmapBytes)
	}
	return &Cache{compiler: compiler, capacity: capacity, byText: map[string]*list.Element{}, byUse: list.New()}, nil
}

// Filter returns the filter that text is, compiling it when it is not kept. It
// refuses with an [*Error]; what is refused is not kept.
func (c *Cache) Filter(text string) (*Filter, error) {
	if kept := c.lookUp(text); kept != nil {
		c.counters.hits.Add(1)
		return kept, nil
	}
	c.counters.misses.Add(1)
	program, err := c.compiler.Compile(text)
	if err != nil {
		return nil, err
	}
	return c.keep(&Filter{Program: program, counters: &c.counters}), nil
}

func (c *Cache) lookUp(text string) *Filter {
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.byText[text]
	if element == nil {
		return nil
	}
	c.byUse.MoveToFront(element)
	return element.Value.(*Filter)
}

// keep stores a filter, or returns the one that another call stored meanwhile.
func (c *Cache) keep(made *Filter) *Filter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element := c.byText[made.Text()]; element != nil {
		return element.Value.(*Filter)
	}
	c.byText[made.Text()] = c.byUse.PushFront(made)
	if c.byUse.Len() > c.capacity {
		last := c.byUse.Remove(c.byUse.Back()).(*Filter)
		delete(c.byText, last.Text())
		c.counters.evictions.Add(1)
	}
	return made
}

// Stats returns the counts by now.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	filters := c.byUse.Len()
	c.mu.Unlock()
	n := &c.counters
	return Stats{
		Filters: filters,
		Hits:    n.hits.Load(), Misses: n.misses.Load(), Evictions: n.evictions.Load(),
		Current: n.current.Load(), Refreshes: n.refreshes.Load(), Computations: n.computations.Load(), Stale: n.stale.Load(),
	}
}

// A Filter is a program of a [Cache] with its bitmap kept. It stays good after
// the cache has dropped it.
type Filter struct {
	*Program
	counters *counters
	kept     atomic.Pointer[Bitmap]
	updating sync.Mutex // held by the one call that makes the next bitmap
}

// Snapshot returns the bitmap last made, or nil before the first: it never
// computes. Its Version tells how far it lags.
func (f *Filter) Snapshot() *Bitmap { return f.kept.Load() }

// Bitmap returns which items pass. When the catalog moved it matches the rows
// that changed, or computes all when they are too many. While another call does
// so, this one answers with the bitmap before; only the first has to be waited
// for. A reply must check its items with Match in any case.
func (f *Filter) Bitmap() *Bitmap {
	kept := f.kept.Load()
	if f.upToDate(kept) {
		f.counters.current.Add(1)
		return kept
	}
	if kept == nil {
		f.updating.Lock()
	} else if !f.updating.TryLock() {
		f.counters.stale.Add(1)
		return kept
	}
	defer f.updating.Unlock()
	if kept = f.kept.Load(); f.upToDate(kept) { // made while this call waited
		f.counters.current.Add(1)
		return kept
	}
	next := f.next(kept)
	f.kept.Store(next)
	return next
}

func (f *Filter) upToDate(kept *Bitmap) bool {
	return kept != nil && kept.Version == f.columns.table.Version()
}

// next makes the bitmap that follows kept, which may be nil.
func (f *Filter) next(kept *Bitmap) *Bitmap {
	table := f.columns.table
	if kept != nil && table.Version()-kept.Version <= worthMatching(table) {
		if numbers, version, ok := table.Changes(kept.Version, nil); ok {
			f.counters.refreshes.Add(1)
			return kept.refresh(f.root, table, numbers, version)
		}
	}
	f.counters.computations.Add(1)
	return evaluate(f.root, f.columns)
}
