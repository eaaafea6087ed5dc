package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/shop"
	"github.com/kindred-rec/kindred/server/store"
	"github.com/kindred-rec/kindred/server/training"
)

// fromStore trains on the log of a store that is not served: a service of its own, on
// loopback and for the one key that it lends, serves it meanwhile.
func (c *trainCommand) fromStore(ctx context.Context, o training.Options) (err error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if _, err := os.Stat(c.Store); err != nil {
		return fmt.Errorf("train: --store: %w", err)
	}
	s, err := service.Start(ctx, service.Config{
		Data: c.Store, GRPC: "127.0.0.1:0", Store: store.DefaultOptions(), Shop: shop.Config{Encoder: o.Encoder}, Log: log,
	})
	if errors.Is(err, record.ErrHeld) {
		return fmt.Errorf("train: %w; use --addr for a running service", err)
	}
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	if _, err := s.Tenants().Get(c.Tenant); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	key, end := s.Lend(c.Tenant, record.RoleScientist, "train command")
	defer end()
	return c.fromService(ctx, o, s.Addr(), func() (string, error) { return key, nil })
}
