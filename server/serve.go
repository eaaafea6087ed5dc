package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/kindred-rec/kindred/index/hnsw"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/shop"
	"github.com/kindred-rec/kindred/server/store"
)

type serveCommand struct {
	Data         string        `default:"data" type:"path" placeholder:"DIR" help:"Directory of the store; it is made if it does not exist."`
	GRPC         string        `name:"grpc" default:"127.0.0.1:50051" placeholder:"HOST:PORT" help:"Address of the gRPC port. Beyond loopback an API key must exist."`
	HTTP         string        `name:"http" default:"127.0.0.1:50052" placeholder:"HOST:PORT" help:"Address of health and metrics; empty for none."`
	Pprof        string        `placeholder:"HOST:PORT" help:"Address of Go's profiles, on loopback alone. Not set: none."`
	Engine       string        `default:"auto" enum:"auto,flat,hnsw,coder" help:"Index engine: flat (exact, a scan), hnsw (a graph, for large catalogs), auto (flat up to 10,000 items, then hnsw), or coder (coder/hnsw, for comparison)."`
	IndexStorage string        `default:"float32" enum:"float32,int8" help:"How hnsw keeps vectors for its walk: float32, or int8 (a quarter of the memory; the float vectors lie in a file)."`
	RankingAge   time.Duration `default:"5s" placeholder:"DURATION" help:"How long a person's ranking serves the same request again while no event of theirs arrives; 0 ranks each request. At most 1m."`
	Quiet        bool          `help:"Log warnings and errors alone."`
}

// Help is what `serve --help` says beyond its flags.
func (serveCommand) Help() string {
	return `Example:
  kindred serve --data /var/lib/kindred --grpc 127.0.0.1:50051

Stop it with SIGTERM or Ctrl-C: calls under way end first.`
}

// Run serves until a signal comes.
func (c *serveCommand) Run(ctx context.Context) error {
	spareThreads()
	level := slog.LevelInfo
	if c.Quiet {
		level = slog.LevelWarn
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	index := shop.IndexConfig{Engine: shop.Engine(c.Engine)}
	if c.IndexStorage == "int8" {
		index.Storage = hnsw.Int8
	}
	age := c.RankingAge
	if age == 0 {
		age = -1 // the zero Config means its default
	}
	s, err := service.Start(ctx, service.Config{
		Data: c.Data, GRPC: c.GRPC, HTTP: c.HTTP, Pprof: c.Pprof, Store: store.DefaultOptions(), Shop: shop.Config{Index: index, RankingAge: age}, Log: log,
	})
	if err != nil {
		return err
	}
	access := "API keys required"
	if s.Open() {
		access = "no API key required: loopback only"
	}
	log.Info("serving", "grpc", s.Addr(), "http", s.HTTPAddr(), "data", c.Data, "access", access)
	err = s.Wait(ctx)
	log.Info("stopping: calls under way end first")
	if stopErr := s.Stop(); err == nil && stopErr != nil {
		err = fmt.Errorf("stopping: %w", stopErr)
	}
	return err
}
