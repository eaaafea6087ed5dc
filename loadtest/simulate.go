package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/kindred-rec/kindred/loadtest/load"
	"github.com/kindred-rec/kindred/loadtest/simulate"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// simulateCommand is `loadtest simulate`.
type simulateCommand struct {
	Addr string `placeholder:"HOST:PORT" xor:"server" help:"Address of a running server whose tenant is empty; the policy kindred asks it."`
	Key  string `env:"KINDRED_KEY" placeholder:"KEY" help:"API key of role admin. A server on this machine may need none."`
	Self bool   `xor:"server" help:"Start a server in this process, on a temporary store, for each world."`

	Policies []string `placeholder:"NAME,..." help:"What is compared: kindred, neighbours, popularity, random, oracle. All if not given; without a server all but kindred."`
	Seeds    int      `default:"1" help:"Worlds; from 3 on the intervals are over worlds, else over users (${default})."`

	worldFlags `embed:""`

	Surface    string        `default:"home" placeholder:"NAME" help:"Surface to name in asks and events (${default})."`
	Window     int           `default:"32" help:"Visits of different users that are answered from one state, 1 to 1,000 (${default})."`
	Parallel   int           `default:"8" help:"Asks under way at once, 1 to 256 (${default})."`
	MaxWait    time.Duration `default:"2s" help:"How long an ask may wait for the last write to count, 0 to 2s (${default})."`
	RetryFor   time.Duration `default:"30s" help:"How long a call is tried again while the server is away or has no room (${default})."`
	TrainEvery int           `name:"train-every-days" default:"0" placeholder:"N" help:"Train on the server's log at the end of the history and after every N days, and promote; 0: never."`
	TrainDim   int           `default:"64" help:"Components of the trained model, 32 to 512, a multiple of 32 (${default})."`
	Epochs     int           `default:"20" help:"Passes of training over the log, at most (${default})."`
	Policy     string        `placeholder:"FILE.json" help:"A policy of the server, kindred.v1.Policy in the JSON form of protobuf, by which kindred shows its lists."`

	Write    string `placeholder:"DIR" help:"Write the world into files instead: catalog, events under random lists, decisions with propensities, truth."`
	Format   string `enum:"jsonl" default:"jsonl" help:"Form of the files: jsonl."`
	Compress bool   `help:"Pack the files with zstd."`
	Pool     int    `default:"30" help:"With --write: candidates that a list is drawn from (${default})."`
	Logs     string `placeholder:"DIR" help:"Also write what happened under each policy: DIR/POLICY-SEED/events.jsonl."`

	Report string `placeholder:"FILE.html" help:"Draw the result into a file."`
	JSON   bool   `name:"json" help:"Print the figures as one line of JSON."`
}

// worldFlags say which world.
type worldFlags struct {
	Seed         uint64  `default:"1" help:"Decides all of the world (${default})."`
	Items        int     `default:"2000" help:"Items at the start (${default})."`
	NewItems     int     `default:"20" help:"Items that come each day (${default})."`
	Users        int     `default:"1000" help:"Users (${default})."`
	Bots         int     `default:"5" help:"Robots, which click on nearly all and count in no figure (${default})."`
	Days         int     `default:"14" help:"Days of the comparison (${default})."`
	HistoryDays  int     `default:"7" help:"Days of random lists before it, the same for all (${default})."`
	VisitsPerDay float64 `default:"1" help:"Visits of a user a day, on average (${default})."`
	Zipf         float64 `default:"0.6" help:"How unequal users are: visits fall as rank^-ZIPF (${default})."`
	Drift        float64 `default:"0.02" help:"How fast tastes turn, radians a day (${default})."`
	Season       float64 `default:"0.7" help:"How far demand for a topic swings in 28 days, log odds (${default})."`
	Limit        int     `default:"10" help:"Items of a list, 1 to 50 (${default})."`
	Clicks       string  `enum:"position,cascade" default:"position" help:"How a list is read: position (slots are looked at independently, slot k with probability k^-ETA) or cascade (from the top)."`
	Eta          float64 `default:"0.7" help:"Of position (${default})."`
	After        float64 `default:"0.6" help:"Of cascade: probability to read on after a click (${default})."`
	Without      float64 `default:"0.95" help:"Of cascade: probability to read on without one (${default})."`
	Goal         string  `enum:"purchases,clicks" default:"purchases" help:"What value and regret count: purchases or clicks."`
	Dims         int     `default:"24" help:"Dimensions of latent vectors, 8 to 64 (${default})."`
}

func (f worldFlags) config() simulate.Config {
	c := simulate.DefaultConfig()
	c.Seed, c.Items, c.NewItems, c.Users, c.Bots, c.Days, c.HistoryDays = f.Seed, f.Items, f.NewItems, f.Users, f.Bots, f.Days, f.HistoryDays
	c.VisitsPerDay, c.Zipf, c.Drift, c.Season, c.Limit, c.Dims, c.Goal = f.VisitsPerDay, f.Zipf, f.Drift, f.Season, f.Limit, f.Dims, simulate.Goal(f.Goal)
	c.Clicks = simulate.PositionBased(f.Eta)
	if f.Clicks == string(simulate.ModelCascade) {
		c.Clicks = simulate.Cascade(f.After, f.Without)
	}
	return c
}

