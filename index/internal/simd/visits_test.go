package simd

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

func TestUnseenFiltersLikeASet(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		var v Visits
		block := make([]byte, 130*8)
		table := &Table{Chunks: []unsafe.Pointer{unsafe.Pointer(&block[0])}, Shift: 31, Stride: 8}
		rng := rand.New(rand.NewPCG(6, 6))
		for range 600 { // past the point where marks are cleared
			v.Begin(100)
			seen := map[uint32]bool{}
			for range 4 {
				links, out := make([]uint32, 1+rng.IntN(32)), make([]uint32, 32)
				var want []uint32
				for i, id := range rng.Perm(130)[:len(links)] { // some beyond the marks
					links[i] = uint32(id)
				}
				used := rng.IntN(len(links) + 1)
				if used < len(links) {
					links[used] = NoLink
				}
				for _, id := range links[:used] {
					if !seen[id] && int(id) < v.Len() {
						want = append(want, id)
					}
					seen[id] = true
				}
				n := v.Unseen(links, out, table, nil)
				if n != len(want) {
					t.Fatalf("%d unseen of %v, want %v", n, links, want)
				}
				for i := range want {
					if out[i] != want[i] {
						t.Fatalf("unseen %v, want %v", out[:n], want)
					}
				}
			}
		}
	})
}
