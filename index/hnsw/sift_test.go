package hnsw

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/indextest"
)

func sifted(t *testing.T, n, dim int, storage Storage) (*Index, [][]float32) {
	t.Helper()
	vectors := indextest.Clusters(81, n, dim)
	x, err := New(Config{Dim: dim, MaxItems: n, M: 8, EfConstruction: 20, Seed: 1, Storage: storage, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Build(t.Context(), n, 0, func(id uint32) []float32 { return vectors[id] }); err != nil {
		t.Fatal(err)
	}
	return x, vectors
}

// siftRecall asks by sift alone, for queries that point away from all items, so
// that the best are scattered.
func siftRecall(t *testing.T, x *Index, vectors [][]float32) (recall float64, scored int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(8, 2))
	const queries, k = 40, 10
	held := 0
	for range queries {
		v := slices.Clone(vectors[rng.IntN(len(vectors))])
		for i := range v {
			v[i] = -v[i]
		}
		q := index.Query{Vector: v, K: k, Allow: make([]uint64, (len(vectors)+63)/64)}
		for i := range q.Allow {
			q.Allow[i] = rng.Uint64()
		}
		s := x.pool.begin()
		x.space.ask(&s.query, v)
		want := x.scan(s, q, k, 40, nil)
		got := x.sift(s, q, k, 40, nil)
		scored += int(s.forecast.n)
		x.pool.end(s)
		if len(got) != k {
			t.Fatalf("%d hits", len(got))
		}
		for _, h := range got {
			if slices.Contains(want, h) {
				held++
			}
		}
	}
	return float64(held) / (queries * k), scored / queries
}

func TestSiftFindsTheScattered(t *testing.T) {
	for _, storage := range []Storage{Float32, Int8} {
		for _, dim := range []int{5, 32, 100} {
			x, vectors := sifted(t, 5000, dim, storage)
			if r, _ := siftRecall(t, x, vectors); r < .95 {
				t.Errorf("%v, dimension %d: recall %.3f", storage, dim, r)
			}
		}
	}
}

// Codes that say nothing about their items cost time, not recall.
func TestSiftSurvivesBadCodes(t *testing.T) {
	x, vectors := sifted(t, 5000, 32, Float32)
	_, with := siftRecall(t, x, vectors)
	k := x.sketches.ready.Load()
	for id := range vectors {
		if err := k.put(uint32(id), vectors[(id*7+13)%len(vectors)]); err != nil {
			t.Fatal(err)
		}
	}
	r, without := siftRecall(t, x, vectors)
	if r < .95 || without <= with {
		t.Errorf("recall %.3f; %d items looked at closely, %d with good codes", r, without, with)
	}
}

func TestEveryItemHasItsCodeHoweverItCame(t *testing.T) {
	const n = retrain*minSketch + 500
	vectors := indextest.Clusters(82, n, 4)
	x, err := New(Config{Dim: 4, MaxItems: n, M: 4, EfConstruction: 8, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	trained := []int{}
	for id, v := range vectors {
		if err := x.Add(uint32(id), v); err != nil {
			t.Fatal(err)
		}
		if k := x.sketches.ready.Load(); k != nil && !slices.Contains(trained, k.trained) {
			trained = append(trained, k.trained)
		}
		if id%3 == 0 {
			other := uint32(id / 2)
			vectors[other] = vectors[id]
			if err := x.Update(other, vectors[other]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !slices.Equal(trained, []int{minSketch, retrain * minSketch}) {
		t.Errorf("codes were made at %v items", trained)
	}
	k := x.sketches.ready.Load()
	tables := make([]uint8, codewords*k.parts())
	for p := range k.parts() { // a table that adds up to the code of one part
		for w := range codewords {
			clear(tables)
			tables[codewords*p+w] = 1
			s := &scratch{tables: tables}
			x.sumCodes(s, k, (n+63)/64)
			for id, v := range vectors {
				want := k.nearest(p, v[k.edges[p]:k.edges[p+1]]) == w
				if got := s.sums[id] == 1; got != want {
					t.Fatalf("item %d, part %d: centroid %d is %v in its code, want %v", id, p, w, got, want)
				}
			}
		}
	}
}

func TestTablesAddUpToProducts(t *testing.T) {
	for _, dim := range []int{1, 2, 13, 128, 700} {
		vectors := indextest.Clusters(83, 1000, dim)
		z := newQuantizer(dim, floatSketch)
		z.train(vectors, 1)
		tables, _, ok := z.tabulate(vectors[7], nil, nil)
		if !ok || len(tables) != codewords*z.parts() {
			t.Fatalf("dimension %d: %v, %d entries", dim, ok, len(tables))
		}
		var f forecast
		for _, v := range vectors {
			sum := 0
			for i, b := range z.encode(v, nil) {
				sum += int(tables[2*codewords*i+int(b&15)]) + int(tables[2*codewords*i+codewords+int(b>>4)])
			}
			if sum > math.MaxUint8 {
				t.Fatalf("dimension %d: a sum of %d", dim, sum)
			}
			score := float32(0)
			for i := range v {
				score += v[i] * vectors[7][i]
			}
			f.learn([]uint8{uint8(sum)}, []float32{score})
		}
		spread := math.Sqrt(f.yy/f.n - f.y/f.n*f.y/f.n)
		if l, ok := f.line(); !ok || l.deviation > .8*spread {
			t.Errorf("dimension %d: sums leave %.3f of scores that spread by %.3f", dim, l.deviation, spread)
		}
	}
	if _, _, ok := newQuantizer(8, floatSketch).tabulate(make([]float32, 8), nil, nil); ok {
		t.Error("a table of a query that says nothing")
	}
}

// Scores drawn about a line: below the level that is reached, few of the best.
func TestForecastSaysHowFarToLook(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 3))
	const n, k, rounds = 20_000, 10, 30
	missed, looked := 0, 0
	for range rounds {
		sums, keys := make([]uint8, n), make([]uint64, n)
		f := forecast{each: 1}
		for i := range n {
			sums[i] = uint8(128 + 20*rng.NormFloat64())
			score := float32(.004*float64(sums[i]) + .06*rng.NormFloat64())
			f.items[sums[i]]++
			keys[i] = makeKey(score, uint32(i))
			if i%10 == 0 {
				f.learn(sums[i:i+1], []float32{score})
			}
		}
		slices.Sort(keys)
		slices.Reverse(keys)
		low := f.levelOf(200)
		var best []uint64
		for _, key := range keys {
			if int(sums[nodeOf(key)]) >= low {
				best = append(best, key)
			}
		}
		level := f.reach(best[:k], low)
		for _, key := range keys[:k] {
			if int(sums[nodeOf(key)]) < level {
				missed++
			}
		}
		for _, sum := range sums {
			if int(sum) >= level {
				looked++
			}
		}
	}
	if share := float64(missed) / (rounds * k); share > .06 {
		t.Errorf("%.3f of the best are below the level", share)
	}
	if looked > rounds*n/4 {
		t.Errorf("%d of %d are above the level", looked/rounds, n)
	}
}
