package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// crowd calls a service until its health says that it serves no more, as a client behind
// a balancer does.
type crowd struct {
	conn         *grpc.ClientConn
	leave        atomic.Bool
	done, failed atomic.Int64
	firstFault   atomic.Pointer[error]
	members      sync.WaitGroup
}

func gather(t *testing.T, addr string, members int) *crowd {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &crowd{conn: conn}
	watch, err := healthpb.NewHealthClient(conn).Watch(t.Context(), &healthpb.HealthCheckRequest{Service: "kindred.v1.RecommendationService"})
	if err != nil {
		t.Fatal(err)
	}
	first, err := watch.Recv()
	if err != nil || first.Status != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("at first: %v, %v", first, err)
	}
	c.members.Go(func() {
		if next, err := watch.Recv(); err != nil || next.Status != healthpb.HealthCheckResponse_NOT_SERVING {
			c.fault(fmt.Errorf("the watch of health said %v, %w", next, err))
		}
		c.leave.Store(true)
	})
	for i := range members {
		c.members.Go(func() { c.call(fmt.Sprint("u", i)) })
	}
	return c
}

func (c *crowd) call(user string) {
	client := kindredv1.NewRecommendationServiceClient(c.conn)
	for !c.leave.Load() {
		_, err := client.Recommend(context.Background(), &kindredv1.RecommendRequest{
			Subject: &kindredv1.Subject{UserId: user},
		})
		if err != nil {
			c.fault(err)
			return
		}
		c.done.Add(1)
	}
}

func (c *crowd) fault(err error) {
	c.failed.Add(1)
	c.firstFault.CompareAndSwap(nil, &err)
}

// page returns the status of a page.
func page(t *testing.T, url string) (int, string) {
	t.Helper()
	reply, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, _ := io.ReadAll(reply.Body)
	return reply.StatusCode, string(body)
}

// TestAStopUnderLoadFailsNoRequest sends SIGTERM to a process that is called all the time.
// Its callers leave when its health says so; none of their calls may fail.
func TestAStopUnderLoadFailsNoRequest(t *testing.T) {
	var log book
	p := startKindred(t, &log, "--drain-delay", "3s", "--drain", "1m")
	if code, body := page(t, "http://"+p.http+"/readyz"); code != http.StatusOK {
		t.Fatalf("ready: %d %s", code, body)
	}
	c := gather(t, p.grpc, 8)
	for end := time.Now().Add(time.Minute); c.done.Load() < 200 && c.failed.Load() == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	p.signal(syscall.SIGTERM)
	log.await(t, "not ready any more")
	if code, body := page(t, "http://"+p.http+"/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("ready while it drains: %d %s", code, body)
	}
	if code, _ := page(t, "http://"+p.http+"/healthz"); code != http.StatusOK {
		t.Errorf("alive while it drains: %d", code)
	}
	c.members.Wait()
	c.conn.Close()
	if n := c.failed.Load(); n > 0 {
		t.Errorf("%d calls failed, the first with: %v", n, *c.firstFault.Load())
	}
	if c.done.Load() < 200 {
		t.Errorf("%d calls were made, too few to tell", c.done.Load())
	}
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("it ended with %v:\n%s", err, log.String())
		}
	case <-time.After(2 * time.Minute):
		t.Errorf("it did not end:\n%s", log.String())
	}
}
