package main

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

func TestHealthFollowsTheService(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, state := grpc.NewServer(), health.NewServer()
	healthpb.RegisterHealthServer(server, state)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	probe := healthCommand{Addr: l.Addr().String(), Timeout: 30 * time.Second}

	if err := probe.Run(context.Background()); err != nil {
		t.Errorf("of a service that serves: %v", err)
	}
	state.Shutdown()
	if err := probe.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "NOT_SERVING") {
		t.Errorf("of a service that drains: %v, want NOT_SERVING", err)
	}
	server.Stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := probe.Run(context.Background()); err == nil || !strings.Contains(err.Error(), probe.Addr) {
		t.Errorf("of nobody: %v, want an error that names the address", err)
	}
}
