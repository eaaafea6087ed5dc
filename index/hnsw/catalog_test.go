package hnsw_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/flat"
)

// catalog is clustered unit vectors, and queries drawn from the same clusters.
type catalog struct {
	dim              int
	vectors, queries [][]float32
	cluster          []int // of each vector
	home             []int // cluster of each query
	centres          [][]float32
	exact            *flat.Index
}

func drawCatalog(items, dim, clusters, queries int) *catalog {
	rng := rand.New(rand.NewPCG(1, 2))
	c := &catalog{dim: dim}
	for range clusters {
		c.centres = append(c.centres, c.normal(rng))
	}
	draw := func(n int) (rows [][]float32, cluster []int) {
		for range n {
			at := rng.IntN(clusters)
			v := c.normal(rng)
			for i, x := range c.centres[at] {
				v[i] = 1.3*v[i] + x
			}
			rows, cluster = append(rows, unit(v)), append(cluster, at)
		}
		return rows, cluster
	}
	c.vectors, c.cluster = draw(items)
	c.queries, c.home = draw(queries)
	c.exact, _ = flat.New(flat.Config{Dim: dim, MaxItems: items}) // the configuration is right
	for i, v := range c.vectors {
		_ = c.exact.Add(uint32(i), v) // and so are the vectors
	}
	return c
}

func (c *catalog) normal(rng *rand.Rand) []float32 {
	v := make([]float32, c.dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func unit(v []float32) []float32 {
	sum := product(v, v)
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

func product(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// recall is of the 10 best for each query under its bitmap.
func (c *catalog) recall(t testing.TB, x index.Index, effort int, bitmaps [][]uint64) float64 {
	t.Helper()
	return c.recallOf(t, x, effort, bitmaps, c.truth(t, bitmaps))
}

// truth is the 10 best for each query under its bitmap.
func (c *catalog) truth(t testing.TB, bitmaps [][]uint64) (best [][]index.Hit) {
	t.Helper()
	for i, v := range c.queries {
		hits, err := c.exact.Search(index.Query{Vector: v, K: 10, Allow: bitmaps[i]}, nil)
		if err != nil {
			t.Fatal(err)
		}
		best = append(best, hits)
	}
	return best
}

func (c *catalog) recallOf(t testing.TB, x index.Index, effort int, bitmaps [][]uint64, truth [][]index.Hit) float64 {
	t.Helper()
	held, total := 0, 0
	for i, v := range c.queries {
		got, err := x.Search(index.Query{Vector: v, K: 10, Effort: effort, Allow: bitmaps[i]}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(truth[i]) {
			t.Fatalf("query %d: %d hits, there are %d", i, len(got), len(truth[i]))
		}
		total += len(got)
		for _, h := range got {
			if slices.ContainsFunc(truth[i], func(w index.Hit) bool { return w.ID == h.ID }) {
				held++
			}
		}
	}
	return float64(held) / float64(total)
}

// A filter is the bitmap of each query.
type filter struct {
	name   string
	bitmap func(c *catalog, query int, share float64) []uint64
}

// filters keep a share of the items: at random, or of whole clusters: those
// nearest to the query, any but its own, or those farthest from it. The last two
// leave nothing near the query.
var filters = []filter{
	{"random", func(c *catalog, query int, share float64) []uint64 {
		rng := rand.New(rand.NewPCG(3, uint64(query)))
		return c.bitmap(func(int) bool { return rng.Float64() < share })
	}},
	{"near", func(c *catalog, query int, share float64) []uint64 {
		return c.keepClusters(c.nearest(query), share)
	}},
	{"elsewhere", func(c *catalog, query int, share float64) []uint64 {
		order := rand.New(rand.NewPCG(4, uint64(query))).Perm(len(c.centres))
		return c.keepClusters(slices.DeleteFunc(order, func(at int) bool { return at == c.home[query] }), share)
	}},
	{"far", func(c *catalog, query int, share float64) []uint64 {
		order := c.nearest(query)
		slices.Reverse(order)
		return c.keepClusters(order, share)
	}},
}

func (f filter) bitmaps(c *catalog, share float64) (of [][]uint64) {
	for query := range c.queries {
		of = append(of, f.bitmap(c, query, share))
	}
	return of
}

func (c *catalog) bitmap(keep func(item int) bool) []uint64 {
	words := make([]uint64, (len(c.vectors)+63)/64)
	for i := range c.vectors {
		if keep(i) {
			words[i/64] |= 1 << (i % 64)
		}
	}
	return words
}

// nearest is the clusters in the order of nearness to a query.
func (c *catalog) nearest(query int) []int {
	order := make([]int, len(c.centres))
	near := make([]float64, len(c.centres))
	for i, centre := range c.centres {
		order[i] = i
		near[i] = product(centre, c.queries[query]) / math.Sqrt(product(centre, centre))
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(near[b], near[a]) })
	return order
}

// keepClusters keeps the items of the first clusters in order, at least one.
func (c *catalog) keepClusters(order []int, share float64) []uint64 {
	kept := make([]bool, len(c.centres))
	for _, at := range order[:max(1, int(share*float64(len(c.centres))))] {
		kept[at] = true
	}
	return c.bitmap(func(i int) bool { return kept[c.cluster[i]] })
}
