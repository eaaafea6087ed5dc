package lexical

import (
	"encoding/binary"
	"iter"
)

// arena keeps short lists of numbers in large blocks: a header of its own for each
// would take more than the list. Lists are not taken out; compaction leaves them
// behind.
type arena struct {
	blocks [][]byte
	size   int64
}

// A place is a block's number and an offset within: 2^16 blocks of 2^16 bytes, which
// Config.MaxBytes keeps to.
const (
	blockBytes = 1 << 16
	placeBits  = 16
)

// add stores numbers, ascending, and returns their place. A list is at most a document's
// words: a few thousand.
func (a *arena) add(numbers []uint32) (place uint32) {
	longest := (len(numbers) + 1) * binary.MaxVarintLen32
	last := len(a.blocks) - 1
	if last < 0 || len(a.blocks[last])+longest > blockBytes {
		a.blocks = append(a.blocks, make([]byte, 0, max(blockBytes, longest)))
		a.size += int64(max(blockBytes, longest))
		last++
	}
	b := a.blocks[last]
	place = uint32(last)<<placeBits | uint32(len(b))
	b = binary.AppendUvarint(b, uint64(len(numbers)))
	var before uint32
	for _, n := range numbers {
		b = binary.AppendUvarint(b, uint64(n-before))
		before = n
	}
	a.blocks[last] = b
	return place
}

// all yields the numbers at a place, ascending.
func (a *arena) all(place uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		b := a.blocks[place>>placeBits][place&(1<<placeBits-1):]
		count, k := binary.Uvarint(b)
		var number uint32
		for ; count > 0; count-- {
			b = b[k:]
			var step uint64
			step, k = binary.Uvarint(b)
			number += uint32(step)
			if !yield(number) {
				return
			}
		}
	}
}
