// Package exposure counts how often each item was shown today.
//
// # The problem
//
// A merchant may allow an item so many showings a day, to all users together: of a brand
// that pays for as many, or of a piece that one buyer can have. The count is read for
// every candidate of every request and written for every item of every reply.
//
// # The choices
//
// One word an item holds the UTC day and the count of that day: a word of another day
// counts as 0, so that nothing has to be cleared at midnight. Writers swap the word;
// nobody waits. Two replies that are made at the same moment may both show the last
// showing that is left: a bound is passed by at most as many as are made at once. A
// showing of a day that is over is dropped, since the word has gone on.
//
// # How to use it
//
//	counter, err := exposure.New(1 << 20)
//	err = counter.Add(42, 1, nowMicros) // when a list is served
//	n := counter.Today(42, nowMicros)
//
// A new process starts at 0: add again what the log of served lists says of today.
//
// # The contract
//
// Items are dense numbers; one costs 8 bytes, in blocks of 1024. Times are unix
// microseconds of the tenant's clock. All methods are safe for concurrent use and take no
// lock.
package exposure

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
)

// Errors of this package, wrapped with what happened.
var (
	// ErrOptions: an option is out of its range.
	ErrOptions = errors.New("exposure: bad option")
	// ErrItem: an item past the bound, or a count below 1. Nothing was counted.
	ErrItem = errors.New("exposure: bad item")
)

const (
	blockItems  = 1024
	mostItems   = 1 << 28
	dayMicros   = 24 * 60 * 60 * 1_000_000
	mostCounted = math.MaxUint32
)

type block [blockItems]atomic.Uint64 // the day in the upper half, the count in the lower

// Counter counts showings. Use [New].
type Counter struct {
	maxItems uint32
	blocks   []atomic.Pointer[block]
}

// New makes an empty counter of items below maxItems, 1 to 1<<28.
func New(maxItems int) (*Counter, error) {
	if maxItems < 1 || maxItems > mostItems {
		return nil, fmt.Errorf("%w: maxItems is %d; it must lie in [1, %d]", ErrOptions, maxItems, mostItems)
	}
	return &Counter{maxItems: uint32(maxItems), blocks: make([]atomic.Pointer[block], (maxItems+blockItems-1)/blockItems)}, nil
}

// dayOf is the number of a UTC day from 1 on, 0 for times before 1970.
func dayOf(now int64) uint64 {
	if now < 0 {
		return 0
	}
	return uint64(now/dayMicros)%mostCounted + 1
}

// Add counts n showings of an item, at least 1, at a time. A count stays at 4294967295.
func (c *Counter) Add(item uint32, n int, now int64) error {
	if item >= c.maxItems {
		return fmt.Errorf("%w: item %d is past the bound %d; make the counter for more", ErrItem, item, c.maxItems)
	}
	if n < 1 {
		return fmt.Errorf("%w: %d showings of item %d; it must be at least 1", ErrItem, n, item)
	}
	word, day := c.word(item), dayOf(now)
	for {
		old := word.Load()
		had := uint64(0)
		switch {
		case old>>32 > day:
			return nil // that day is over
		case old>>32 == day:
			had = old & mostCounted
		}
		if word.CompareAndSwap(old, day<<32|min(had+uint64(n), mostCounted)) {
			return nil
		}
	}
}

// word of an item, made if it is not there.
func (c *Counter) word(item uint32) *atomic.Uint64 {
	at := &c.blocks[item/blockItems]
	b := at.Load()
	if b == nil {
		at.CompareAndSwap(nil, new(block))
		b = at.Load()
	}
	return &b[item%blockItems]
}

// Today is how many times an item was shown on the UTC day of now; 0 for an item past the
// bound.
func (c *Counter) Today(item uint32, now int64) int64 {
	if item >= c.maxItems {
		return 0
	}
	b := c.blocks[item/blockItems].Load()
	if b == nil {
		return 0
	}
	word := b[item%blockItems].Load()
	if word>>32 != dayOf(now) {
		return 0
	}
	return int64(word & mostCounted)
}
