package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/kindred-rec/kindred/server/demo"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

type demoCommand struct {
	Once bool   `help:"Exit after the story instead of keeping the service up."`
	Seed uint64 `default:"1" help:"Seed of the simulated shop."`
	GRPC string `name:"grpc" default:"127.0.0.1:50051" placeholder:"HOST:PORT" help:"Address of the gRPC port; with --once a free one is taken."`
}

// Help is what `demo --help` says beyond its flags.
func (demoCommand) Help() string {
	return `Starts a real service on a temporary store, fills it with a simulated shop, trains a model of what its shoppers did, and shows what three people are
recommended before and after their clicks. The store is removed at the end.

Example:
  kindred demo --once`
}

// Run tells the story and then keeps serving, unless --once is given.
func (c *demoCommand) Run(ctx context.Context) (err error) {
	spareThreads()
	dir, err := os.MkdirTemp("", "kindred-demo-")
	if err != nil {
		return fmt.Errorf("temporary store: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	addr := c.GRPC
	if c.Once {
		addr = "127.0.0.1:0"
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := service.Start(ctx, service.Config{Data: dir, GRPC: addr, Store: store.DefaultOptions(), Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	return c.tell(ctx, s)
}

func (c *demoCommand) tell(ctx context.Context, s *service.Service) error {
	conn, err := grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connecting to the service: %w", err)
	}
	defer conn.Close()
	_, err = demo.Tell(ctx, conn, os.Stdout, demo.Options{Shop: demo.Config{Seed: c.Seed}, Addr: s.Addr(), Train: true, Stays: !c.Once})
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped by the user
		}
		return err
	}
	if c.Once {
		return nil
	}
	return s.Wait(ctx)
}
