package soak

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/kindred-rec/kindred/loadtest/faults"
	"github.com/kindred-rec/kindred/loadtest/load"
)

// Options say how long and how hard.
type Options struct {
	// Server is the service's program, built from ./server.
	Server string
	// Dir is where its store lies; empty: the system's temporary folder.
	Dir string
	// Duration of the judged load, at least 30 s.
	Duration time.Duration
	// Rate of calls a second; 0: Share of the saturation, which is looked for.
	Rate, Share float64
	// Items and Users of the shop.
	Items, Users int
	// TrainEvery is how often the service trains. 0: a third of Duration, at least 20 s.
	TrainEvery time.Duration
	Seed       uint64
	// Progress, if not nil, is told what goes on and the share that is done, from other goroutines.
	Progress func(what string, share float64)
}

func (o *Options) check() error {
	if o.Duration < 30*time.Second {
		return fmt.Errorf("soak: duration %v: at least 30s, and 10m to find anything", o.Duration)
	}
	if o.Rate < 0 || o.Rate == 0 && !(o.Share > 0 && o.Share <= 1) {
		return fmt.Errorf("soak: rate %v and share %v: give a rate above 0, or a share above 0 to 1", o.Rate, o.Share)
	}
	if o.Items < 100 || o.Users < 10 {
		return fmt.Errorf("soak: %d items and %d users: at least 100 and 10", o.Items, o.Users)
	}
	if o.TrainEvery == 0 {
		o.TrainEvery = max(o.Duration/3, 20*time.Second)
	}
	if o.Progress == nil {
		o.Progress = func(string, float64) {}
	}
	return nil
}

// inFlight bounds the calls under way.
const inFlight = 1024

// memtable of the server: a small one, for memory counts when it is first written to, so that one of the default size would
// rise for as long as it takes to fill.
const memtable = "8MiB"

// mix is what is offered, beside the churn of the catalog.
var mix = load.Mix{load.KindRecommend: 0.77, load.KindEvent: 0.2, load.KindPatch: 0.03}

// Run soaks a server. An error with a result is what broke the run; the verdict is Result.Err.
func Run(ctx context.Context, o Options) (result *Result, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp(o.Dir, "kindred-soak-")
	if err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	o.Progress("start", 0)
	server, err := faults.Serve(ctx, o.Server, filepath.Join(root, "data"), "--max-items", fmt.Sprint(2*o.Items+1000), "--memtable", memtable,
		"--train-every", o.TrainEvery.String(), "--train-cores", "1")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	client, err := load.Dial(ctx, load.Target{Addr: server.GRPC, Connections: 4, Timeout: 5 * time.Second})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	shop := newChurn(client.Conn(), o)
	if err := shop.fill(ctx); err != nil {
		return nil, err
	}
	items, err := client.Items(ctx, o.Items)
	if err != nil {
		return nil, err
	}
	result = &Result{Machine: load.MachineFor(server.GRPC), DurationS: o.Duration.Seconds(), Items: o.Items, Users: o.Users, Seed: o.Seed}
	traffic := load.Traffic{Users: load.Population{Count: o.Users, Prefix: "u", Exponent: 1.1}, Items: items}
	plan := load.Plan{Arrivals: load.Poisson, Mix: mix, Duration: o.Duration, WarmUp: 2 * time.Second, InFlight: inFlight, Limit: 10,
		Seed: o.Seed, GiveUp: 20 * time.Second, Rate: o.Rate}
	if plan.Rate == 0 {
		if plan.Rate, err = saturation(ctx, client, plan, traffic, o, result); err != nil {
			return nil, err
		}
	}
	result.Rate = plan.Rate
	return result, soak(ctx, client, server, shop, plan, traffic, o, result)
}

// saturation is the rate that is offered, of a brief search.
func saturation(ctx context.Context, client *load.Client, plan load.Plan, traffic load.Traffic, o Options, r *Result) (float64, error) {
	search := load.Search{Start: 400, Step: 3 * time.Second, P99: 50 * time.Millisecond, Tolerance: 0.25, Attempts: 2}
	_, best, err := client.Saturate(ctx, search, plan, traffic, nil, func(share float64) { o.Progress("saturation", share) })
	if err != nil {
		return 0, err
	}
	r.SaturationRPS = best.Rate
	return best.Rate * o.Share, nil
}

// soak offers the load while the samples are taken and the catalog changes.
func soak(ctx context.Context, client *load.Client, server *faults.Serving, shop *churn, plan load.Plan, traffic load.Traffic, o Options, r *Result) error {
	side, stop := context.WithCancel(ctx)
	defer stop()
	s := &sampler{addr: server.HTTP, client: &http.Client{Timeout: 5 * time.Second}, window: max(min(time.Minute, o.Duration/10), time.Second)}
	var wait sync.WaitGroup
	wait.Go(func() { s.run(side) })
	wait.Go(func() { shop.run(side) })
	step, err := client.Constant(ctx, plan, traffic, func(share float64) { o.Progress("soak", share) })
	stop()
	wait.Wait()
	r.Samples, r.Windows, r.Churn = s.samples, s.windows, shop.count
	r.Errors = map[string]int64{}
	for code, n := range shop.errors {
		r.Errors["catalog: "+code] = n
	}
	if s.failed > 0 {
		r.Errors["metrics not read"] = s.failed
	}
	if words, ended := server.Ended(); ended {
		r.Ended = words
	}
	if step != nil {
		r.take(step)
	}
	return err
}
