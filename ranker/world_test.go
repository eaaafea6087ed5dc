package ranker

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/covisit"
	"github.com/kindred-rec/kindred/ranker/popularity"
)

// A shop of two crowds, like the squares of a checker board: those who buy even
// items never buy odd ones. The vectors of the two lie in planes at right angles.
const boardItems = 40

type vectorTable [][]float32

func (v vectorTable) Vector(item uint32) []float32 {
	if int(item) < len(v) {
		return v[item]
	}
	return nil
}

// exact is the plain search.
type exact struct{ vectors vectorTable }

func (e exact) Nearest(query []float32, limit int, allow []uint64, dst []Scored) []Scored {
	start := len(dst)
	for item, v := range e.vectors {
		if v != nil && len(v) == len(query) && (allow == nil || item/64 < len(allow) && allow[item/64]&(1<<(item%64)) != 0) {
			dst = append(dst, Scored{Item: uint32(item), Score: similarity(query, v)})
		}
	}
	slices.SortFunc(dst[start:], func(a, b Scored) int {
		return order(entry{score: float64(a.Score), item: a.Item}, entry{score: float64(b.Score), item: b.Item})
	})
	return dst[:min(len(dst), start+limit)]
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func boardVectors(items int) vectorTable {
	vectors := make(vectorTable, items)
	for i := range vectors {
		angle := float64(i) / float64(items)
		v := make([]float32, 8)
		v[4*(i%2)], v[4*(i%2)+1] = float32(math.Cos(angle)), float32(math.Sin(angle))
		vectors[i] = v
	}
	return vectors
}

// board is the shop with all its parts.
func board(t testing.TB, items int) (World, *catalog.Table) {
	t.Helper()
	table := must(catalog.New(catalog.Limits{MaxItems: 1 << 16}))
	for i := range uint32(items) {
		if err := table.Put(i, catalog.Item{ID: fmt.Sprint("item-", i), Title: fmt.Sprint("Item ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	vectors := boardVectors(items)
	w := World{
		Catalog: table, Vectors: vectors, Nearest: exact{vectors},
		CoVisited: must(covisit.New(covisit.Options{})),
		Popular:   must(popularity.New(popularity.Options{})),
		Trending:  must(popularity.New(popularity.Options{HalfLife: 24 * 3600e9})),
		Arrivals:  must(popularity.NewArrivals(10)),
	}
	cache := must(NewNeighbourCache(w.Nearest, vectors, items, 30))
	for item := range uint32(items) {
		cache.Neighbours(item)
	}
	w.Neighbours = cache
	for user := range items {
		var trail []covisit.Step
		for k := range 6 {
			item := uint32((user + 2*k) % items)
			step := covisit.Step{Item: item, Weight: 1}
			_ = must(0, w.CoVisited.Add(trail, step))
			_ = must(0, w.Popular.Add(item, 1, 0))
			trail = append(trail, step)
		}
	}
	w.Popular.Publish()
	return w, table
}

func touches(items ...uint32) []Touch {
	out := make([]Touch, len(items))
	for i, item := range items {
		out[i] = Touch{Item: item, Kind: Purchased}
	}
	return out
}

func recommend(t testing.TB, p *Pipeline, req Request) Response {
	t.Helper()
	var res Response
	if err := p.Recommend(&req, &res); err != nil {
		t.Fatal(err)
	}
	return res
}

func itemsOf(list []Ranked) []uint32 {
	out := make([]uint32, len(list))
	for i, x := range list {
		out[i] = x.Item
	}
	return out
}
