package indextest

import (
	"math/rand/v2"
	"testing"

	"github.com/kindred-rec/kindred/index"
)

// axis is the unit vector of dimension dim along axis i.
func axis(dim, i int) []float32 {
	v := make([]float32, dim)
	v[i] = 1
	return v
}

func testNearestFirst(t *testing.T, e Engine) {
	x := e.New(t, 4, 100)
	if hits := search(t, x, index.Query{Vector: axis(4, 0), K: 3}); len(hits) != 0 {
		t.Fatalf("an empty index finds %v", hits)
	}
	add(t, x, 70, axis(4, 0))
	add(t, x, 3, unit([]float32{1, 1, 0, 0}))
	add(t, x, 99, axis(4, 1))
	add(t, x, 0, []float32{-1, 0, 0, 0})
	if x.Len() != 4 || x.Dim() != 4 {
		t.Fatalf("Len %d and Dim %d, want 4 and 4", x.Len(), x.Dim())
	}
	hits := search(t, x, index.Query{Vector: axis(4, 0), K: 4})
	want := []index.Hit{{ID: 70, Score: 1}, {ID: 3, Score: .70710677}, {ID: 99, Score: 0}, {ID: 0, Score: -1}}
	for i := range want {
		if len(hits) != 4 || hits[i].ID != want[i].ID || !closeTo(hits[i].Score, want[i].Score) {
			t.Fatalf("hits %v, want %v", hits, want)
		}
	}
}

func testTies(t *testing.T, e Engine) {
	x := e.New(t, 3, 100)
	for _, id := range []uint32{9, 2, 31, 4, 17} {
		add(t, x, id, axis(3, 1))
	}
	hits := search(t, x, index.Query{Vector: axis(3, 1), K: 5})
	for i, id := range []uint32{2, 4, 9, 17, 31} {
		if len(hits) != 5 || hits[i].ID != id {
			t.Fatalf("equal scores come as %v", hits)
		}
	}
}

func testZeroVectors(t *testing.T, e Engine) {
	x := e.New(t, 3, 10)
	add(t, x, 0, axis(3, 0))
	add(t, x, 1, make([]float32, 3))
	add(t, x, 2, []float32{-1, 0, 0})
	hits := search(t, x, index.Query{Vector: axis(3, 0), K: 3})
	if len(hits) != 3 || hits[0].ID != 0 || hits[1] != (index.Hit{ID: 1}) || hits[2].ID != 2 {
		t.Fatalf("a zero vector should score 0, between 1 and -1: %v", hits)
	}
	for i, h := range search(t, x, index.Query{Vector: make([]float32, 3), K: 3}) {
		if h != (index.Hit{ID: uint32(i)}) {
			t.Fatalf("a zero query should score everything 0: place %d is %v", i, h)
		}
	}
}

func testOwnCopy(t *testing.T, e Engine) {
	x := e.New(t, 3, 10)
	v := axis(3, 2)
	add(t, x, 5, v)
	v[2] = -7
	got, ok := x.Vector(5, []float32{42})
	if !ok || len(got) != 4 || got[0] != 42 || got[3] != 1 {
		t.Fatalf("vector of item 5 after 42: %v, %v", got, ok)
	}
	got[3] = 9
	if again, _ := x.Vector(5, nil); again[2] != 1 {
		t.Fatalf("the caller changed the index through what Vector gave: %v", again)
	}
	if got, ok := x.Vector(6, nil); ok || len(got) != 0 {
		t.Fatalf("vector of an absent item: %v", got)
	}
}

func testAppends(t *testing.T, e Engine) {
	x, _ := e.filled(t, Clusters(1, 20, 8))
	before := index.Hit{ID: 1234, Score: 5}
	hits, err := x.Search(index.Query{Vector: axis(8, 0), K: 3}, []index.Hit{before})
	if err != nil || len(hits) != 4 || hits[0] != before {
		t.Fatalf("appended to %v: %v, %v", before, hits, err)
	}
}

func testCompleteness(t *testing.T, e Engine) {
	e.falls(t, Completeness)
	x, o := e.filled(t, Clusters(3, 150, 12))
	q := index.Query{Vector: axis(12, 3), K: 1000}
	hits := search(t, x, q)
	checkHits(t, o, q, hits)
	if len(hits) != 150 {
		t.Fatalf("asked for 1000 of 150 items, found %d", len(hits))
	}
}

// filters are bitmaps that keep about one item in every.
func randomFilter(rng *rand.Rand, n, every int) []uint64 {
	allow := make([]uint64, (n+63)/64)
	for i := range n {
		if rng.IntN(every) == 0 {
			allow[i/64] |= 1 << (i % 64)
		}
	}
	return allow
}

func testFilter(t *testing.T, e Engine) {
	vectors := Clusters(5, 200, 8)
	x, o := e.filled(t, vectors)
	for name, allow := range map[string][]uint64{
		"empty":      {},
		"none":       make([]uint64, 4),
		"short":      {1<<3 | 1<<60},
		"one":        {0, 0, 1 << 9},
		"past items": {0, 0, 0, 0, 0, 0, ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)},
	} {
		q := index.Query{Vector: vectors[7], K: 10, Allow: allow}
		hits := search(t, x, q)
		checkHits(t, o, q, hits)
		if want := len(o.search(q)); len(hits) != want {
			t.Errorf("filter %q: %d hits, want %d", name, len(hits), want)
		}
	}
}

func testRecall(t *testing.T, e Engine) {
	vectors := Clusters(11, 4000, 32)
	x, o := e.filled(t, vectors[:3900])
	e.demandRecall(t, meanRecall(t, x, o, queriesOf(vectors[3900:], 10)))
}

func testFilteredRecall(t *testing.T, e Engine) {
	vectors := Clusters(12, 3100, 32)
	x, o := e.filled(t, vectors[:3000])
	rng := rand.New(rand.NewPCG(3, 4))
	for _, every := range []int{2, 10, 100, 1000} {
		queries := queriesOf(vectors[3000:3050], 10)
		for i := range queries {
			queries[i].Allow = randomFilter(rng, 3000, every)
		}
		e.demandRecall(t, meanRecall(t, x, o, queries))
	}
}

func testAllocations(t *testing.T, e Engine) {
	e.falls(t, NoAllocation)
	if raceEnabled {
		t.Skip("the race detector drops pooled memory at random")
	}
	vectors := Clusters(13, 1000, 24)
	x, _ := e.filled(t, vectors)
	rng := rand.New(rand.NewPCG(5, 6))
	hits := make([]index.Hit, 0, 100)
	for _, allow := range [][]uint64{nil, randomFilter(rng, 1000, 2), randomFilter(rng, 1000, 50)} {
		q := index.Query{Vector: vectors[5], K: 100, Allow: allow}
		n := testing.AllocsPerRun(200, func() {
			if _, err := x.Search(q, hits[:0]); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("a search allocates %v times", n)
		}
	}
}
