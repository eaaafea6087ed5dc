package popularity

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// An arrival is an item and when it came, unix microseconds.
type arrival struct {
	item uint32
	at   int64
}

// Arrivals is a bounded list of the newest items, newest first and the smaller
// number first on ties. All methods are safe for concurrent use; readers take
// no lock. The zero value is not usable, see [NewArrivals].
type Arrivals struct {
	max    int
	newest atomic.Pointer[[]uint32]

	mu   sync.Mutex
	list []arrival
}

// NewArrivals makes a list of at most so many items, 1 to 65536.
func NewArrivals(most int) (*Arrivals, error) {
	if most < 1 || most > 1<<16 {
		return nil, fmt.Errorf("%w: a list of %d arrivals; it must lie in [1, %d]", ErrOptions, most, 1<<16)
	}
	a := &Arrivals{max: most}
	a.newest.Store(new([]uint32))
	return a, nil
}

// Add says that item came at a time in unix microseconds: when it was created,
// or first seen where that is not known. The last call for an item counts.
func (a *Arrivals) Add(item uint32, at int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.take(item)
	entry := arrival{item, at}
	place, _ := slices.BinarySearchFunc(a.list, entry, func(x, y arrival) int {
		return cmp.Or(cmp.Compare(y.at, x.at), cmp.Compare(x.item, y.item))
	})
	if place < a.max {
		a.list = slices.Insert(a.list, place, entry)
		a.list = a.list[:min(len(a.list), a.max)]
	}
	a.publish()
}

// Remove takes an item out that is no longer in the catalog.
func (a *Arrivals) Remove(item uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.take(item) {
		a.publish()
	}
}

// Newest is the list. It must not be changed.
func (a *Arrivals) Newest() []uint32 { return *a.newest.Load() }

func (a *Arrivals) take(item uint32) bool {
	at := slices.IndexFunc(a.list, func(x arrival) bool { return x.item == item })
	if at >= 0 {
		a.list = slices.Delete(a.list, at, at+1)
	}
	return at >= 0
}

func (a *Arrivals) publish() {
	items := make([]uint32, len(a.list))
	for i, x := range a.list {
		items[i] = x.item
	}
	a.newest.Store(&items)
}
