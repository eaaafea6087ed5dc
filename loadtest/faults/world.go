package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// users and items of a world: enough for lists of ten.
const (
	users = 60
	items = 300
)

func userID(n int) string { return fmt.Sprintf("u%d", n) }
func itemID(n int) string { return fmt.Sprintf("item-%d", n) }

// world is one server over one directory, with traffic.
type world struct {
	options Options
	root    string // temporary; data is below it
	data    string
	args    []string // of the server beside its directory and ports

	server     *process
	grpc, http string
	started    time.Duration // of the last start, until it served
	catcher    *catcher      // of system calls; nil: the server runs without a filter
	delay      *delay        // of syncs, by the catcher
	clock      *shifted      // by the catcher
	encoder    *worker       // nil: the embedded table

	conn    *grpc.ClientConn
	ledger  *ledger
	traffic *traffic
	ends    []func() error // run by close, last first
}

func newWorld(o Options) (*world, error) {
	root, err := os.MkdirTemp(o.Dir, "kindred-faults-")
	if err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	w := &world{options: o, root: root, data: filepath.Join(root, "data"), ledger: newLedger(o.Seed)}
	w.later(func() error { return os.RemoveAll(root) })
	return w, nil
}

func (w *world) later(end func() error) { w.ends = append(w.ends, end) }

// close ends all that the world began.
func (w *world) close() error {
	var errs []error
	if w.traffic != nil {
		w.traffic.stop()
	}
	if w.conn != nil {
		errs = append(errs, w.conn.Close())
	}
	if w.server != nil {
		w.server.kill()
	}
	for i := len(w.ends) - 1; i >= 0; i-- {
		errs = append(errs, w.ends[i]())
	}
	return errors.Join(errs...)
}

// start starts the server, on the ports of its last start if there was one.
func (w *world) start(ctx context.Context) error {
	grpcAddr, httpAddr := w.grpc, w.http
	if grpcAddr == "" {
		grpcAddr, httpAddr = "127.0.0.1:0", "127.0.0.1:0"
	}
	args := append([]string{"serve", "--data", w.data, "--grpc", grpcAddr, "--http", httpAddr,
		"--max-items", "8192", "--memtable", "8MiB", "--log-level", "info"}, w.args...)
	began := time.Now()
	var err error
	if w.catcher != nil {
		w.server, err = w.catcher.spawn(w.options.Server, args)
	} else {
		w.server, err = spawn(w.options.Server, args, nil)
	}
	if err != nil {
		return err
	}
	w.grpc, w.http, err = w.server.ports(ctx)
	if err != nil {
		w.grpc, w.http = grpcAddr, httpAddr
		w.server.kill()
		return err
	}
	w.started = time.Since(began)
	return nil
}

// reconnect tries a lost connection again within a fraction of a second, so that recovery is the server's.
var reconnect = backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: 300 * time.Millisecond}

// dial opens a connection to the server.
func (w *world) dial(options ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+w.grpc, append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16 << 20)),
	}, options...)...)
}

// populate starts the server, fills it and begins the traffic.
func (w *world) populate(ctx context.Context) error {
	if err := w.start(ctx); err != nil {
		return err
	}
	var err error
	if w.conn, err = w.dial(); err != nil {
		return fmt.Errorf("faults: dial %s: %w", w.grpc, err)
	}
	if err := w.addItems(ctx, 0, items); err != nil {
		return err
	}
	for range 5 { // a past, so that there is something to rank by
		number, events := w.ledger.batch(100)
		reply, err := kindredv1.NewEventServiceClient(w.conn).WriteEvents(ctx, &kindredv1.WriteEventsRequest{Events: events})
		if err != nil {
			return fmt.Errorf("faults: fill the log: %w", err)
		}
		w.ledger.close(number, reply)
	}
	w.traffic = newTraffic(ctx, w.conn, w.ledger)
	if _, ok := w.traffic.recovered(ctx, time.Now()); !ok {
		return fmt.Errorf("faults: the server does not answer before any fault: %s", w.server.log.last())
	}
	pause(ctx, w.options.Settle)
	w.traffic.begin()
	return nil
}

var kindsOfThings = []string{"Gel pen", "Garden hose", "Folding chair", "Desk lamp", "Tea kettle", "Wool blanket"}

func (w *world) addItems(ctx context.Context, from, to int) error {
	req := &kindredv1.UpsertItemsRequest{}
	for i := from; i < to; i++ {
		kind := kindsOfThings[i%len(kindsOfThings)]
		req.Items = append(req.Items, &kindredv1.Item{Id: itemID(i), Title: fmt.Sprintf("%s number %d", kind, i), Categories: []string{kind}})
	}
	reply, err := kindredv1.NewCatalogServiceClient(w.conn).UpsertItems(ctx, req, grpc.WaitForReady(true))
	if err != nil {
		return fmt.Errorf("faults: fill the catalog: %w", err)
	}
	if len(reply.Errors) > 0 {
		return fmt.Errorf("faults: fill the catalog: %v", reply.Errors[0])
	}
	return nil
}

// retry sends the events without an answer again.
func (w *world) retry(ctx context.Context) (batches int, err error) {
	for number, events := range w.ledger.left() {
		reply, err := kindredv1.NewEventServiceClient(w.conn).WriteEvents(ctx, &kindredv1.WriteEventsRequest{Events: events}, grpc.WaitForReady(true))
		if err != nil {
			return batches, fmt.Errorf("faults: an event batch sent again: %w", err)
		}
		w.ledger.close(number, reply)
		batches++
	}
	return batches, nil
}

// stored counts the events of the log by id.
func (w *world) stored(ctx context.Context) (map[string]int, error) {
	stream, err := kindredv1.NewAdminServiceClient(w.conn).ExportEvents(ctx, &kindredv1.ExportEventsRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return nil, err
	}
	found := map[string]int{}
	for {
		page, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		for _, e := range page.Events {
			found[e.Id]++
		}
	}
}

// restart stops the server in order, if it runs, and starts it again.
func (w *world) restart(ctx context.Context) error {
	if err := w.server.stop(); err != nil {
		return err
	}
	return w.start(ctx)
}

// settle ends the traffic, sends again what had no answer, restarts, and checks the log.
func (w *world) settle(ctx context.Context) (Data, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	w.traffic.stop()
	if !w.server.isUp() {
		if err := w.start(ctx); err != nil {
			return Data{}, err
		}
	}
	retried, err := w.retry(ctx)
	if err != nil {
		return Data{}, err
	}
	if err := w.restart(ctx); err != nil {
		return Data{}, err
	}
	found, err := w.stored(ctx)
	if err != nil {
		return Data{}, fmt.Errorf("faults: read the log back: %w", err)
	}
	d := w.ledger.check(found)
	d.Retried = retried
	return d, w.server.stop()
}

// pause waits, or less if the context ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
