package service_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/quota"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/service"
)

// pastQuota checks that an error is one of a quota and returns which and when to come again.
func pastQuota(t *testing.T, err error) (subject, bound string, wait time.Duration) {
	t.Helper()
	code(t, err, codes.ResourceExhausted)
	for _, d := range status.Convert(err).Details() {
		switch d := d.(type) {
		case *errdetails.RetryInfo:
			wait = d.RetryDelay.AsDuration()
		case *errdetails.QuotaFailure:
			subject, bound = d.Violations[0].Subject, d.Violations[0].Description
		}
	}
	if wait <= 0 || subject == "" {
		t.Errorf("%v names no quota, or no time", err)
	}
	return subject, bound, wait
}

func TestCallsPastAQuotaAreRefusedByItsNameAndNeighboursAreNot(t *testing.T) {
	s := start(t, withHTTP, func(c *service.Config) {
		c.Quotas = quota.Settings{
			Tenants: map[string]record.Quota{"alpha": {Requests: 0.01, Events: 50, Bytes: 1 << 20}},
			Key:     record.Quota{},
		}
	})
	op := s.operate()
	beta := s.tenant(op, "beta", kindredv1.Role_ROLE_ADMIN)
	beta.upsert(shelf()...)
	alpha := s.tenant(op, "alpha", kindredv1.Role_ROLE_ADMIN)
	must(alpha.Recommend(ctx(t), &kindredv1.RecommendRequest{}))
	_, err := alpha.Recommend(ctx(t), &kindredv1.RecommendRequest{})
	if subject, bound, wait := pastQuota(t, err); subject != "tenant alpha" || bound != "requests: 0.01 a second" || wait < 90*time.Second {
		t.Errorf("%s, %s, in %v", subject, bound, wait)
	}
	// The HTTP port has the same count.
	codeHTTP, body, _ := s.post("RecommendationService/Recommend", `{}`, http.Header{"Authorization": {"Bearer " + alpha.key}})
	if codeHTTP != http.StatusTooManyRequests || !strings.Contains(body, "tenant alpha") {
		t.Errorf("over HTTP: %d %s", codeHTTP, body)
	}
	for range 20 {
		must(beta.Recommend(ctx(t), &kindredv1.RecommendRequest{}))
	}
	_, metrics, _ := exchange(t, http.MethodGet, "http://"+s.service.HTTPAddr()+"/metrics", "", "", nil)
	contains(t, metrics, `kindred_tenant_quota_exceeded_total{quota="requests",tenant="alpha"} 2`)

	// A key's own, within a tenant that has none.
	key := must(op.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{
		Tenant: "beta", Role: kindredv1.Role_ROLE_FRONTEND, Quota: &kindredv1.Quota{Events: 10, Bytes: 100_000},
	}))
	web := dial(t, s.service.Addr(), key.Secret)
	var events []*kindredv1.Event
	for i := range 600 {
		events = append(events, view(fmt.Sprint("e", i), "ann", "pen-1"))
	}
	web.write(events...)
	_, err = web.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: events[:1]})
	if subject, bound, wait := pastQuota(t, err); subject != "key "+key.Key.Id || bound != "events: 10 a second" || wait < 55*time.Second {
		t.Errorf("%s, %s, in %v", subject, bound, wait)
	}
	must(web.Recommend(ctx(t), &kindredv1.RecommendRequest{}))
	must(beta.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{view("other", "ann", "pen-1")}}))
}

func TestStreamIsHeldBackToItsQuotaAndNothingIsLost(t *testing.T) {
	s := start(t, func(c *service.Config) { c.Quotas.Tenant = record.Quota{Events: 2000} })
	stream, err := s.StreamEvents(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	const messages = 6
	for m := range messages {
		var events []*kindredv1.Event
		for i := range 1000 {
			events = append(events, view(fmt.Sprint(m, "-", i), "ann", "pen-1"))
		}
		if err := stream.Send(&kindredv1.StreamEventsRequest{Events: events}); err != nil {
			t.Fatal(err)
		}
	}
	stream.CloseSend()
	n := int64(0)
	for {
		reply, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n += reply.Added
	}
	// 6,000 events at 2,000 a second: a second's worth at once and the last one on debt leave
	// more than a second in any case.
	if took := time.Since(begin); n != messages*1000 || took < time.Second {
		t.Errorf("%d events in %v", n, took)
	}
}
