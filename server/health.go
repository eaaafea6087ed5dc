package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// healthCommand asks a service whether it serves: a probe for images that hold nothing but
// this binary.
type healthCommand struct {
	Addr    string        `default:"127.0.0.1:50051" placeholder:"HOST:PORT" help:"Address of the gRPC port."`
	Timeout time.Duration `default:"2s" placeholder:"DURATION" help:"Longest wait for the answer."`
	clientTLS
}

// Help is what `health --help` says beyond its flags.
func (healthCommand) Help() string {
	return `Example:
  kindred health --addr 127.0.0.1:50051 || echo "send calls elsewhere"

Exits with 0 while calls should be sent to the service, with 1 while it starts, drains or is away. Needs no key.`
}

// Run prints nothing where all is well.
func (c *healthCommand) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	conn, err := c.dial(c.Addr)
	if err != nil {
		return fmt.Errorf("health: %w", err)
	}
	defer conn.Close()
	reply, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(false))
	if err != nil {
		return fmt.Errorf("health: %s: %s", c.Addr, faultsOf(err))
	}
	if reply.Status != healthpb.HealthCheckResponse_SERVING {
		return fmt.Errorf("health: %s says %s", c.Addr, reply.Status)
	}
	return nil
}
