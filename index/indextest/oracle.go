package indextest

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kindred-rec/kindred/index"
)

// oracle is the dumb twin: a map, searched by a loop in float64.
type oracle map[uint32][]float32

func (o oracle) search(q index.Query) []index.Hit {
	var hits []index.Hit
	for id, v := range o {
		if q.Allows(id) {
			hits = append(hits, index.Hit{ID: id, Score: float32(innerProduct(q.Vector, v))})
		}
	}
	slices.SortFunc(hits, compareHits)
	return hits[:min(q.K, len(hits))]
}

func compareHits(a, b index.Hit) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID))
}

func innerProduct(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// closeTo allows for float32 rounding in sums of unit vectors.
func closeTo(a, b float32) bool { return math.Abs(float64(a)-float64(b)) < 1e-5 }

// Clusters draws unit vectors around centres, as catalogs are: n vectors of
// dim elements, seeded.
func Clusters(seed uint64, n, dim int) [][]float32 {
	rng := rand.New(rand.NewPCG(seed, 7))
	centres := make([][]float32, 20)
	for i := range centres {
		centres[i] = gauss(rng, dim)
	}
	vectors := make([][]float32, n)
	for i := range vectors {
		v := gauss(rng, dim)
		for j, c := range centres[rng.IntN(len(centres))] {
			v[j] += c
		}
		vectors[i] = unit(v)
	}
	return vectors
}

func gauss(rng *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func unit(v []float32) []float32 {
	norm := float32(math.Sqrt(innerProduct(v, v)))
	for i := range v {
		v[i] /= norm
	}
	return v
}

// filled is an index of vectors numbered from 0, and its oracle.
func (e Engine) filled(t testing.TB, vectors [][]float32) (index.Index, oracle) {
	t.Helper()
	x, o := e.New(t, len(vectors[0]), 2*len(vectors)), oracle{}
	for i, v := range vectors {
		add(t, x, uint32(i), v)
		o[uint32(i)] = v
	}
	return x, o
}

func add(t testing.TB, x index.Index, id uint32, v []float32) {
	t.Helper()
	if err := x.Add(id, v); err != nil {
		t.Fatalf("adding item %d: %v", id, err)
	}
}

func search(t testing.TB, x index.Index, q index.Query) []index.Hit {
	t.Helper()
	hits, err := x.Search(q, nil)
	if err != nil {
		t.Fatalf("search for %d: %v", q.K, err)
	}
	return hits
}

// failer is what testing.TB and rapid.T share.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkHits fails unless hits are an honest answer: items that are present and
// allowed, truly scored, in order, each once.
func checkHits(t failer, o oracle, q index.Query, hits []index.Hit) {
	t.Helper()
	if len(hits) > q.K {
		t.Fatalf("%d hits for K = %d", len(hits), q.K)
	}
	if !slices.IsSortedFunc(hits, compareHits) {
		t.Fatalf("hits out of order: %v", hits)
	}
	seen := map[uint32]bool{}
	for _, h := range hits {
		v, ok := o[h.ID]
		switch {
		case !ok:
			t.Fatalf("found item %d, which is not present", h.ID)
		case !q.Allows(h.ID):
			t.Fatalf("found item %d, which is not allowed", h.ID)
		case seen[h.ID]:
			t.Fatalf("found item %d twice", h.ID)
		case !closeTo(h.Score, float32(innerProduct(q.Vector, v))):
			t.Fatalf("item %d scores %v, want %v", h.ID, h.Score, innerProduct(q.Vector, v))
		}
		seen[h.ID] = true
	}
}

// recall is the share of the exact answer's items that hits hold, counting a
// hit as good as the worst of them as held: ties have many exact answers.
func recall(exact, hits []index.Hit) float64 {
	if len(exact) == 0 {
		return 1
	}
	worst := exact[len(exact)-1].Score
	held := 0
	for _, h := range hits {
		if h.Score >= worst-1e-6 {
			held++
		}
	}
	return float64(min(held, len(exact))) / float64(len(exact))
}

// meanRecall searches for all queries, checks every answer, and averages.
func meanRecall(t testing.TB, x index.Index, o oracle, queries []index.Query) float64 {
	t.Helper()
	sum := 0.
	for _, q := range queries {
		hits := search(t, x, q)
		checkHits(t, o, q, hits)
		sum += recall(o.search(q), hits)
	}
	return sum / float64(len(queries))
}

// demandRecall holds the engine to what it promises.
func (e Engine) demandRecall(t testing.TB, got float64) {
	t.Helper()
	want := requiredRecall
	why, falls := e.Falls[Recall]
	switch {
	case e.Exact:
		want = 1
	case falls:
		want = e.RecallFloor
		t.Logf("%s falls short of %s: %s; here %.3f of the required %.2f", e.Name, Recall, why, got, requiredRecall)
	}
	if got < want {
		t.Fatalf("recall %.4f, want at least %.2f", got, want)
	}
}

func queriesOf(vectors [][]float32, k int) []index.Query {
	queries := make([]index.Query, len(vectors))
	for i, v := range vectors {
		queries[i] = index.Query{Vector: v, K: k}
	}
	return queries
}
