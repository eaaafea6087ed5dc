package service_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/quota"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/service"
)

// Whoever goes on after a refusal waits for each further one, and nobody else does: not a neighbour, not who shares the
// connection, as behind a proxy.
func TestRefusedCallersAreCalmed(t *testing.T) {
	const pause = 300 * time.Millisecond
	s := start(t, func(c *service.Config) {
		c.RefusalPause = pause
		c.Quotas = quota.Settings{Tenants: map[string]record.Quota{"alpha": {Requests: 0.001}}}
	})
	op := s.operate()
	alpha, beta := s.tenant(op, "alpha", kindredv1.Role_ROLE_FRONTEND), s.tenant(op, "beta", kindredv1.Role_ROLE_FRONTEND)
	must(alpha.Recommend(ctx(t), &kindredv1.RecommendRequest{}))
	soon := func() context.Context { // a deadline within what is refused early
		c, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		t.Cleanup(cancel)
		return c
	}
	refused := func(c *client, want codes.Code) {
		t.Helper()
		if _, err := c.Recommend(soon(), &kindredv1.RecommendRequest{}); status.Code(err) != want {
			t.Errorf("%v, want %v", err, want)
		}
	}
	const calls = 5
	for _, c := range []struct {
		name string
		conn *client
		want codes.Code
	}{{"past its quota", alpha, codes.ResourceExhausted}, {"without a key", dial(t, s.service.Addr(), "kindred_none"), codes.Unauthenticated}} {
		begin := time.Now()
		for range calls {
			refused(c.conn, c.want)
			must(beta.Recommend(soon(), &kindredv1.RecommendRequest{}))
		}
		if took := time.Since(begin); took < (calls-1)*pause {
			t.Errorf("%s: %d refusals in %v: none waited %v for the one before", c.name, calls, took, pause)
		}
	}
	begin := time.Now()
	const many = 100
	for range many {
		must(beta.Recommend(soon(), &kindredv1.RecommendRequest{}))
	}
	if took := time.Since(begin); took > many*pause/2 {
		t.Errorf("%d calls of a neighbour in %v: they waited, too", many, took)
	}
	shared, as := dial(t, s.service.Addr(), ""), func(c *client) grpc.CallOption { return grpc.PerRPCCredentials(bearer(c.key)) }
	must(shared.Recommend(soon(), &kindredv1.RecommendRequest{}, as(beta)))
	begin = time.Now()
	for range many {
		if _, err := shared.Recommend(soon(), &kindredv1.RecommendRequest{}, as(alpha)); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("past its quota: %v", err)
		}
		must(shared.Recommend(soon(), &kindredv1.RecommendRequest{}, as(beta)))
	}
	if took := time.Since(begin); took > many*pause/2 {
		t.Errorf("%d refusals on a connection that others use in %v: these waited, too", many, took)
	}
}
