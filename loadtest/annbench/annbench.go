// Package annbench measures an index engine on one machine, in the terms of
// peers that answer the same files: recall@10, microseconds a query, build rate
// and resident bytes a vector.
//
// It reads base.npy [n, dim] and queries.npy [q, dim] (float32, unit length)
// and truth.npy [q, 10 or more] (int32, the exact neighbours), builds on one
// thread, and for each effort asks all queries three times on one thread; the
// best pass counts.
package annbench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/coder"
	"github.com/kindred-rec/kindred/index/flat"
	"github.com/kindred-rec/kindred/index/hnsw"
)

// k is how many neighbours are asked for.
const k = 10

// Options says what to measure.
type Options struct {
	Vectors string // path of base.npy
	Queries string // path of queries.npy
	Truth   string // path of truth.npy
	Engine  string // hnsw, flat or coder
	Storage string // float32 or int8; int8 is hnsw's alone
	Efs     []int  // efforts, one line each; flat, which has none, takes the first
	// M and EfConstruction shape graphs; 0 means 16 and 200.
	M, EfConstruction int
	Seed              uint64
	// Workers builds with so many goroutines; 0 means 1, as peers are measured.
	Workers int
	// Dir is where int8 keeps its float vectors; empty means the system's
	// temporary folder.
	Dir string
}

// Result is one line of output. Bytes are a vector's share.
type Result struct {
	Engine         string  `json:"engine"`
	RecallAt10     float64 `json:"recall_at_10"`
	MicrosPerQuery float64 `json:"us_per_query"`
	BuildPerSecond float64 `json:"build_per_s"`
	// BytesPerVector is resident memory of vectors and links.
	BytesPerVector float64 `json:"bytes_per_vector"`
	// OtherBytesPerVector is the rest of resident memory: maps between item
	// numbers and nodes, and the working memory of searches.
	OtherBytesPerVector float64 `json:"other_bytes_per_vector"`
	// MappedBytesPerVector lies in files and may be dropped from memory.
	MappedBytesPerVector float64 `json:"mapped_bytes_per_vector"`
	Storage              string  `json:"storage"`
	Kernel               string  `json:"kernel"`
	N                    int     `json:"n"`
	Dim                  int     `json:"dim"`
	Queries              int     `json:"queries"`
	Ef                   int     `json:"ef"`
	BuildWorkers         int     `json:"build_workers"`
}

// Run measures and writes one JSON line for each effort to out.
func Run(ctx context.Context, o Options, out io.Writer) error {
	if len(o.Efs) == 0 {
		return fmt.Errorf("no ef given; try 20,40,80")
	}
	set, err := readSet(o)
	if err != nil {
		return err
	}
	idx, err := o.newIndex(set)
	if err != nil {
		return err
	}
	workers := max(o.Workers, 1)
	start := time.Now()
	if err := build(ctx, idx, set.base, workers); err != nil {
		return err
	}
	rate := float64(set.base.rows) / time.Since(start).Seconds()
	efs := o.Efs
	if o.Engine == "flat" {
		efs = efs[:1]
	}
	for _, ef := range efs {
		r := Result{BuildPerSecond: round(rate, 0), N: set.base.rows, Dim: set.base.dim, Queries: set.queries.rows, Ef: ef, BuildWorkers: workers}
		if err := measure(ctx, idx, set, &r); err != nil {
			return err
		}
		if err := json.NewEncoder(out).Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// newIndex makes the engine asked for.
func (o Options) newIndex(s set) (index.Index, error) {
	dim, n := s.base.dim, s.base.rows
	if o.Storage != "float32" && (o.Storage != "int8" || o.Engine != "hnsw") {
		return nil, fmt.Errorf("storage %q of engine %q: float32 is for all, int8 for hnsw", o.Storage, o.Engine)
	}
	switch o.Engine {
	case "flat":
		return flat.New(flat.Config{Dim: dim, MaxItems: n})
	case "coder":
		return coder.New(coder.Config{Dim: dim, MaxItems: n, M: o.M, EfSearch: o.EfConstruction, Seed: int64(o.Seed)})
	case "hnsw":
		cfg := hnsw.Config{Dim: dim, MaxItems: n, M: o.M, EfConstruction: o.EfConstruction, Seed: o.Seed, Dir: o.Dir}
		if o.Storage == "int8" {
			cfg.Storage = hnsw.Int8
		}
		return hnsw.New(cfg)
	}
	return nil, fmt.Errorf("engine %q: must be hnsw, flat or coder", o.Engine)
}

// builder is an engine that can build on several threads.
type builder interface {
	Build(ctx context.Context, n, workers int, vector func(id uint32) []float32) error
}

func build(ctx context.Context, idx index.Index, base matrix, workers int) error {
	if b, ok := idx.(builder); ok {
		return b.Build(ctx, base.rows, workers, func(id uint32) []float32 { return base.row(int(id)) })
	}
	for i := range base.rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := idx.Add(uint32(i), base.row(i)); err != nil {
			return err
		}
	}
	return nil
}
