package shop

import (
	"context"
	"math/bits"
	"sync"
)

// backlog holds the items whose text waits for its vector: numbers, not texts, a bit
// each. Nothing of it is kept on disk: what waits is what has no kept vector.
//
// An item is waiting, or taken, or neither. One that changes while it is taken waits
// again, so that what was begun with its older text is not used.
type backlog struct {
	some chan struct{} // wakes who waits for items

	mu      sync.Mutex
	waiting bitset
	count   int64 // of waiting
	refused bitset
	refuses int64               // of refused
	fresh   []uint32            // some that came last; one may wait no more
	at      int                 // the word of waiting where the next take begins
	taken   map[uint32]struct{} // bounded by what is taken at once
}

// maxFresh bounds the items that go before a long backlog.
const maxFresh = 1024

func newBacklog(maxItems uint32) *backlog {
	return &backlog{
		some: make(chan struct{}, 1), waiting: newBitset(maxItems), refused: newBitset(maxItems), taken: map[uint32]struct{}{},
	}
}

// add has an item wait, whatever it did before.
func (b *backlog) add(number uint32, soon bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.taken, number)
	b.forgive(number)
	b.wait(number)
	if soon && len(b.fresh) < maxFresh {
		b.fresh = append(b.fresh, number)
	}
}

func (b *backlog) wait(number uint32) {
	if b.waiting.set(number) {
		b.count++
	}
	select {
	case b.some <- struct{}{}:
	default:
	}
}

func (b *backlog) forgive(number uint32) {
	if b.refused.clear(number) {
		b.refuses--
	}
}

// drop says that an item needs no vector of its text.
func (b *backlog) drop(number uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.taken, number)
	b.forgive(number)
	if b.waiting.clear(number) {
		b.count--
	}
}

// take takes items that wait: up to half of them fresh ones, then in turn.
func (b *backlog) take(limit int) []uint32 {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []uint32
	some := 0
	for ; some < len(b.fresh) && len(out) <= limit/2; some++ {
		out = b.takeOne(b.fresh[some], out)
	}
	b.fresh = append(b.fresh[:0], b.fresh[some:]...)
	for range b.waiting {
		word := b.waiting[b.at]
		for word != 0 && len(out) < limit {
			number := uint32(b.at*64 + bits.TrailingZeros64(word))
			word &= word - 1
			out = b.takeOne(number, out)
		}
		if len(out) >= limit || b.count == 0 {
			break
		}
		b.at = (b.at + 1) % len(b.waiting)
	}
	return out
}

func (b *backlog) takeOne(number uint32, out []uint32) []uint32 {
	if !b.waiting.clear(number) {
		return out
	}
	b.count--
	b.taken[number] = struct{}{}
	return append(out, number)
}

// finish ends what take began and reports whether the item is still as it was then.
func (b *backlog) finish(number uint32) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.taken[number]
	delete(b.taken, number)
	return ok
}

// refuse ends what take began: the item's text has no vector until it changes.
func (b *backlog) refuse(number uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.taken[number]; !ok {
		return
	}
	delete(b.taken, number)
	if b.refused.set(number) {
		b.refuses++
	}
}

// giveBack has items that were taken wait again.
func (b *backlog) giveBack(numbers []uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, number := range numbers {
		if _, ok := b.taken[number]; ok {
			delete(b.taken, number)
			b.wait(number)
		}
	}
}

// retryRefused has the refused items wait again.
func (b *backlog) retryRefused() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, word := range b.refused {
		for ; word != 0; word &= word - 1 {
			b.wait(uint32(i*64 + bits.TrailingZeros64(word)))
		}
		b.refused[i] = 0
	}
	b.refuses = 0
}

// len is how many items have no vector of their present text, the refused ones apart,
// and how many those are.
func (b *backlog) len() (waiting, refused int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count + int64(len(b.taken)), b.refuses
}

// awaitSome returns true when items wait, and false when ctx ends.
func (b *backlog) awaitSome(ctx context.Context) bool {
	for ctx.Err() == nil {
		b.mu.Lock()
		n := b.count
		b.mu.Unlock()
		if n > 0 {
			return true
		}
		select {
		case <-ctx.Done():
		case <-b.some:
		}
	}
	return false
}

// bitset is a set of numbers below a bound.
type bitset []uint64

func newBitset(bound uint32) bitset { return make(bitset, (uint64(bound)+63)/64) }

// set and clear report whether they changed something.
func (s bitset) set(n uint32) bool {
	word, bit := &s[n/64], uint64(1)<<(n%64)
	had := *word&bit != 0
	*word |= bit
	return !had
}

func (s bitset) clear(n uint32) bool {
	word, bit := &s[n/64], uint64(1)<<(n%64)
	had := *word&bit != 0
	*word &^= bit
	return had
}
