package service_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/quota"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/service"
)

// metric returns the value of one line of the metrics; "" if there is none.
func (s *shop) metric(line string) string {
	s.t.Helper()
	for l := range strings.Lines(get(s.t, "http://"+s.service.HTTPAddr()+"/metrics")) {
		if value, ok := strings.CutPrefix(l, line+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// becomes waits until a metric has a value.
func (s *shop) becomes(line, want string) {
	s.t.Helper()
	got := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got = s.metric(line); got == want {
			return
		}
	}
	s.t.Errorf("%s is %q, want %s", line, got, want)
}

func TestTheMetricsTellStagesCachesAndWhatCameOfLists(t *testing.T) {
	s := start(t, func(c *service.Config) { c.HTTP = "127.0.0.1:0" })
	s.upsert(shelf()...)
	s.applied(s.write(view("1", "u", "pen-1")).WriteToken)
	lists := func() string {
		return s.metric(`kindred_online_lists_total{outcome="served",policy="default",tenant="default"}`)
	}
	before := lists()
	list := s.recommend(&kindredv1.RecommendRequest{Subject: user("u")})
	if after := lists(); after == before || after == "" {
		t.Errorf("lists served were %q and are %q", before, after)
	}
	click := act("2", "u", kindredv1.EventType_EVENT_TYPE_CLICK, "pen-2")
	click.RecommendationId = list.RecommendationId
	again := act("3", "u", kindredv1.EventType_EVENT_TYPE_CLICK, "pen-3")
	again.RecommendationId = list.RecommendationId
	stray := act("4", "u", kindredv1.EventType_EVENT_TYPE_PURCHASE, "pen-3")
	stray.RecommendationId = "made-up"
	s.write(click, again, stray)
	s.becomes(`kindred_online_lists_total{outcome="clicked",policy="default",tenant="default"}`, "1")
	s.becomes("kindred_online_unmatched_total", "1")
	if n := s.metric(`kindred_stage_seconds_count{stage="rank"}`); n == "" || n == "0" {
		t.Errorf("%q rankings were timed", n)
	}
	if n := s.metric(`kindred_tenant_profile_reads_total{from="memory",tenant="default"}`); n == "" || n == "0" {
		t.Errorf("%q profiles were in memory", n)
	}
}

func TestEveryCallHasARequestID(t *testing.T) {
	s := start(t)
	var header metadata.MD
	given := metadata.AppendToOutgoingContext(ctx(t), "x-request-id", "order-7")
	_, err := s.Recommend(given, &kindredv1.RecommendRequest{Subject: user("u")}, grpc.Header(&header))
	if err != nil || fmt.Sprint(header.Get("x-request-id")) != "[order-7]" {
		t.Errorf("%v: header %v", err, header)
	}
	header = nil
	_, err = s.Recommend(ctx(t), &kindredv1.RecommendRequest{PageToken: "no token"}, grpc.Header(&header))
	code(t, err, codes.InvalidArgument)
	if id := header.Get("x-request-id"); len(id) != 1 || len(id[0]) != 16 {
		t.Errorf("a refused call's header %v", header)
	}
}

func TestHealthIsToldByNameOfService(t *testing.T) {
	s := start(t, func(c *service.Config) { c.HTTP = "127.0.0.1:0" })
	health := healthpb.NewHealthClient(s.conn)
	for _, name := range []string{"", "kindred.v1.RecommendationService", "kindred.v1.EventService", "kindred.v1.CatalogService"} {
		reply, err := health.Check(ctx(t), &healthpb.HealthCheckRequest{Service: name})
		if err != nil || reply.Status != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v, %v", name, reply, err)
		}
	}
	_, err := health.Check(ctx(t), &healthpb.HealthCheckRequest{Service: "kindred.v1.Nothing"})
	code(t, err, codes.NotFound)
	reply, err := http.Get("http://" + s.service.HTTPAddr() + "/readyz")
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Errorf("ready: %v, %v", reply, err)
	}
	if err == nil {
		reply.Body.Close()
	}
}

func TestSettingsChangeWhileTheServiceRuns(t *testing.T) {
	s := start(t, func(c *service.Config) { c.Shop.RankingAge, c.HTTP = time.Minute, "127.0.0.1:0" })
	s.upsert(shelf()...)
	s.applied(s.write(view("1", "u", "pen-1")).WriteToken)
	tenant, err := s.service.Tenants().Get("default")
	if err != nil {
		t.Fatal(err)
	}
	reused := func() bool {
		before := tenant.Status().RankingsReused
		for range 3 {
			s.recommend(&kindredv1.RecommendRequest{Subject: user("u")})
		}
		return tenant.Status().RankingsReused > before
	}
	if !reused() {
		t.Fatal("with a ranking age of a minute nothing is reused")
	}
	live := service.Live{RankingAge: -1, Origins: []string{"https://shop.example"}, Quotas: quota.Settings{Tenant: record.Quota{Requests: 0.001}}}
	if err := s.service.Change(service.Live{RankingAge: -1}); err != nil {
		t.Fatal(err)
	}
	if reused() {
		t.Error("without a ranking age a ranking is reused")
	}
	if err := s.service.Change(service.Live{RankingAge: time.Hour}); err == nil {
		t.Error("a ranking age of an hour is taken")
	}
	if got := preflight(t, s.service.HTTPAddr()); got != http.StatusForbidden {
		t.Errorf("a page of an origin that may not call: %d", got)
	}
	if err := s.service.Change(live); err != nil {
		t.Fatal(err)
	}
	if got := preflight(t, s.service.HTTPAddr()); got != http.StatusNoContent {
		t.Errorf("a page of an origin that may call now: %d", got)
	}
	_, err = s.Recommend(ctx(t), &kindredv1.RecommendRequest{Subject: user("u")}) // the last there is for a long time
	if err == nil {
		_, err = s.Recommend(ctx(t), &kindredv1.RecommendRequest{Subject: user("u")})
	}
	code(t, err, codes.ResourceExhausted)
}

// preflight asks as a page of a shop does, and returns the status.
func preflight(t *testing.T, addr string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodOptions, "http://"+addr+"/kindred.v1.RecommendationService/Recommend", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "https://shop.example")
	req.Header.Set("Access-Control-Request-Method", "POST")
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	return reply.StatusCode
}
