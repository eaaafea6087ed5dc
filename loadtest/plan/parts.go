package plan

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"

	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/index/hnsw"
	"github.com/kindred-rec/kindred/ranker/catalog"
)

// index builds the real index twice, over the embedded encoder's number of dimensions.
func (s *sample) index(ctx context.Context) error {
	encoder, err := static.Default()
	if err != nil {
		return err
	}
	s.costs.Dim = encoder.Info().Dim
	vectors := unitVectors(2*s.m.Items, encoder.Info().Dim)
	for _, storage := range []hnsw.Storage{hnsw.Float32, hnsw.Int8} {
		small, _, err := s.indexOf(ctx, storage, vectors[:s.m.Items])
		if err != nil {
			return err
		}
		large, mapped, err := s.indexOf(ctx, storage, vectors)
		if err != nil {
			return err
		}
		each := (large - small) / float64(s.m.Items)
		if storage == hnsw.Float32 {
			s.costs.IndexFloat32 = each
		} else {
			s.costs.IndexInt8, s.costs.IndexInt8Mapped = each, mapped/float64(2*s.m.Items)
		}
	}
	return nil
}

// indexOf gives the resident and mapped bytes of an index over the vectors.
func (s *sample) indexOf(ctx context.Context, storage hnsw.Storage, vectors [][]float32) (resident, mapped float64, err error) {
	config := hnsw.Config{Dim: s.costs.Dim, MaxItems: len(vectors), Seed: 1, Storage: storage}
	if storage == hnsw.Int8 {
		config.Dir = s.dir
	}
	x, err := hnsw.New(config)
	if err != nil {
		return 0, 0, err
	}
	if err := x.Build(ctx, len(vectors), runtime.GOMAXPROCS(0), func(id uint32) []float32 { return vectors[id] }); err != nil {
		return 0, 0, err
	}
	stats := x.Stats()
	return float64(stats.VectorBytes + stats.LinkBytes + stats.OtherBytes), float64(stats.MappedBytes), nil
}

// unitVectors are random, around a few hundred centres as those of items are.
func unitVectors(n, dim int) [][]float32 {
	random := rand.New(rand.NewPCG(1, 2))
	centres := make([][]float32, min(n, 200))
	draw := func(around []float32, spread float64) []float32 {
		v := make([]float32, dim)
		sum := 0.0
		for i := range v {
			x := spread * random.NormFloat64()
			if around != nil {
				x += float64(around[i])
			}
			v[i] = float32(x)
			sum += x * x
		}
		for i := range v {
			v[i] /= float32(math.Sqrt(sum))
		}
		return v
	}
	for i := range centres {
		centres[i] = draw(nil, 1)
	}
	vectors := make([][]float32, n)
	for i := range vectors {
		vectors[i] = draw(centres[random.IntN(len(centres))], 0.5/math.Sqrt(float64(dim)))
	}
	return vectors
}

// catalog fills the real table.
func (s *sample) catalog(context.Context) error {
	table, err := catalog.New(catalog.Limits{})
	if err != nil {
		return err
	}
	fill := func(from, until int) (float64, error) {
		for i := from; i < until; i++ {
			it := s.item(i)
			var price *float64
			if it.Price != nil {
				amount := float64(it.Price.Units) + float64(it.Price.Nanos)/1e9
				price = &amount
			}
			if err := table.Put(uint32(i), catalog.Item{ID: it.Id, Title: it.Title, Price: price,
				Categories: it.Categories, Tags: it.Tags, Brand: it.Brand}); err != nil {
				return 0, err
			}
		}
		return live(), nil
	}
	small, err := fill(0, s.m.Items)
	if err != nil {
		return err
	}
	large, err := fill(s.m.Items, 2*s.m.Items)
	if err != nil {
		return err
	}
	runtime.KeepAlive(table)
	s.costs.CatalogRow = (large - small) / float64(s.m.Items)
	return nil
}

func (s *sample) data() string { return filepath.Join(s.dir, "data") }
