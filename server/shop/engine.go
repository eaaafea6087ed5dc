package shop

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/coder"
	"github.com/kindred-rec/kindred/index/flat"
	"github.com/kindred-rec/kindred/index/hnsw"
)

// choose says which engine should serve so many vectors, where serving does now.
func (s *Shop) choose(serving Engine, items int) Engine {
	return s.chooseFor(&s.graphFailed, serving, items)
}

// chooseFor is choose for vectors of a kind: gave holds how many of them there were when
// a graph last found too little.
func (s *Shop) chooseFor(gave *atomic.Int64, serving Engine, items int) Engine {
	c := s.config.Index
	if c.Engine != Auto {
		return c.Engine
	}
	if failed := int(gave.Load()); failed > 0 && items <= c.FlatBound && items < 2*failed {
		return Flat // a graph over a catalog like this one found too little
	}
	switch {
	case items > c.Threshold:
		return HNSW
	case items < c.Threshold/2:
		return Flat
	case serving == HNSW:
		return HNSW
	}
	return Flat
}

// misfit reports whether another engine should serve, or other vectors, or another model.
func (s *Shop) misfit() bool {
	g := s.gen.Load()
	return s.bridges(g.bridge) != g.bridge || s.choose(g.engine, int(g.encoded.Load())) != g.engine || s.modelMisfit(g)
}

// newIndex makes an empty index.
func (s *Shop) newIndex(engine Engine, dim int) (index.Index, error) {
	bound := int(s.config.MaxItems)
	var idx index.Index
	var err error
	switch engine {
	case Flat:
		idx, err = flat.New(flat.Config{Dim: dim, MaxItems: bound})
	case Coder:
		idx, err = coder.New(coder.Config{Dim: dim, MaxItems: bound, Seed: int64(s.config.Index.Seed)})
	case HNSW:
		var c hnsw.Config
		if c, err = s.graphConfig(dim); err == nil {
			idx, err = hnsw.New(c)
		}
	default:
		err = fmt.Errorf("engine %q is none", engine)
	}
	if err != nil {
		return nil, fmt.Errorf("making the index: %w", err)
	}
	return idx, nil
}

// graphConfig is that of the tenant's graph. Int8 keeps its float vectors beside the
// snapshots, where there is room for them.
func (s *Shop) graphConfig(dim int) (hnsw.Config, error) {
	c := s.config.Index
	out := hnsw.Config{
		Dim: dim, MaxItems: int(s.config.MaxItems), M: c.M, EfConstruction: c.EfConstruction,
		EfSearch: c.Effort, Seed: c.Seed, Storage: c.Storage,
	}
	if c.Storage == hnsw.Int8 && c.Dir != "" {
		out.Dir = c.Dir
		return out, makeDir(c.Dir)
	}
	return out, nil
}

// allCores is how many goroutines a build takes where nothing or nobody else waits;
// restrained leaves half of the processors to requests.
func allCores() int   { return min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) }
func restrained() int { return max(1, allCores()/2) }
