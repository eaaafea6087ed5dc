package shop

import (
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/index/hnsw"
)

// Engine names what finds the nearest vectors.
type Engine string

const (
	// Auto takes Flat for small catalogs and HNSW for large ones, and changes over
	// when a catalog grows or shrinks past IndexConfig.Threshold.
	Auto Engine = "auto"
	// Flat compares with every vector: exact.
	Flat Engine = "flat"
	// HNSW walks a graph: nearly exact.
	HNSW Engine = "hnsw"
	// Coder is the package coder/hnsw, for comparison.
	Coder Engine = "coder"
)

// IndexConfig says which engine finds the nearest vectors, how well it must, and
// where its snapshots are kept. Zero fields take the default named.
type IndexConfig struct {
	// Engine is Auto by default. Any other is kept whatever becomes of the catalog.
	Engine Engine
	// Threshold is how many vectors Auto lets Flat scan: above it HNSW serves, and
	// below half of it Flat again, so that a catalog at the border does not go to and
	// fro. Default 10,000.
	//
	// Measured on two cores of an AMD EPYC (Zen 5), one thread, 256 dimensions, titles
	// made of halves of real ones, queries that are means of three items; microseconds
	// a query and recall at that K (BenchmarkEngines):
	//
	//	          K 100                                  K 200
	//	items     flat   ef 200       ef 300             flat   ef 200       ef 300
	//	  3,000      56     82 1        103 1               67     83 1        105 1
	//	  6,000      94    124 1        154 1              138    168 1        205 1
	//	 12,000     165     73 .992     104 .997           186     75 .985     106 .996
	//	 25,000     509     98 .984     138 .995           541    101 .970     142 .990
	//	 50,000   1,361    140 .970     195 .988         1,501    140 .948     197 .978
	//	100,000   2,910    180 .956     259 .980         3,380    195 .927     257 .966
	//
	// That was before Flat let codes rule out what it need not score, which halves its
	// times at 3,459 items. A graph that is asked with effort 200 scans up to 6,400 items itself, a little
	// slower than Flat does. At 10,000 the walk takes half the time of the scan.
	Threshold int
	// Storage is how HNSW keeps vectors for the walk. Default hnsw.Float32.
	Storage hnsw.Storage
	// M and EfConstruction are those of hnsw.Config.
	M, EfConstruction int
	// Effort is what HNSW and Coder are asked with (efSearch); they raise it to K where
	// it is below. A self-check that finds too little raises it, up to MaxEffort.
	// Defaults 200 and 1,600.
	Effort, MaxEffort int

	// CheckEvery is the time between self-checks of HNSW, beside the one after a
	// build. Default an hour; negative: none.
	CheckEvery time.Duration
	// CheckQueries and CheckK say how a self-check samples: so many items, the
	// nearest so many of each. Defaults 100 and 100, twice the candidates that a request
	// asks for by the user's vector.
	CheckQueries, CheckK int
	// MinRecall is the share of the exact nearest that must be found, 0 to 1. Below it
	// the effort is raised by halves. If MaxEffort does not do, Auto falls back to Flat
	// for catalogs of at most FlatBound vectors, and otherwise the status warns.
	// Defaults .95 and 200,000: a scan of that many takes about six milliseconds.
	MinRecall float64
	FlatBound int

	// Dir is where snapshots of HNSW are kept, so that a start does not build the
	// graph. Empty: none are.
	Dir string
	// SnapshotEvery is the time between looks at whether enough vectors have changed
	// since the last snapshot: SnapshotAfter, and a hundredth of all. Close writes one
	// if any has. Defaults 10 minutes and 1,000.
	SnapshotEvery time.Duration
	SnapshotAfter int

	// Retry is the first pause before a failed change of engines is tried again; each
	// further one is twice as long. Default 1 s.
	Retry time.Duration
	// Seed draws the levels of the graph and the items of self-checks.
	Seed uint64
}

func (c IndexConfig) withDefaults() IndexConfig {
	orElse(&c.Engine, Auto)
	orElse(&c.Threshold, 10_000)
	orElse(&c.Effort, 200)
	orElse(&c.MaxEffort, max(1600, c.Effort))
	orElse(&c.CheckEvery, time.Hour)
	orElse(&c.CheckQueries, 100)
	orElse(&c.CheckK, 100)
	orElse(&c.MinRecall, .95)
	orElse(&c.FlatBound, 200_000)
	orElse(&c.SnapshotEvery, 10*time.Minute)
	orElse(&c.SnapshotAfter, 1000)
	orElse(&c.Retry, time.Second)
	return c
}

// validate reports the first setting that cannot work. M, EfConstruction and Storage
// are checked by the engine.
func (c IndexConfig) validate() error {
	switch c.Engine {
	case Auto, Flat, HNSW, Coder:
	default:
		return fmt.Errorf("index engine %q is unknown: use auto, flat, hnsw or coder", c.Engine)
	}
	switch {
	case c.Threshold < 1:
		return fmt.Errorf("shop.IndexConfig.Threshold is %d: give at least 1", c.Threshold)
	case c.Effort < 1 || c.MaxEffort < c.Effort || c.MaxEffort > 1<<16:
		return fmt.Errorf("shop.IndexConfig.Effort is %d and MaxEffort %d: give Effort of at least 1 and MaxEffort of Effort to 65,536", c.Effort, c.MaxEffort)
	case c.CheckQueries < 1 || c.CheckK < 1:
		return fmt.Errorf("shop.IndexConfig.CheckQueries is %d and CheckK %d: give at least 1", c.CheckQueries, c.CheckK)
	case !(c.MinRecall > 0 && c.MinRecall <= 1):
		return fmt.Errorf("shop.IndexConfig.MinRecall is %v: give more than 0, at most 1", c.MinRecall)
	case c.FlatBound < 0:
		return fmt.Errorf("shop.IndexConfig.FlatBound is %d: give at least 1, or 0 for 200,000", c.FlatBound)
	case c.SnapshotEvery < 0 || c.SnapshotAfter < 1:
		return fmt.Errorf("shop.IndexConfig.SnapshotEvery is %v and SnapshotAfter %d: give more than 0", c.SnapshotEvery, c.SnapshotAfter)
	case c.Retry < 0:
		return fmt.Errorf("shop.IndexConfig.Retry is %v: give more than 0", c.Retry)
	}
	return nil
}
