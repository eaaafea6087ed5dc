package main

import (
	"context"

	"github.com/kindred-rec/kindred/loadtest/annbench"
)

// indexCommand is `loadtest index`.
type indexCommand struct {
	Vectors string `required:"" placeholder:"FILE.npy" help:"Base vectors, [n, dim] float32 of unit length."`
	Queries string `required:"" placeholder:"FILE.npy" help:"Queries, [q, dim] float32 of unit length."`
	Truth   string `required:"" placeholder:"FILE.npy" help:"Exact neighbours of the queries, [q, 10 or more] int32."`
	Engine  string `enum:"hnsw,flat,coder" default:"hnsw" help:"hnsw, flat or coder."`
	Storage string `enum:"float32,int8" default:"float32" help:"float32, or int8 (hnsw alone)."`
	Ef      []int  `default:"20,40,80" help:"Efforts of a search, one line of output each (${default})."`

	M              int    `name:"m" default:"16" help:"Links of a node (${default})."`
	EfConstruction int    `default:"200" help:"Effort of building (${default})."`
	Seed           uint64 `default:"1" help:"Makes the graph the same again."`
	Workers        int    `default:"1" help:"Threads that build; figures are quoted for 1."`
	Dir            string `placeholder:"DIR" help:"Folder for the float vectors of int8; the system's temporary folder if not given."`
	JSON           bool   `name:"json" help:"The output is JSON lines with or without it."`
}

// Help is what --help says beyond the flags.
func (indexCommand) Help() string {
	return `Builds an index on one thread, asks all queries three times on one thread for each ef, and prints the best pass: recall@10,
microseconds a query, vectors built a second, resident bytes a vector.

Example:
  go run ./loadtest index --vectors base.npy --queries queries.npy --truth truth.npy --engine hnsw --ef 20,40,80
`
}

// Run measures.
func (c *indexCommand) Run(ctx context.Context, to output) error {
	return annbench.Run(ctx, annbench.Options{Vectors: c.Vectors, Queries: c.Queries, Truth: c.Truth, Engine: c.Engine, Storage: c.Storage,
		Efs: c.Ef, M: c.M, EfConstruction: c.EfConstruction, Seed: c.Seed, Workers: c.Workers, Dir: c.Dir}, to.out)
}
