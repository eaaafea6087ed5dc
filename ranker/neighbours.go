package ranker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// NeighbourCache is a [Neighbours] that holds the nearest items of every item,
// found once through a [Nearest]. A list costs 8 bytes a neighbour; an item
// without a list has no neighbours, and nothing is searched while reading.
//
// Reads take no lock. Writers wait for one another.
type NeighbourCache struct {
	nearest Nearest
	vectors Vectors
	keep    int
	lists   []atomic.Pointer[[]Scored]

	mu      sync.Mutex
	scratch []Scored
}

// NewNeighbourCache makes an empty cache for the items below maxItems, 1 to
// 1<<28 (8 bytes each), of keep neighbours for each, 1 to 1000.
func NewNeighbourCache(nearest Nearest, vectors Vectors, maxItems, keep int) (*NeighbourCache, error) {
	switch {
	case nearest == nil || vectors == nil:
		return nil, fmt.Errorf("%w: a neighbour cache needs a Nearest and Vectors", ErrWorld)
	case maxItems < 1 || maxItems > 1<<28:
		return nil, fmt.Errorf("%w: a neighbour cache for %d items; it must lie in [1, %d]", ErrWorld, maxItems, 1<<28)
	case keep < 1 || keep > 1000:
		return nil, fmt.Errorf("%w: %d neighbours an item; it must lie in [1, 1000]", ErrWorld, keep)
	}
	return &NeighbourCache{nearest: nearest, vectors: vectors, keep: keep, lists: make([]atomic.Pointer[[]Scored], maxItems)}, nil
}

// Neighbours of an item, nearest first.
func (c *NeighbourCache) Neighbours(item uint32) []Scored {
	if int64(item) >= int64(len(c.lists)) {
		return nil
	}
	if list := c.lists[item].Load(); list != nil {
		return *list
	}
	return nil
}

// Fill finds the neighbours of all items below n, one search for each. It stops
// early with the context's error.
func (c *NeighbourCache) Fill(ctx context.Context, n uint32) error {
	for item := range min(n, uint32(len(c.lists))) {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.mu.Lock()
		c.find(item)
		c.mu.Unlock()
	}
	return nil
}

// Put finds the neighbours of an item whose vector is new or has changed, and
// makes it a neighbour of those near it, so that a new item is met at once. Call
// it after the vector can be searched for.
func (c *NeighbourCache) Put(item uint32) {
	if int64(item) >= int64(len(c.lists)) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, old := range c.Neighbours(item) {
		c.without(old.Item, item)
	}
	c.find(item)
	for _, near := range c.Neighbours(item) {
		c.insert(near.Item, Scored{Item: item, Score: near.Score})
	}
}

// find searches; c.mu is held.
func (c *NeighbourCache) find(item uint32) {
	vector := c.vectors.Vector(item)
	if vector == nil {
		c.lists[item].Store(nil)
		return
	}
	c.scratch = c.nearest.Nearest(vector, c.keep+1, nil, c.scratch[:0])
	list := make([]Scored, 0, c.keep)
	for _, hit := range c.scratch {
		if hit.Item != item && len(list) < c.keep {
			list = append(list, hit)
		}
	}
	c.lists[item].Store(&list)
}

// without publishes the list of item without one neighbour.
func (c *NeighbourCache) without(item, neighbour uint32) {
	list := c.Neighbours(item)
	at := slices.IndexFunc(list, func(s Scored) bool { return s.Item == neighbour })
	if at < 0 {
		return
	}
	shorter := slices.Concat(list[:at], list[at+1:])
	c.lists[item].Store(&shorter)
}

// insert publishes the list of item with one more neighbour at its place.
func (c *NeighbourCache) insert(item uint32, neighbour Scored) {
	if int64(item) >= int64(len(c.lists)) {
		return
	}
	c.without(item, neighbour.Item)
	list := c.Neighbours(item)
	at := 0
	for at < len(list) && (list[at].Score > neighbour.Score || list[at].Score == neighbour.Score && list[at].Item < neighbour.Item) {
		at++
	}
	if at >= c.keep {
		return
	}
	longer := slices.Concat(list[:at], []Scored{neighbour}, list[at:min(len(list), c.keep-1)])
	c.lists[item].Store(&longer)
}
