package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

type serveCommand struct {
	Data   string `default:"data" type:"path" placeholder:"DIR" help:"Directory of the store; it is made if it does not exist."`
	GRPC   string `name:"grpc" default:"127.0.0.1:50051" placeholder:"HOST:PORT" help:"Address of the gRPC port. Beyond loopback an API key must exist."`
	HTTP   string `name:"http" default:"127.0.0.1:50052" placeholder:"HOST:PORT" help:"Address of health and metrics; empty for none."`
	Pprof  string `placeholder:"HOST:PORT" help:"Address of Go's profiles, on loopback alone. Not set: none."`
	Engine string `default:"flat" enum:"flat,coder" help:"Index engine: flat (exact) or coder (coder/hnsw, approximate)."`
	Quiet  bool   `help:"Log warnings and errors alone."`
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
	s, err := service.Start(ctx, service.Config{
		Data: c.Data, GRPC: c.GRPC, HTTP: c.HTTP, Pprof: c.Pprof, Engine: c.Engine, Store: store.DefaultOptions(), Log: log,
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
