package hnsw

import (
	"math"
	"slices"

	"github.com/kindred-rec/kindred/index/internal/topk"
)

// beam is the list of a walk: the ef best nodes met so far, best first, each
// marked once its links were followed. One sorted list serves as the queue of
// candidates and as the result, since a candidate that falls off the end of the
// result would never be followed.
type beam struct {
	keys []uint64 // descending
	size int      // ef
	next int      // every key before it is marked
}

// A key orders nodes by score, then by smaller number; its lowest bit is the
// mark, which does not change the order of different nodes.
const followed = 1

func makeKey(score float32, node uint32) uint64 {
	key := topk.Key(score, 0)
	return key&^(1<<32-1) | uint64(^node<<1)
}

func nodeOf(key uint64) uint32 { return ^(uint32(key)>>1 | 1<<31) }

func scoreOf(key uint64) float32 { return topk.Score(key) }

func (b *beam) reset(ef int) {
	b.size, b.next = ef, 0
	b.keys = slices.Grow(b.keys[:0], min(ef, 1<<12)+1)
}

// bar is the key that an offer must exceed, and its score.
func (b *beam) bar() (key uint64, score float32) {
	if len(b.keys) < b.size {
		return 0, float32(math.Inf(-1))
	}
	key = b.keys[len(b.keys)-1]
	return key, scoreOf(key)
}

// insert puts key, which exceeds the bar, in its place. The last falls off a
// full beam.
func (b *beam) insert(key uint64) {
	n := len(b.keys)
	if n < b.size {
		b.keys = append(b.keys, 0)
	} else {
		n--
	}
	keys := b.keys[:n+1]
	// A binary search whose only branch is the loop's.
	low := 0
	for span := n; span > 0; {
		half := (span + 1) / 2
		if keys[low+half-1] > key {
			low += half
		}
		span -= half
	}
	copy(keys[low+1:], keys[low:n])
	keys[low] = key
	b.next = min(b.next, low)
}

// follow marks and returns the best node whose links were not followed.
func (b *beam) follow() (node uint32, ok bool) {
	for ; b.next < len(b.keys); b.next++ {
		if key := b.keys[b.next]; key&followed == 0 {
			b.keys[b.next] |= followed
			b.next++
			return nodeOf(key), true
		}
	}
	return 0, false
}

// ahead is the node that follow is likely to return next.
func (b *beam) ahead() (node uint32, ok bool) {
	for i := b.next; i < len(b.keys); i++ {
		if b.keys[i]&followed == 0 {
			return nodeOf(b.keys[i]), true
		}
	}
	return 0, false
}
