package ranker

import (
	"fmt"
	"sync/atomic"
	"time"
)

// NeighbourCache is a [Neighbours] that finds the nearest items of an item when
// they are first asked for, through a [Nearest], and keeps them. It is direct
// mapped: a slot holds the last item asked for that falls on it, so that memory
// is fixed, at 8 bytes a neighbour. After [NeighbourCache.Changed] a list is found
// anew when it is next asked for, but at most once a second, so that a catalog that
// is being uploaded costs no search on every request; a new item is met through the
// user's vector meanwhile.
//
// All methods are safe for concurrent use and take no lock. Two requests that
// ask for one item at once may both search.
type NeighbourCache struct {
	nearest Nearest
	vectors Vectors
	keep    int
	changes atomic.Uint64
	slots   []atomic.Pointer[neighbourList]
}

// neighbourList is immutable.
type neighbourList struct {
	item    uint32
	changes uint64
	found   time.Time
	list    []Scored
}

// neighbourRefresh is how long a list is used at least after it was found.
const neighbourRefresh = time.Second

// NewNeighbourCache makes an empty cache with so many slots, 1 to 1<<24, for lists
// of at most keep neighbours, 1 to 1000.
func NewNeighbourCache(nearest Nearest, vectors Vectors, slots, keep int) (*NeighbourCache, error) {
	switch {
	case nearest == nil || vectors == nil:
		return nil, fmt.Errorf("%w: a neighbour cache needs a Nearest and Vectors", ErrWorld)
	case slots < 1 || slots > 1<<24:
		return nil, fmt.Errorf("%w: a neighbour cache of %d slots; it must lie in [1, %d]", ErrWorld, slots, 1<<24)
	case keep < 1 || keep > 1000:
		return nil, fmt.Errorf("%w: %d neighbours an item; it must lie in [1, 1000]", ErrWorld, keep)
	}
	return &NeighbourCache{nearest: nearest, vectors: vectors, keep: keep, slots: make([]atomic.Pointer[neighbourList], slots)}, nil
}

// Changed says that vectors were added, changed or taken out. Call it after they
// can be searched for.
func (c *NeighbourCache) Changed() { c.changes.Add(1) }

// Neighbours of an item, nearest first; none for an item without a vector.
func (c *NeighbourCache) Neighbours(item uint32) []Scored {
	slot := &c.slots[int(item)%len(c.slots)]
	have, changes := slot.Load(), c.changes.Load()
	if have != nil && have.item == item && (have.changes == changes || time.Since(have.found) < neighbourRefresh) {
		return have.list
	}
	next := &neighbourList{item: item, changes: changes, found: time.Now(), list: c.find(item)}
	slot.Store(next)
	return next.list
}

func (c *NeighbourCache) find(item uint32) []Scored {
	vector := c.vectors.Vector(item)
	if vector == nil {
		return nil
	}
	found := c.nearest.Nearest(vector, c.keep+1, nil, make([]Scored, 0, c.keep+1))
	list := found[:0]
	for _, hit := range found {
		if hit.Item != item && len(list) < c.keep {
			list = append(list, hit)
		}
	}
	return list
}
