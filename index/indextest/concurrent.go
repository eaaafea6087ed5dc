package indextest

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/kindred-rec/kindred/index"
)

const (
	writers      = 3
	searchers    = 3
	stableItems  = 300 // never written during the test
	churnedItems = 300 // split among the writers
	versions     = 4   // vectors that one churned item takes in turn
)

// testConcurrent writes and searches at once. Every hit must be an item's
// vector of some version, whole: a mixture of two would score as neither.
// Afterwards the index must equal what the writers left.
func testConcurrent(t *testing.T, e Engine) {
	const dim = 16
	vectors := Clusters(31, stableItems+churnedItems*versions+50, dim)
	version := func(id uint32, n int) []float32 {
		if id < stableItems {
			return vectors[id]
		}
		return vectors[stableItems+int(id-stableItems)*versions+n]
	}
	x := e.New(t, dim, stableItems+churnedItems)
	for id := range uint32(stableItems) {
		add(t, x, id, version(id, 0))
	}
	var writing, searching sync.WaitGroup
	done := make(chan struct{})
	left := make([]oracle, writers)
	for w := range writers {
		writing.Go(func() { left[w] = churn(t, x, w, version) })
	}
	queries := vectors[len(vectors)-50:]
	for s := range searchers {
		searching.Go(func() { searchUntil(t, x, s, queries, version, done) })
	}
	writing.Wait()
	close(done)
	searching.Wait()

	all := oracle{}
	for id := range uint32(stableItems) {
		all[id] = version(id, 0)
	}
	for _, o := range left {
		for id, v := range o {
			all[id] = v
		}
	}
	if x.Len() != len(all) {
		t.Fatalf("%d items after the writers are done, want %d", x.Len(), len(all))
	}
	e.demandRecall(t, meanRecall(t, x, all, queriesOf(queries, 10)))
}

// churn writes to the items of writer w, checks every answer, and returns what
// it leaves.
func churn(t *testing.T, x index.Index, w int, version func(uint32, int) []float32) oracle {
	rng, left := rand.New(rand.NewPCG(uint64(w), 1)), oracle{}
	for range 1500 {
		id := uint32(stableItems + w + writers*rng.IntN(churnedItems/writers))
		v := version(id, rng.IntN(versions))
		var err error
		switch _, present := left[id]; {
		case !present:
			err = x.Add(id, v)
			left[id] = v
		case rng.IntN(2) == 0:
			err = x.Update(id, v)
			left[id] = v
		default:
			err = x.Delete(id)
			delete(left, id)
		}
		if err != nil {
			t.Errorf("writer %d, item %d: %v", w, id, err)
			return left
		}
	}
	return left
}

func searchUntil(t *testing.T, x index.Index, s int, queries [][]float32, version func(uint32, int) []float32, done <-chan struct{}) {
	rng := rand.New(rand.NewPCG(uint64(s), 2))
	var hits []index.Hit
	for {
		select {
		case <-done:
			return
		default:
		}
		q := index.Query{Vector: queries[rng.IntN(len(queries))], K: 1 + rng.IntN(20)}
		if rng.IntN(3) == 0 {
			q.Allow = randomFilter(rng, stableItems+churnedItems, 3)
		}
		var err error
		if hits, err = x.Search(q, hits[:0]); err != nil {
			t.Errorf("search: %v", err)
			return
		}
		if !honest(t, q, hits, version) {
			return
		}
	}
}

// honest reports whether hits could be an answer at some moment.
func honest(t *testing.T, q index.Query, hits []index.Hit, version func(uint32, int) []float32) bool {
	seen := map[uint32]bool{}
	for _, h := range hits {
		whole := false
		for n := range versions {
			whole = whole || closeTo(h.Score, float32(innerProduct(q.Vector, version(h.ID, n))))
		}
		if seen[h.ID] || !whole || !q.Allows(h.ID) {
			t.Errorf("item %d with score %v: repeated %v, of one version %v, allowed %v", h.ID, h.Score, seen[h.ID], whole, q.Allows(h.ID))
			return false
		}
		seen[h.ID] = true
	}
	if !slices.IsSortedFunc(hits, compareHits) {
		t.Errorf("hits out of order: %v", hits)
		return false
	}
	return true
}
