package topk

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type hit struct {
	id    uint32
	score float32
}

func TestKeepsTheBestLikeASort(t *testing.T) {
	var h Heap[uint64]
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 40).Draw(t, "k")
		// Few distinct scores, so that ties are common.
		scores := rapid.SliceOf(rapid.SampledFrom([]float32{-3, -1e-30, float32(math.Copysign(0, -1)), 0, .5, 1, 1e30})).Draw(t, "scores")
		var all []hit
		h.Reset(k)
		for i, s := range scores {
			all = append(all, hit{uint32(i), s})
			h.Offer(Key(s, uint32(i)))
		}
		slices.SortStableFunc(all, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
		got := h.Descending()
		if len(got) != min(k, len(all)) {
			t.Fatalf("kept %d of %d with k=%d", len(got), len(all), k)
		}
		for i, key := range got {
			if ID(key) != all[i].id || Score(key) != all[i].score {
				t.Fatalf("place %d: item %d scoring %v, want %v", i, ID(key), Score(key), all[i])
			}
		}
	})
}

func TestKeysOrderAsScoresDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Float32().Draw(t, "a"), rapid.Float32().Draw(t, "b")
		if Score(Key(a, 9)) != a || ID(Key(a, 9)) != 9 {
			t.Fatalf("score %v comes back as %v", a, Score(Key(a, 9)))
		}
		if want := cmp.Compare(a, b); want != cmp.Compare(Key(a, 1), Key(b, 1)) {
			t.Fatalf("keys of %v and %v order differently", a, b)
		}
	})
}

func BenchmarkOffer(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	keys := make([]uint64, 3459)
	for i := range keys {
		keys[i] = Key(float32(rng.NormFloat64()), uint32(i))
	}
	var h Heap[uint64]
	b.ReportAllocs()
	for b.Loop() {
		h.Reset(200)
		for _, key := range keys {
			h.Offer(key)
		}
		if len(h.Descending()) != 200 {
			b.Fatal("lost some")
		}
	}
}
