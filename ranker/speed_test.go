package ranker

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/ranker/conversion"
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

func TestAllFeaturesAllocateNothingInSteadyState(t *testing.T) {
	p, requests := fullBazaar(t, 600, 32)
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
	for f, x := range res.Items[0].Features {
		if f := Feature(f); x == 0 && (f == Hour || f == Surface || f == Age || f == PriceDistance || f == SpaceSimilarity) {
			t.Errorf("%v is 0: the bazaar does not have it", f)
		}
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

// fullBazaar is a bazaar whose every feature has something to say: rows with prices, labels,
// stock and dates, rates, impressions, a space of the users' own, and 500 candidates.
func fullBazaar(tb testing.TB, items, dim int) (*Pipeline, []Request) {
	p, requests := bazaar(tb, items, dim)
	rng := rand.New(rand.NewPCG(2, uint64(items)))
	world := p.world
	table := world.Catalog.(*catalog.Table)
	space := make(vectorTable, items)
	world.UserSpace = space
	world.Conversion = must(conversion.New(conversion.Options{}))
	for i := range uint32(items) {
		space[i] = unit(rng, 64)
		item := catalog.Item{ID: fmt.Sprint(i), Price: new(1 + 50*rng.Float64()), Brand: fmt.Sprint("brand ", rng.IntN(300)), Created: 1e12 - rng.Int64N(1e12),
			Categories: []string{fmt.Sprintf("aisle %d > shelf %d", i%9, i%90)}}
		for range 4 {
			item.Tags = append(item.Tags, fmt.Sprint("tag ", rng.IntN(1000)))
		}
		if i%10 == 0 {
			item.Stock = new(rng.Int64N(50) + 1)
		}
		_ = must(0, table.Put(i, item))
		for act := range conversion.Acts {
			_ = must(0, world.Conversion.Add(i, act, 1e12))
		}
	}
	for i := range requests {
		q := &requests[i]
		q.Candidates, q.Surface, q.UserVector = []uint32{}, "home", unit(rng, 64)
		for range 60 {
			q.Impressions = append(q.Impressions, Showing{Item: rng.Uint32N(uint32(items))})
		}
		for len(q.Candidates) < 500 {
			if item := uint32(float64(items) * math.Pow(rng.Float64(), 2)); !slices.Contains(q.Candidates, item) {
				q.Candidates = append(q.Candidates, item)
			}
		}
	}
	return must(New(world)), requests
}

// BenchmarkFeatures is all features of 500 candidates and the linear model, nothing else, on
// one core; passes is how many times as long it takes as reading, once, what is compared:
// the candidates' vectors in both spaces.
func BenchmarkFeatures(b *testing.B) {
	for _, items := range []int{3459, 100_000} {
		b.Run(fmt.Sprintf("items=%d/dim=256/candidates=500", items), func(b *testing.B) {
			p, requests := fullBazaar(b, items, 256)
			runs := make([]*run, 16)
			for i := range runs {
				runs[i] = p.scratch()
				runs[i].begin(p, &requests[i])
				runs[i].retrieve()
				if n := len(runs[i].candidates); n < 450 {
					b.Fatal(n, "candidates")
				}
				runs[i].score()
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				runs[i%len(runs)].score()
			}
			mine := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			b.ReportMetric(mine/passOver(runs), "passes")
		})
	}
}

// passOver is the time, in nanoseconds, of one reading of the candidates' vectors.
func passOver(runs []*run) float64 {
	const rounds = 200
	sum, start := float32(0), time.Now()
	for k := range rounds {
		r := runs[k%len(runs)]
		for i := range r.candidates {
			for _, v := range [2][]float32{r.world.Vectors.Vector(r.candidates[i].item), r.world.UserSpace.Vector(r.candidates[i].item)} {
				for at := 0; at < len(v); at += 16 { // one number a cache line
					sum += v[at]
				}
			}
		}
	}
	if sum == 0 {
		return 0
	}
	return float64(time.Since(start).Nanoseconds()) / rounds
}
