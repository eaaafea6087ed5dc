package simulate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// Self starts a service of its own in this process, on a temporary store and a free port of loopback, and connects to it over
// gRPC. end stops it and removes the store. It is what Options.Connect takes.
func Self(ctx context.Context, seed uint64) (conn grpc.ClientConnInterface, end func() error, err error) {
	dir, err := os.MkdirTemp("", "kindred-simulate-")
	if err != nil {
		return nil, nil, fmt.Errorf("temporary store: %w", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	s, err := service.Start(ctx, service.Config{Data: dir, GRPC: "127.0.0.1:0", Store: store.DefaultOptions(), Log: log})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("start a service for seed %d: %w", seed, err), os.RemoveAll(dir))
	}
	client, err := grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("connect to the service: %w", err), s.Stop(), os.RemoveAll(dir))
	}
	return client, func() error { return errors.Join(client.Close(), s.Stop(), os.RemoveAll(dir)) }, nil
}
