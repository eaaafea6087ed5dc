package tenants

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
	"github.com/kindred-rec/kindred/loadtest/internal/scrape"
	"github.com/kindred-rec/kindred/loadtest/load"
)

// Options say how hard and how often.
type Options struct {
	// Server is the service's program, built from ./server.
	Server string
	// Args are further flags of serve, such as "--key-calls=8".
	Args []string
	// Client is the command line of a load client, such as {"./loadtest", "load"}. It makes the flood, and is given flags of
	// `loadtest load`.
	Client []string
	// Dir is where its store lies; empty: the system's temporary folder.
	Dir string
	// Rounds are 2 to 1,000, each of two halves of Half, at least a second.
	Rounds int
	Half   time.Duration
	// Rate is the neighbour's, calls a second; Quota the hostile tenant's bound, and Times how many times that it sends. All
	// are above 0, and Times above 1.
	Rate, Quota, Times float64
	// Items of each catalog, 100 to 100,000.
	Items int
	Seed  uint64
	// Progress, if not nil, is told the share that is done.
	Progress func(share float64)
}

func (o *Options) check() error {
	switch {
	case o.Rounds < 2 || o.Rounds > 1000:
		return fmt.Errorf("tenants: %d rounds: give 2 to 1,000", o.Rounds)
	case o.Half < time.Second:
		return fmt.Errorf("tenants: halves of %v: give at least 1s", o.Half)
	case len(o.Client) == 0:
		return errors.New("tenants: no client to make the flood: name a program")
	case !(o.Rate > 0 && o.Quota > 0 && o.Times > 1):
		return fmt.Errorf("tenants: rate %v, quota %v, times %v: give a rate and a quota above 0, and times above 1", o.Rate, o.Quota, o.Times)
	case o.Items < 100 || o.Items > 100_000:
		return fmt.Errorf("tenants: %d items: give 100 to 100,000", o.Items)
	}
	if o.Progress == nil {
		o.Progress = func(float64) {}
	}
	return nil
}

const (
	hostile   = "hostile"
	neighbour = "neighbour"
	inFlight  = 1024
	users     = 2000
	// connections of each of the two
	connections = 4
)

// Run measures. An error with a result is what broke the run; the verdict is Result.Err.
func Run(ctx context.Context, o Options) (result *Result, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	root, err := os.MkdirTemp(o.Dir, "kindred-tenants-")
	if err != nil {
		return nil, fmt.Errorf("tenants: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	args := append([]string{"--max-items", fmt.Sprint(2*o.Items + 1000), "--tenant-quota", fmt.Sprintf("%s=%g:0:0", hostile, o.Quota)}, o.Args...)
	server, err := faults.Serve(ctx, o.Server, filepath.Join(root, "data"), args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	t := &trial{options: o, server: server}
	if t.hostileKey, err = join(ctx, server.GRPC, hostile, o.Items); err != nil {
		return nil, err
	}
	key, err := join(ctx, server.GRPC, neighbour, o.Items)
	if err != nil {
		return nil, err
	}
	if t.neighbour, err = dial(ctx, server.GRPC, key); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.neighbour.Close()) }()
	result = &Result{Machine: load.MachineFor(server.GRPC), Rate: o.Rate, Quota: o.Quota, Times: o.Times, HalfS: o.Half.Seconds(), FloodS: o.floodFor().Seconds(), Items: o.Items, Seed: o.Seed}
	err = t.rounds(ctx, result)
	result.conclude()
	return result, err
}

// trial is a server with its two tenants.
type trial struct {
	options    Options
	server     *faults.Serving
	hostileKey string
	neighbour  *load.Client
}

func (t *trial) rounds(ctx context.Context, r *Result) error {
	if _, err := t.half(ctx, true, 0); err != nil { // caches, connections
		return err
	}
	for n := range t.options.Rounds {
		round := Round{}
		for i := range 2 {
			beside := (i == 1) == (n%2 == 0)
			h, err := t.half(ctx, beside, uint64(1+2*n+i))
			if err != nil {
				return err
			}
			if beside {
				round.Beside = h
			} else {
				round.Alone = h
			}
		}
		r.Rounds = append(r.Rounds, round)
		t.options.Progress(float64(n+1) / float64(t.options.Rounds))
	}
	return nil
}

// half is one part of a round.
func (t *trial) half(ctx context.Context, beside bool, number uint64) (h Half, err error) {
	before, err := processorTime(ctx, t.server.HTTP)
	if err != nil {
		return h, err
	}
	var wait sync.WaitGroup
	var flood *load.Step
	var floodErr error
	if beside {
		wait.Go(func() { flood, floodErr = t.flood(ctx, t.options.Seed+2*number) })
		time.Sleep(lead)
	}
	step, err := t.call(ctx, t.options.Seed+2*number+1)
	wait.Wait()
	if err = errors.Join(err, floodErr); err != nil {
		return h, err
	}
	after, err := processorTime(ctx, t.server.HTTP)
	if err != nil {
		return h, err
	}
	return halfOf(step, flood, after-before), nil
}

// call is the neighbour's open loop of Recommend.
func (t *trial) call(ctx context.Context, seed uint64) (*load.Step, error) {
	plan := load.Plan{Arrivals: load.Poisson, Mix: load.Mix{load.KindRecommend: 1}, Duration: t.options.Half, WarmUp: warmUpOf(t.options.Half), InFlight: inFlight, Limit: 10,
		Seed: seed, GiveUp: 20 * time.Second, Rate: t.options.Rate}
	return t.neighbour.Constant(ctx, plan, load.Traffic{Users: load.Population{Count: users, Prefix: "u", Exponent: 1.1}}, nil)
}

func warmUpOf(half time.Duration) time.Duration { return half / 10 }

// processorTime is what the server has used so far, in seconds.
func processorTime(ctx context.Context, addr string) (float64, error) {
	page, err := scrape.Read(ctx, http.DefaultClient, addr)
	if err != nil {
		return 0, err
	}
	used, told := page[scrape.ProcessorSeconds]
	if !told {
		return 0, errors.New("tenants: the server's metrics do not tell its processor time")
	}
	return used, nil
}
