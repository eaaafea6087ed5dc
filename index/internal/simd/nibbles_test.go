package simd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// nibbles is count blocks of the given lines, and the numbers of each column.
func nibbles(rng *rand.Rand, lines, count int) (blocks []uint64, columns [][]uint8) {
	blocks = make([]uint64, count*lines*BlockColumns/8)
	for i := range blocks {
		blocks[i] = rng.Uint64() // to be overwritten, all of it
	}
	for c := range count * BlockColumns {
		code := make([]uint8, lines)
		for l := range code {
			code[l] = uint8(rng.Uint32())
		}
		block := blocks[c/BlockColumns*lines*BlockColumns/8:]
		SetColumn(block[:lines*BlockColumns/8], c%BlockColumns, code)
		columns = append(columns, code)
	}
	return blocks, columns
}

func TestSumNibblesLooksUpEveryNumber(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(8, 8))
		for lines := range 14 {
			for _, count := range []int{0, 1, 2, 7} {
				blocks, columns := nibbles(rng, lines, count)
				tables := make([]uint8, 32*lines)
				for i := range tables {
					tables[i] = uint8(rng.IntN(255/max(1, 2*lines) + 1))
				}
				out := make([]uint8, count*BlockColumns)
				for i := range out {
					out[i] = 99 // what was there before does not count
				}
				SumNibbles(tables, blocks, out)
				for c, code := range columns {
					want := uint8(0)
					for l, b := range code {
						want += tables[32*l+int(b&15)] + tables[32*l+16+int(b>>4)]
					}
					if out[c] != want {
						t.Fatalf("%d lines, %d blocks, column %d: %d, want %d", lines, count, c, out[c], want)
					}
				}
			}
		}
	})
}

func TestColumnsAreSetSideBySide(t *testing.T) {
	const lines = 3
	block := make([]uint64, lines*BlockColumns/8)
	tables, out := make([]uint8, 32*lines), make([]uint8, BlockColumns)
	tables[5] = 7 // in line 0, of the low half
	var all sync.WaitGroup
	for c := range BlockColumns {
		all.Go(func() {
			SetColumn(block, c, []uint8{15, 15, 15})
			SetColumn(block, c, []uint8{5, uint8(c), 0})
		})
	}
	SumNibbles(tables, block, out) // sees some of them
	all.Wait()
	SumNibbles(tables, block, out)
	if slices.Min(out) != 7 || slices.Max(out) != 7 {
		t.Errorf("columns set at once: sums %v, want 7 everywhere", out)
	}
}

func TestBetweenIsACompare(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(9, 9))
		values, out := make([]uint8, 64*5), make([]uint64, 5)
		for i := range values {
			values[i] = uint8(rng.Uint32())
		}
		for range 2000 {
			low := uint8(rng.Uint32())
			high := low + uint8(rng.IntN(256-int(low)))
			Between(values, low, high, out)
			for i, v := range values {
				if got, want := out[i/64]>>(i%64)&1 == 1, low <= v && v <= high; got != want {
					t.Fatalf("%d in %d to %d: %v", v, low, high, got)
				}
			}
		}
		Between(values, 0, 255, out[:0])
	})
}

func BenchmarkSumNibbles(b *testing.B) {
	rng := rand.New(rand.NewPCG(8, 8))
	const lines = 12 // of a vector of 128 elements
	for _, columns := range []int{1 << 14, 1 << 18} {
		b.Run(fmt.Sprintf("columns=%d", columns), func(b *testing.B) {
			blocks, _ := nibbles(rng, lines, columns/BlockColumns)
			tables, out := make([]uint8, 32*lines), make([]uint8, columns)
			b.ReportAllocs()
			for b.Loop() {
				SumNibbles(tables, blocks, out)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(columns), "ns/column")
		})
	}
}
