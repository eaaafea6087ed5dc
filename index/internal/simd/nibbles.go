package simd

import "sync/atomic"

// BlockColumns is how many columns a block of nibbles has. A block is a number
// of lines of so many bytes: byte c of line l holds numbers 2l and 2l+1 of
// column c, each below 16, the first in the low half.
const BlockColumns = 64

// SumNibbles sets out[c], for each column of the blocks given, to the sum of
// what its numbers name: tables is a row of 16 bytes for each number. Sums must
// stay below 256. Blocks lie one after the other, as 64-bit words whose lowest
// byte is the first column's; len(out) is BlockColumns for each of them. Words
// are read atomically, as others may be writing them.
func SumNibbles(tables []uint8, blocks []uint64, out []uint8) {
	lines := len(tables) / 32
	count := len(out) / BlockColumns
	if count == 0 || lines == 0 {
		clear(out)
		return
	}
	blocks = blocks[:count*lines*BlockColumns/8]
	if sumNibbles(tables, lines, blocks, count, out) {
		return
	}
	for ; count > 0; count-- {
		clear(out[:BlockColumns])
		for l := range lines {
			sumLine(tables[32*l:32*l+32], blocks[8*l:8*l+8], out)
		}
		blocks, out = blocks[8*lines:], out[BlockColumns:]
	}
}

// sumLine is the portable twin of the kernel's inner loop.
func sumLine(tables []uint8, line []uint64, out []uint8) {
	low, high := (*[16]uint8)(tables), (*[16]uint8)(tables[16:])
	for i := range line {
		word := atomic.LoadUint64(&line[i])
		sums := (*[8]uint8)(out[8*i:])
		for c := range sums {
			sums[c] += low[word&15] + high[word>>4&15]
			word >>= 8
		}
	}
}

// SetColumn writes the numbers of a column of one block: code[l] is its byte in
// line l. It may run beside SumNibbles, and beside SetColumn for other columns.
func SetColumn(block []uint64, column int, code []uint8) {
	shift := 8 * (column % 8)
	for l, b := range code {
		word := &block[8*l+column/8]
		for {
			was := atomic.LoadUint64(word)
			if atomic.CompareAndSwapUint64(word, was, was&^(0xff<<shift)|uint64(b)<<shift) {
				break
			}
		}
	}
}

// Between sets bit i%64 of out[i/64] if low <= values[i] <= high, else clears
// it. len(values) is 64 times len(out), and low is not above high.
func Between(values []uint8, low, high uint8, out []uint64) {
	if len(out) == 0 {
		return
	}
	values = values[:64*len(out)]
	if between(values, low, high-low, out) {
		return
	}
	for w := range out {
		word := uint64(0)
		for i, v := range values[64*w : 64*w+64] {
			if v-low <= high-low {
				word |= 1 << i
			}
		}
		out[w] = word
	}
}