// Help is what --help says beyond the flags.
func (simulateCommand) Help() string {
	return `A simulated shop whose truth is known: what each user would click and buy is computable, so that policies are compared with the best
there is. Each policy works in its own copy of the same world, with the same chance, so that differences are paired.

Examples:
  go run ./loadtest simulate --self --train-every-days 3 --report simulate.html
  go run ./loadtest simulate --addr 127.0.0.1:50051 --users 200 --days 5 --json
  go run ./loadtest simulate --policies popularity,random,oracle --clicks cascade
  go run ./loadtest simulate --items 10000000 --write DIR --json
`
}

// Run compares, or writes.
func (c *simulateCommand) Run(ctx context.Context, to output) (err error) {
	if c.Write != "" {
		return c.write(ctx, to)
	}
	o, err := c.options()
	if err != nil {
		return err
	}
	if c.Logs != "" {
		recorder := simulate.NewRecorder(c.config(), c.Logs)
		o.Record = recorder.Record
		defer func() { err = errors.Join(err, recorder.Close()) }()
	}
	bars := newProgress(to.log)
	defer bars.finish()
	o.Progress = func(share float64) { bars.show("simulate", share) }
	result, err := simulate.Run(ctx, c.config(), o)
	bars.finish()
	if result == nil {
		return err
	}
	return errors.Join(err, c.tell(result, to)) // also of a run that broke off
}

// write writes files. What only a comparison takes is refused, not passed over.
func (c *simulateCommand) write(ctx context.Context, to output) error {
	for _, x := range []struct {
		flag  string
		given bool
	}{{"--addr", c.Addr != ""}, {"--self", c.Self}, {"--policies", len(c.Policies) > 0}, {"--seeds", c.Seeds != 1}, {"--logs", c.Logs != ""},
		{"--report", c.Report != ""}, {"--train-every-days", c.TrainEvery != 0}, {"--policy", c.Policy != ""}} {
		if x.given {
			return fmt.Errorf("%s does not go with --write: that writes files of one world and compares nothing", x.flag)
		}
	}
	o := simulate.DefaultWriteOptions()
	o.Dir, o.Packed, o.Pool = c.Write, c.Compress, c.Pool
	bars := newProgress(to.log)
	defer bars.finish()
	o.Progress = bars.show
	written, err := simulate.Write(ctx, c.config(), o)
	bars.finish()
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(to.out, written)
	}
	return written.WriteText(to.out, c.Write)
}

func (c *simulateCommand) tell(result *simulate.Result, to output) error {
	if c.Report != "" {
		if err := result.Page("Policies in a simulated shop").WriteFile(c.Report); err != nil {
			return err
		}
	}
	if c.JSON {
		return writeJSON(to.out, result)
	}
	return result.WriteTable(to.out)
}

func (c *simulateCommand) options() (simulate.Options, error) {
	o := simulate.DefaultOptions()
	o.Seeds, o.Window = c.Seeds, c.Window
	o.Server.Surface, o.Server.Parallel, o.Server.MaxWait, o.Server.RetryFor = c.Surface, c.Parallel, c.MaxWait, c.RetryFor
	o.Server.TrainEvery, o.Server.TrainDim, o.Server.Epochs = c.TrainEvery, c.TrainDim, c.Epochs
	if c.Policy != "" {
		if !c.Self && c.Addr == "" {
			return o, fmt.Errorf("--policy %s: a server shows lists by it; give --self or --addr", c.Policy)
		}
		policy, err := readPolicy(c.Policy)
		if err != nil {
			return o, err
		}
		o.Server.Policy = policy
	}
	switch {
	case c.Self:
		o.Connect = simulate.Self
	case c.Addr != "" && c.Seeds > 1:
		return o, fmt.Errorf("--seeds %d with --addr: a world needs an empty tenant of its own; use --self, or one seed after another with new stores", c.Seeds)
	case c.Addr != "":
		o.Connect = c.connect
	}
	if o.Connect != nil {
		o.Policies = simulate.PolicyNames()
	}
	if len(c.Policies) > 0 {
		o.Policies = nil
		for _, p := range c.Policies {
			o.Policies = append(o.Policies, simulate.PolicyName(p))
		}
	}
	return o, nil
}

// readPolicy reads a file; a field that is not known is an error.
func readPolicy(path string) (*kindredv1.Policy, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--policy: %w", err)
	}
	policy := &kindredv1.Policy{}
	if err := protojson.Unmarshal(text, policy); err != nil {
		return nil, fmt.Errorf("--policy %s: %w", path, err)
	}
	return policy, nil
}

func (c *simulateCommand) connect(ctx context.Context, _ uint64) (grpc.ClientConnInterface, func() error, error) {
	client, err := load.Dial(ctx, load.Target{Addr: c.Addr, Key: c.Key, Connections: 1, Timeout: 5 * time.Second})
	if err != nil {
		return nil, nil, err
	}
	return client.Conn(), client.Close, nil
}
