package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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
	// Serve are further flags of the server, such as "--memory=512MiB".
	Serve []string
	Seed  uint64
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

// memtable of the server: half of the default, for memory counts when it is first written to, so that one of the default size would
// rise for as long as it takes to fill.
const memtable = "32MiB"

// epochs of a training: few, so that one ends on a machine that is busy: what is looked for is what trainings leave behind.
const epochs = "4"

// mix is what is offered, beside the churn.
var mix = load.Mix{load.KindRecommend: 0.77, load.KindEvent: 0.2, load.KindPatch: 0.03}

// editions is how many times everything changes in the time that is judged.
const editions = 30

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
	data := filepath.Join(root, "data")
	key, err := createKey(ctx, o.Server, data)
	if err != nil {
		return nil, err
	}
	server, err := faults.Serve(ctx, o.Server, data, o.serveFlags()...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	client, err := load.Dial(ctx, load.Target{Addr: server.GRPC, Key: key, Connections: 4, Timeout: callTimeout})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	s := &soaking{Options: o, data: data, key: key, server: server, client: client, shop: newChurn(client.Conn(), o)}
	return s.run(ctx)
}

// callTimeout bounds each call of the load. Imports have no bound but the test's.
const callTimeout = 5 * time.Second

// serveFlags are those of the server; what the caller gives counts last.
func (o *Options) serveFlags() []string {
	return append([]string{"--max-items", fmt.Sprint(2*o.Items + 1000), "--memtable", memtable, "--engine", "hnsw",
		"--decision-ttl", max(o.Duration/6, 5*time.Second).String(), "--train-every", o.TrainEvery.String(), "--train-cores", "1", "--train-epochs", epochs}, o.Serve...)
}

// createKey makes a key of role admin in the server's store: with it every call is authenticated.
func createKey(ctx context.Context, server, data string) (string, error) {
	command := exec.CommandContext(ctx, server, "keys", "create", "--data", data, "--role", "admin", "--name", "soak", "--json")
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("soak: make an API key: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	var made struct{ Secret string }
	if err := json.Unmarshal(out, &made); err != nil {
		return "", fmt.Errorf("soak: make an API key: %w", err)
	}
	return made.Secret, nil
}

// soaking is a soak of a server that serves.
type soaking struct {
	Options
	data   string
	key    string
	server *faults.Serving
	client *load.Client
	shop   *churn
}

// run fills the server, looks for the rate, and soaks.
func (s *soaking) run(ctx context.Context) (*Result, error) {
	s.Progress("fill", 0)
	if err := s.shop.fill(ctx); err != nil {
		return nil, err
	}
	s.Progress("first model", 0)
	if err := s.learn(ctx); err != nil {
		return nil, err
	}
	items, err := s.lasting(ctx)
	if err != nil {
		return nil, err
	}
	r := &Result{Machine: load.MachineFor(s.server.GRPC), DurationS: s.Duration.Seconds(), Items: s.Items, Users: s.Users, Seed: s.Seed,
		TrainEveryS: s.TrainEvery.Seconds(), Errors: map[string]int64{}}
	traffic := load.Traffic{Users: load.Population{Count: s.Users, Prefix: "u", Exponent: 1.1}, Items: items}
	plan := load.Plan{Arrivals: load.Poisson, Mix: mix, Duration: s.Duration, WarmUp: 2 * time.Second, InFlight: inFlight, Limit: 10,
		Seed: s.Seed, GiveUp: 20 * time.Second, Rate: s.Rate}
	if plan.Rate == 0 {
		if plan.Rate, err = s.saturation(ctx, plan, traffic, r); err != nil {
			return nil, err
		}
	}
	r.Rate = plan.Rate
	return r, s.soak(ctx, plan, traffic, r)
}

// keptButNotPromoted is how train ends with a model that the thresholds hold back.
const keptButNotPromoted = 5

// learn trains a model and has it serve, before anything is measured: a service that has learned costs more than one that
// has not, and that step is no leak.
func (s *soaking) learn(ctx context.Context) error {
	command := exec.CommandContext(ctx, s.Server, "train", "--addr", s.server.GRPC, "--epochs", epochs, "--promote")
	command.Env = append(os.Environ(), "KINDRED_KEY="+s.key)
	out, err := command.CombinedOutput()
	var ended *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ended) && ended.ExitCode() == keptButNotPromoted:
		return s.shop.promote(ctx)
	}
	return fmt.Errorf("soak: train the first model: %w: %s", err, bytes.TrimSpace(out))
}

// lasting are the items that no edition deletes: events and patches are of these.
func (s *soaking) lasting(ctx context.Context) ([]load.Item, error) {
	items, err := s.client.Items(ctx, 2*s.Items)
	return slices.DeleteFunc(items, func(it load.Item) bool { return !strings.HasPrefix(it.ID, "item-") }), err
}

// searchP99 is the bound of the search for the saturation.
const searchP99 = 50 * time.Millisecond

// searchStep is how long a rate must hold: an edition of the catalog comes within, for a rate that holds between two is more than
// the service carries.
func (s *soaking) searchStep() time.Duration { return max(s.interval(), 5*time.Second) }

// interval is the time between editions.
func (s *soaking) interval() time.Duration { return max(s.Duration/editions, 2*time.Second) }

// never is later than any promotion by hand.
const never = time.Duration(math.MaxInt64)

// saturation is the share to offer of the highest rate that holds while everything changes and a model is trained.
func (s *soaking) saturation(ctx context.Context, plan load.Plan, traffic load.Traffic, r *Result) (float64, error) {
	search := load.Search{Start: 400, Step: s.searchStep(), P99: searchP99, Tolerance: 0.25, Attempts: 2}
	end := s.beside(ctx, func(ctx context.Context) { s.shop.run(ctx, s.interval(), never) })
	_, best, err := s.client.Saturate(ctx, search, plan, traffic, nil, func(share float64) { s.Progress("saturation", share) })
	if end(); err != nil {
		return 0, err
	}
	r.SaturationRPS = best.Rate
	return best.Rate * s.Share, nil
}

// beside runs something until end is called, which waits for it.
func (s *soaking) beside(ctx context.Context, run func(context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	wait.Go(func() { run(ctx) })
	return func() { cancel(); wait.Wait() }
}

// soak offers the load while the samples are taken and everything changes.
func (s *soaking) soak(ctx context.Context, plan load.Plan, traffic load.Traffic, r *Result) error {
	s.shop.begin(ctx)
	readings := &sampler{addr: s.server.HTTP, pid: s.server.PID(), data: s.data, client: &http.Client{Timeout: callTimeout},
		window: max(min(time.Minute, s.Duration/12), time.Second)}
	endSamples := s.beside(ctx, readings.run)
	endChurn := s.beside(ctx, func(ctx context.Context) {
		s.shop.run(ctx, s.interval(), s.Duration/2)
	})
	step, err := s.client.Constant(ctx, plan, traffic, func(share float64) { s.Progress("soak", share) })
	endChurn()
	endSamples()
	s.shop.note(ctx, "models", s.shop.follow(ctx)) // what ended since the last edition
	r.Samples, r.Windows, r.Churn = readings.samples, readings.windows, s.shop.count
	for what, n := range s.shop.errors {
		r.Errors[what] = n
	}
	if readings.failed > 0 {
		r.Errors["metrics not read"] = readings.failed
	}
	if words, ended := s.server.Ended(); ended {
		r.Ended = words
	}
	if step != nil {
		r.take(step)
	}
	return err
}
