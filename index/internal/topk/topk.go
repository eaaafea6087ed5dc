// Package topk keeps the best k of many.
//
// A [Heap] is a bounded min-heap: its root is the worst that it keeps, so that
// most of what is offered is refused by one comparison. For search results the
// elements are keys made by [Key], which order hits as the index contract
// says: by larger score, and on ties by smaller item number.
package topk

import (
	"cmp"
	"math"
	"slices"
)

// Heap keeps the k largest values offered. The zero Heap is ready after Reset.
type Heap[T cmp.Ordered] struct {
	kept []T // kept[i] <= kept[2i+1], kept[2i+2]
	k    int
}

// Reset empties the heap and sets its bound, at least 1. The memory is kept.
func (h *Heap[T]) Reset(k int) {
	h.kept, h.k = h.kept[:0], k
}

// Full reports whether k values are kept, so that Worst is the bar to pass.
func (h *Heap[T]) Full() bool { return len(h.kept) == h.k }

// Worst is the smallest value kept; the heap must not be empty.
func (h *Heap[T]) Worst() T { return h.kept[0] }

// Offer keeps v if fewer than k are kept or v is larger than the worst.
func (h *Heap[T]) Offer(v T) {
	if len(h.kept) < h.k {
		h.kept = append(h.kept, v)
		h.up(len(h.kept) - 1)
		return
	}
	if v > h.kept[0] {
		h.down(v)
	}
}

// Descending sorts what is kept, largest first, and returns it. The slice is
// valid until the next Reset, which must come before the next Offer.
func (h *Heap[T]) Descending() []T {
	slices.Sort(h.kept)
	slices.Reverse(h.kept)
	return h.kept
}

func (h *Heap[T]) up(i int) {
	v := h.kept[i]
	for i > 0 {
		parent := (i - 1) / 2
		if h.kept[parent] <= v {
			break
		}
		h.kept[i] = h.kept[parent]
		i = parent
	}
	h.kept[i] = v
}

// down puts v in the root's place and lets it sink.
func (h *Heap[T]) down(v T) {
	kept, i := h.kept, 0
	for {
		child := 2*i + 1
		if child >= len(kept) {
			break
		}
		if right := child + 1; right < len(kept) && kept[right] < kept[child] {
			child = right
		}
		if v <= kept[child] {
			break
		}
		kept[i] = kept[child]
		i = child
	}
	kept[i] = v
}

// Key packs a score and a number so that larger keys are better hits. The
// score must not be NaN; -0 counts as 0.
func Key(score float32, id uint32) uint64 {
	bits := math.Float32bits(score + 0) // -0 + 0 is +0
	// Flip negatives whole and positives in the sign: the order of the floats.
	bits ^= uint32(int32(bits)>>31) | 1<<31
	return uint64(bits)<<32 | uint64(^id)
}

// ID is the number in a key.
func ID(key uint64) uint32 { return ^uint32(key) }

// Score is the score in a key.
func Score(key uint64) float32 {
	bits := uint32(key >> 32)
	bits ^= uint32(^int32(bits)>>31) | 1<<31
	return math.Float32frombits(bits)
}
