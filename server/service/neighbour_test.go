package service_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/quota"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/service"
	served "github.com/kindred-rec/kindred/server/shop"
	"github.com/kindred-rec/kindred/server/store"
)

// BenchmarkNeighbour measures a tenant's latency at 200 requests a second, alone and beside a
// tenant that sends ten times its quota of 200 a second. Rounds of both kinds take turns. What
// the load itself takes of the machine is in the second figure: compare on one with cores to
// spare.
//
//	go test ./server/service -run XXX -bench Neighbour -benchtime 10x
func BenchmarkNeighbour(b *testing.B) {
	const quotaRate, offered, quiet = 200, 2000, 200
	svc, err := service.Start(context.Background(), service.Config{
		Data: b.TempDir(), GRPC: "127.0.0.1:0", Store: store.DefaultOptions(), Shop: served.Config{MaxItems: 1 << 13},
		Quotas: quota.Settings{Tenants: map[string]record.Quota{"hostile": {Requests: quotaRate}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer svc.Stop()
	clients := map[string]kindredv1.RecommendationServiceClient{}
	for _, name := range []string{"hostile", "neighbour"} {
		conn := tenantOf(b, svc, name)
		defer conn.Close()
		must(kindredv1.NewCatalogServiceClient(conn).UpsertItems(context.Background(), &kindredv1.UpsertItemsRequest{Items: shelf()}))
		clients[name] = kindredv1.NewRecommendationServiceClient(conn)
	}
	round := func(beside bool) (took []time.Duration, let, refused int64) {
		var all sync.WaitGroup
		if beside {
			all.Go(func() { let, refused = flood(b, clients["hostile"], offered, time.Second) })
		}
		took = steady(b, clients["neighbour"], quiet, time.Second)
		all.Wait()
		return took, let, refused
	}
	var alone, beside []time.Duration
	var let, refused, rounds int64
	round(false) // connections are made
	for b.Loop() {
		took, _, _ := round(false)
		alone = append(alone, took...)
		more, in, out := round(true)
		beside, let, refused, rounds = append(beside, more...), let+in, refused+out, rounds+1
	}
	if refused < rounds*offered/2 {
		b.Fatalf("%d of the hostile tenant's calls were refused in %d s: it was not past its quota", refused, rounds)
	}
	p99 := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)*99/100].Microseconds())
	}
	b.ReportMetric(p99(alone), "p99-alone-us")
	b.ReportMetric(p99(beside), "p99-beside-us")
	b.ReportMetric(100*(p99(beside)/p99(alone)-1), "slower-%")
	b.ReportMetric(float64(let)/float64(rounds), "hostile-served/s")
	b.ReportMetric(float64(refused)/float64(rounds), "hostile-refused/s")
}

// tenantOf makes a tenant and connects as its admin.
func tenantOf(b *testing.B, svc *service.Service, name string) *grpc.ClientConn {
	if _, err := svc.Tenants().Create(context.Background(), record.Tenant{Name: name, Created: time.Now()}); err != nil {
		b.Fatal(err)
	}
	secret, _ := svc.Lend(name, record.RoleAdmin, name)
	conn, err := grpc.NewClient(svc.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(bearer(secret)))
	if err != nil {
		b.Fatal(err)
	}
	return conn
}

// steady calls at a rate, each call at its time whatever became of those before, and returns
// how long after its time each was answered.
func steady(b *testing.B, c kindredv1.RecommendationServiceClient, rate int, long time.Duration) []time.Duration {
	took := make([]time.Duration, int(long.Seconds()*float64(rate)))
	open(rate, len(took), func(i int, due time.Time) {
		if _, err := c.Recommend(context.Background(), &kindredv1.RecommendRequest{Subject: user("u")}); err != nil {
			b.Error(err)
		}
		took[i] = time.Since(due)
	})
	return took
}

// flood calls at a rate and counts what is answered and what is refused.
func flood(b *testing.B, c kindredv1.RecommendationServiceClient, rate int, long time.Duration) (let, refused int64) {
	var in, out atomic.Int64
	open(rate, int(long.Seconds()*float64(rate)), func(int, time.Time) {
		switch _, err := c.Recommend(context.Background(), &kindredv1.RecommendRequest{Subject: user("u")}); status.Code(err) {
		case codes.OK:
			in.Add(1)
		case codes.ResourceExhausted:
			out.Add(1)
		default:
			b.Error(err)
		}
	})
	return in.Load(), out.Load()
}

// open makes n calls at a rate and waits for them.
func open(rate, n int, call func(i int, due time.Time)) {
	var all sync.WaitGroup
	begin := time.Now()
	for i := range n {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		all.Go(func() { call(i, due) })
	}
	all.Wait()
}
