package hnsw_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/hnsw"
	"github.com/kindred-rec/kindred/index/indextest"
)

// Half of the items go and come back, over and over, while others search:
// recall stays that of a fresh build.
func TestChurnKeepsRecall(t *testing.T) {
	const n = 2000
	vectors := indextest.Clusters(51, n+200, 24)
	cfg := hnsw.Config{Dim: 24, MaxItems: n, Seed: 1}
	x := built(t, cfg, 0, vectors[:n])
	fresh := recallOf(t, x, vectors[n:], 20)
	var stop atomic.Bool
	var searching sync.WaitGroup
	for i := range 2 {
		searching.Go(func() {
			var hits []index.Hit
			for j := i; !stop.Load(); j++ {
				var err error
				if hits, err = x.Search(index.Query{Vector: vectors[n+j%200], K: 10, Effort: 20}, hits[:0]); err != nil || len(hits) != 10 {
					t.Errorf("%d hits, %v", len(hits), err)
					return
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 3 {
		half := rng.Perm(n)[:n/2]
		for _, id := range half {
			if err := x.Delete(uint32(id)); err != nil {
				t.Fatal(err)
			}
		}
		rng.Shuffle(len(half), func(i, j int) { half[i], half[j] = half[j], half[i] })
		for _, id := range half {
			if err := x.Add(uint32(id), vectors[id]); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop.Store(true)
	searching.Wait()
	if r := recallOf(t, x, vectors[n:], 20); r < fresh-.01 {
		t.Errorf("recall %.4f after churn, %.4f before", r, fresh)
	}
}

func TestMemoryOfDeletedItemsIsUsedAgain(t *testing.T) {
	const n = 800
	vectors := indextest.Clusters(52, n, 16)
	x := built(t, hnsw.Config{Dim: 16, MaxItems: n, Seed: 1}, 0, vectors)
	before := x.Stats()
	for round := range 6 {
		for id := range uint32(n) {
			if err := x.Update(id, vectors[(int(id)+round)%n]); err != nil {
				t.Fatal(err)
			}
		}
	}
	after := x.Stats()
	if after.VectorBytes > before.VectorBytes*3/2 || after.LinkBytes > before.LinkBytes*3/2 {
		t.Errorf("6 updates of everything: %d and %d bytes became %d and %d", before.VectorBytes, before.LinkBytes, after.VectorBytes, after.LinkBytes)
	}
	if after.Deleted == 0 {
		t.Error("nothing is dead right after updates: what is reclaimed here?")
	}
	x.Reclaim()
	if s := x.Stats(); s.Deleted != 0 || s.Items != n {
		t.Errorf("after Reclaim: %+v", s)
	}
}

// The nearest hundred of a query vanish at once, which leaves the walk in a
// place where everything is dead.
func TestWholeNeighbourhoodDeleted(t *testing.T) {
	const n = 2500
	vectors := indextest.Clusters(53, n, 16)
	x := built(t, hnsw.Config{Dim: 16, MaxItems: n, Seed: 1}, 0, vectors)
	q := index.Query{Vector: vectors[9], K: 300, Effort: 300}
	near, err := x.Search(q, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range near {
		if err := x.Delete(h.ID); err != nil {
			t.Fatal(err)
		}
	}
	q.K, q.Effort = 10, 20
	if hits, err := x.Search(q, nil); err != nil || len(hits) != 10 || hits[0].Score > near[len(near)-1].Score {
		t.Errorf("%v, %v; all above %v are deleted", hits, err, near[len(near)-1].Score)
	}
	for _, h := range near { // and come back into a neighbourhood of the dead
		if err := x.Add(h.ID, vectors[h.ID]); err != nil {
			t.Fatal(err)
		}
	}
	if r := recallOf(t, x, vectors[:100], 40); r < .95 {
		t.Errorf("recall %.3f after they came back", r)
	}
}

// More callers than walks: they wait for each other and all get their turn.
func TestWalksAreBounded(t *testing.T) {
	vectors := indextest.Clusters(54, 500, 8)
	x := built(t, hnsw.Config{Dim: 8, MaxItems: 500, Walks: 2}, 8, vectors)
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			hits, err := x.Search(index.Query{Vector: vectors[i], K: 1}, nil)
			if err != nil || len(hits) != 1 || hits[0].ID != uint32(i) {
				t.Errorf("item %d: %v, %v", i, hits, err)
			}
		})
	}
	all.Wait()
	if s := x.Stats(); s.OtherBytes > 20_000 {
		t.Errorf("two walks over 500 nodes take %d bytes", s.OtherBytes)
	}
}
