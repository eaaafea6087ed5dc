package restart

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/kindred-rec/kindred/loadtest/faults"
	"github.com/kindred-rec/kindred/loadtest/internal/scrape"
	"github.com/kindred-rec/kindred/loadtest/load"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Options say what the store holds.
type Options struct {
	// Server is the service's program, built from ./server.
	Server string
	// Args are further arguments of it.
	Args []string
	// Dir is where its store lies, on the disk that counts; empty: the system's temporary folder.
	Dir string
	// Items of the catalog, Users, at least 1 each, and Events of theirs, at least one a user.
	Items, Users, Events int
	// Tail is how many further events are acknowledged before the last kill.
	Tail int
	// Progress, if not nil, is told what goes on and the share that is done.
	Progress func(what string, share float64)
}

func (o *Options) check() error {
	if o.Items < 1 || o.Users < 1 || o.Events < o.Users || o.Tail < 0 {
		return fmt.Errorf("restart: %d items, %d users, %d events and a tail of %d: give at least 1 item and user, an event a user, and a tail of 0 or more",
			o.Items, o.Users, o.Events, o.Tail)
	}
	if o.Progress == nil {
		o.Progress = func(string, float64) {}
	}
	return nil
}

// Run fills a store and times three starts over it.
func Run(ctx context.Context, o Options) (result *Result, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp(o.Dir, "kindred-restart-")
	if err != nil {
		return nil, fmt.Errorf("restart: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	r := &runner{options: o, data: filepath.Join(root, "data")}
	defer func() { err = errors.Join(err, r.close()) }()
	if _, err := r.start(ctx, "empty"); err != nil {
		return nil, err
	}
	result = &Result{Machine: load.MachineFor(r.server.GRPC), Items: o.Items, Users: o.Users, Events: o.Events, Tail: o.Tail}
	if err := r.fill(ctx); err != nil {
		return nil, err
	}
	for i, end := range ends {
		o.Progress(end.name, float64(i)/float64(len(ends)))
		start, err := end.run(ctx, r, end.name)
		if err != nil {
			return nil, fmt.Errorf("restart: %s: %w", end.name, err)
		}
		result.Starts = append(result.Starts, *start)
	}
	return result, nil
}

// ends are the ways in which the process ends before it is started again.
var ends = []struct {
	name string
	run  func(ctx context.Context, r *runner, name string) (*Start, error)
}{
	{"killed after the filling", func(ctx context.Context, r *runner, name string) (*Start, error) {
		r.server.Kill()
		return r.start(ctx, name)
	}},
	{"stopped in order", func(ctx context.Context, r *runner, name string) (*Start, error) {
		if err := r.server.Stop(); err != nil {
			return nil, err
		}
		return r.start(ctx, name)
	}},
	{"killed after the tail", func(ctx context.Context, r *runner, name string) (*Start, error) {
		if err := writeEvents(ctx, r.conn, r.written, r.written+r.options.Tail, r.options); err != nil {
			return nil, err
		}
		r.written += r.options.Tail
		r.server.Kill()
		return r.start(ctx, name)
	}},
}

// runner owns the process and the connection to it.
type runner struct {
	options Options
	data    string
	server  *faults.Serving
	conn    *grpc.ClientConn
	written int // events
	items   int
}

func (r *runner) close() error {
	var err error
	if r.conn != nil {
		err = r.conn.Close()
	}
	if r.server != nil {
		r.server.Kill()
	}
	return err
}

// start starts the process, and checks what it has.
func (r *runner) start(ctx context.Context, name string) (*Start, error) {
	began := time.Now()
	server, err := faults.Serve(ctx, r.options.Server, r.data, r.options.Args...)
	if err != nil {
		return nil, err
	}
	r.server = server
	if err := ready(ctx, server.HTTP); err != nil {
		return nil, err
	}
	s := &Start{After: name, ReadyS: time.Since(began).Seconds()}
	used, err := scrape.Read(ctx, http.DefaultClient, server.HTTP)
	if err != nil {
		return nil, err
	}
	s.ProcessorS, s.ResidentMB = used[scrape.ProcessorSeconds], used[scrape.ResidentBytes]/1e6
	s.Stages = stagesIn(server.Log())
	if r.conn != nil {
		_ = r.conn.Close() // of the process before
	}
	if r.conn, err = grpc.NewClient(server.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		return nil, err
	}
	return s, r.whole(ctx)
}

// ready returns when /readyz says 200.
func ready(ctx context.Context, addr string) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
		if err != nil {
			return err
		}
		reply, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("restart: readiness: %w", err)
		}
		reply.Body.Close()
		if reply.StatusCode == http.StatusOK {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// whole reports an error if the server lacks something that was acknowledged, or does not use it.
func (r *runner) whole(ctx context.Context) error {
	st, err := r.status(ctx)
	if err != nil {
		return err
	}
	if int(st.Items) != r.items || int(st.Events) != r.written || st.LogApplied != st.LogHead {
		return fmt.Errorf("the server has %d items and %d events, applied up to %d of %d; written are %d and %d",
			st.Items, st.Events, st.LogApplied, st.LogHead, r.items, r.written)
	}
	if r.written == 0 {
		return nil
	}
	list, err := kindredv1.NewRecommendationServiceClient(r.conn).Recommend(ctx, &kindredv1.RecommendRequest{
		Subject: &kindredv1.Subject{UserId: userID(0)}, Limit: 10,
	})
	if err != nil {
		return err
	}
	if list.Tier != kindredv1.Tier_TIER_PERSONALIZED || len(list.Items) == 0 {
		return fmt.Errorf("a user with a history gets %d items of %v", len(list.Items), list.Tier)
	}
	return nil
}

func (r *runner) status(ctx context.Context) (*kindredv1.TenantStatus, error) {
	reply, err := kindredv1.NewAdminServiceClient(r.conn).GetTenant(ctx, &kindredv1.GetTenantRequest{})
	return reply.GetStatus(), err
}

// fill writes catalog and log, and waits until all of it serves.
func (r *runner) fill(ctx context.Context) error {
	o := r.options
	o.Progress("write the catalog", 0)
	if err := writeItems(ctx, r.conn, o); err != nil {
		return err
	}
	r.items = o.Items
	const parts = 20
	for part := range parts {
		o.Progress("write events", float64(part)/parts)
		if err := writeEvents(ctx, r.conn, o.Events*part/parts, o.Events*(part+1)/parts, o); err != nil {
			return err
		}
	}
	r.written = o.Events
	for rest := 0; rest < restingChecks; rest++ {
		st, err := r.status(ctx)
		if err != nil {
			return err
		}
		if !r.settled(st) {
			rest = -1
		}
		o.Progress("wait for the index", st.Index.GetBuildingProgress())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return nil
}

// restingChecks is how many checks, a second apart, must find nothing under way.
const restingChecks = 3

// settled says whether all that was written serves and a graph, where one does, is on disk.
func (r *runner) settled(st *kindredv1.TenantStatus) bool {
	index := st.GetIndex()
	return st.LogApplied == st.LogHead && int(st.EncodedItems) == r.items && int(index.GetItems()) == r.items &&
		index.GetBuildingEngine() == "" && (index.GetEngine() != "hnsw" || index.GetSnapshotTime() != nil)
}
