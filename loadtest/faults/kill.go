package faults

import (
	"context"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func killServer(ctx context.Context, w *world, row *Row) error {
	row.Way = "SIGKILL of the process while calls are under way; started again at once on the same directory and ports"
	for range 3 {
		w.server.kill()
		if err := w.start(ctx); err != nil {
			return err
		}
		row.note("started within %.2f s", w.started.Seconds())
		row.over = time.Now().Add(-w.started)
		if _, ok := w.traffic.recovered(ctx, row.over); !ok {
			return nil // the row's own recovery says so
		}
	}
	row.Process = passed("killed on purpose, starts again")
	return nil
}

// remoteEncoder starts a worker and has the server use it.
func remoteEncoder(ctx context.Context, w *world, row *Row) error {
	row.Way = "`embed` with the embedded table as the worker; SIGKILL; 50 items added and titles searched for while it is away; started again"
	addr, err := freePort()
	if err != nil {
		return err
	}
	e := &worker{path: w.options.Server, addr: addr}
	if err := e.start(ctx); err != nil {
		return err
	}
	w.later(func() error { e.process.kill(); return nil })
	w.args = append(w.args, "--encoder", "remote", "--embed-addr", addr)
	w.encoder = e
	return nil
}

// worker is the encoder's process.
type worker struct {
	path, addr string
	process    *process
}

func (e *worker) start(ctx context.Context) error {
	var err error
	if e.process, err = spawn(e.path, []string{"embed", "--listen", e.addr, "--http", ""}, nil); err != nil {
		return err
	}
	for end := time.Now().Add(longestStart); time.Now().Before(end); pause(ctx, 20*time.Millisecond) {
		if conn, err := net.DialTimeout("tcp", e.addr, time.Second); err == nil {
			return conn.Close()
		}
		if !e.process.isUp() {
			return fmt.Errorf("faults: the worker does not start: %s", e.process.log.last())
		}
	}
	return fmt.Errorf("faults: the worker opens no port: %s", e.process.log.last())
}

// freePort is an address that nobody listens on, for a moment.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func killEncoder(ctx context.Context, w *world, row *Row) error {
	if err := w.encoded(ctx); err != nil {
		return err
	}
	w.encoder.process.kill()
	if err := w.addItems(ctx, items, items+50); err != nil {
		return err
	}
	searches, failures := 0, 0
	search := kindredv1.NewRecommendationServiceClient(w.conn)
	for end := time.Now().Add(w.options.Hold); time.Now().Before(end); pause(ctx, 100*time.Millisecond) {
		reply, err := search.SearchItems(ctx, &kindredv1.SearchItemsRequest{Query: "garden hose", Limit: 5})
		searches++
		if err != nil || len(reply.Items) == 0 {
			failures++
			row.note("search: %v", err)
		}
	}
	row.note("without the worker: %d of %d searches answered", searches-failures, searches)
	if failures > 0 {
		row.Process = failed("searches fail without the encoder")
	}
	if err := w.encoder.start(ctx); err != nil {
		return err
	}
	row.over = time.Now()
	if err := w.encoded(ctx); err != nil {
		row.Process = failed(err.Error())
		return nil
	}
	row.note("the catalog, 50 new items with it, was encoded %.2f s after the worker was back", time.Since(row.over).Seconds())
	return nil
}

// encoded waits until the whole catalog has vectors of the worker's.
func (w *world) encoded(ctx context.Context) error {
	admin := kindredv1.NewAdminServiceClient(w.conn)
	var last *kindredv1.TenantStatus
	for end := time.Now().Add(longestRecovery); time.Now().Before(end) && ctx.Err() == nil; pause(ctx, 50*time.Millisecond) {
		reply, err := admin.GetTenant(ctx, &kindredv1.GetTenantRequest{}, grpc.WaitForReady(true))
		if err != nil {
			return fmt.Errorf("faults: ask for the encoding's state: %w", err)
		}
		last = reply.Status
		if last.LogApplied >= 0 && last.Items > 0 && last.EncodedItems == last.Items && last.Encoding.QueuedItems == 0 && !last.Encoding.Bridged {
			return nil
		}
	}
	return fmt.Errorf("faults: not encoded within %v: %v", longestRecovery, last)
}
