package shop

import (
	"context"
	"math"
	"time"

	"github.com/kindred-rec/kindred/index/hnsw"
)

// indexCheck is the result of a self-check.
type indexCheck struct {
	recall     float64 // of the exact nearest, 0 to 1
	queries, k int
	effort     int
	items      int64 // held at the time
	at         time.Time
	low        bool // below Config.Index.MinRecall, with the largest effort
}

// selfCheck measures the recall of a space's graph, and raises its effort by
// halves until the recall is what it should be or the largest effort is reached. Other
// engines have nothing to check: Flat is exact, and Coder is what it is.
func (s *Shop) selfCheck(ctx context.Context, g *space) error {
	graph, ok := g.graph()
	if !ok {
		return nil
	}
	c := s.config.Index
	for {
		effort, held := int(g.nearest.effort.Load()), g.encoded.Load()
		got, err := graph.SelfCheck(ctx, hnsw.CheckOptions{
			Queries: c.CheckQueries, K: c.CheckK, Effort: effort, Seed: c.Seed + s.checks.Add(1),
		})
		if err != nil {
			return err
		}
		check := &indexCheck{recall: got.Recall, queries: got.Queries, k: got.K, effort: effort, items: held, at: s.config.Now()}
		enough, last := got.Recall >= c.MinRecall, effort >= c.MaxEffort
		check.low = !enough && last
		g.check.Store(check)
		log := s.config.Log.With("tenant", s.tenant, "recall", math.Round(got.Recall*1e4)/1e4, "k", got.K, "least", c.MinRecall, "effort", effort)
		switch {
		case enough:
			log.Info("index checked")
			return nil
		case last:
			log.Warn("the index finds too little with the largest effort: build it with larger M and EfConstruction, or serve with the engine flat")
			return nil
		}
		raised := min(c.MaxEffort, effort+max(1, effort/2))
		log.Warn("the index finds too little: its effort is raised", "to", raised)
		g.nearest.effort.Store(int64(raised))
	}
}

// giveUpGraph reports whether a graph found too little, and need not serve: then
// choose says Flat until the catalog has doubled.
func (s *Shop) giveUpGraph(g *space) bool {
	c, check, items := s.config.Index, g.check.Load(), g.encoded.Load()
	if c.Engine != Auto || g.engine != HNSW || check == nil || !check.low || items > int64(c.FlatBound) {
		return false
	}
	g.failed.Store(items)
	s.config.Log.Warn("a scan serves instead of the graph until the catalog has doubled", "tenant", s.tenant, "items", items, "bound", c.FlatBound)
	return true
}
