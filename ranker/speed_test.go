package ranker

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/covisit"
	"github.com/kindred-rec/kindred/ranker/popularity"
	"github.com/kindred-rec/kindred/ranker/rerank"
)

// sampled stands for an approximate index: it searches a fixed part of the items.
type sampled struct {
	vectors vectorTable
	best    []Scored
}

func (s *sampled) Nearest(_ []float32, limit int, _ []uint64, dst []Scored) []Scored {
	return append(dst, s.best[:min(limit, len(s.best))]...)
}

// bazaar is a shop of random items with a long tail.
func bazaar(tb testing.TB, items, dim int) (*Pipeline, []Request) {
	rng := rand.New(rand.NewPCG(1, uint64(items)))
	table := must(catalog.New(catalog.Limits{MaxItems: uint32(items)}))
	vectors := make(vectorTable, items)
	index := &sampled{vectors: vectors}
	for i := range vectors {
		vectors[i] = unit(rng, dim)
		_ = must(0, table.Put(uint32(i), catalog.Item{ID: fmt.Sprint(i)}))
	}
	draw := func() uint32 { return uint32(float64(items) * math.Pow(rng.Float64(), 2)) }
	for range 130 {
		index.best = append(index.best, Scored{Item: draw(), Score: 0.5})
	}
	world := World{Catalog: table, Vectors: vectors, Nearest: index,
		CoVisited: must(covisit.New(covisit.Options{})), Popular: must(popularity.New(popularity.Options{})),
		Trending: must(popularity.New(popularity.Options{HalfLife: 24 * 3600e9})), Arrivals: must(popularity.NewArrivals(100))}
	cache := must(NewNeighbourCache(index, vectors, items, 30))
	for item := range uint32(items) {
		cache.Neighbours(item)
	}
	world.Neighbours = cache
	trail := make([]covisit.Step, 0, min(20*items, 1<<16))
	for len(trail) < cap(trail) {
		step := covisit.Step{Item: draw(), Weight: 1}
		_ = must(0, world.CoVisited.Add(trail, step))
		_, _ = must(0, world.Popular.Add(step.Item, 1, 0)), must(0, world.Trending.Add(step.Item, 1, int64(len(trail))*1e6))
		trail = append(trail, step)
	}
	requests := make([]Request, 64)
	for i := range requests {
		q := &requests[i]
		q.Limit, q.Seen, q.UserVector, q.Now = 10, HidePurchased, unit(rng, dim), 1e12
		for range 20 {
			q.History = append(q.History, Touch{Item: draw(), Kind: Viewed})
		}
	}
	return must(New(world)), requests
}

func unit(rng *rand.Rand, dim int) []float32 {
	v, sum := make([]float32, dim), 0.0
	for i := range v {
		v[i] = float32(rng.NormFloat64())
		sum += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

func TestRecommendAllocatesNothingInSteadyState(t *testing.T) {
	p, requests := bazaar(t, 500, 32)
	requests[1].Diversity = 0.5
	requests[2].Losers = 5
	requests[3].Seen = HideInteracted
	requests[4].Context = []uint32{3}
	requests[5].Policy = &rerank.Policy{Diversity: 0.4, Explore: rerank.Exploration{Temperature: 1}, Caps: []rerank.Cap{{By: rerank.Brand, Most: 3}},
		Rules: []rerank.Rule{{Name: "pin", Action: rerank.Pin, HasItem: true, Item: 7, Slot: 2}, {Name: "out", Action: rerank.Exclude, HasItem: true, Item: 9}}}
	requests[6].Policy = &rerank.Policy{NewItems: rerank.NewItems{Share: 0.2, MaxImpressions: 3, Method: rerank.Thompson}, Fatigue: rerank.Fatigue{Weight: 1, HalfLife: time.Hour}}
	requests[6].Impressions = []Showing{{Item: 4, Time: 1e12}}
	var res Response
	at := 0
	serve := func() {
		at = (at + 1) % 8
		if err := p.Recommend(&requests[at], &res); err != nil || len(res.Items) != 10 {
			t.Fatal(err, len(res.Items))
		}
	}
	for range 50 {
		serve()
	}
	if got := testing.AllocsPerRun(500, serve); got != 0 {
		t.Errorf("%v allocations a request, want 0", got)
	}
}

func BenchmarkRecommend(b *testing.B) {
	for _, size := range []struct{ items, dim int }{{3459, 256}, {100_000, 256}} {
		p, requests := bazaar(b, size.items, size.dim)
		for _, diversity := range []float32{0, 0.3} {
			b.Run(fmt.Sprintf("items=%d/dim=%d/diversity=%v", size.items, size.dim, diversity), func(b *testing.B) {
				var res Response
				candidates := 0
				b.ReportAllocs()
				for i := range b.N {
					req := &requests[i%len(requests)]
					req.Diversity = diversity
					if err := p.Recommend(req, &res); err != nil || len(res.Items) != 10 || res.Tier != Personalized {
						b.Fatal(err, len(res.Items), res.Tier)
					}
					candidates += res.Candidates
				}
				b.ReportMetric(float64(candidates)/float64(b.N), "candidates/op")
			})
		}
	}
}
