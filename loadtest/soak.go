package main

import (
	"context"
	"time"

	"github.com/kindred-rec/kindred/loadtest/soak"
)

// soakCommand is `loadtest soak`.
type soakCommand struct {
	trial
	Dir        string        `type:"path" placeholder:"DIR" help:"Where its store lies. By default the system's temporary folder."`
	Duration   time.Duration `default:"10m" help:"How long the load lasts, at least 30s (${default})."`
	RateShare  float64       `default:"0.7" help:"Share of the saturation that is offered (${default})."`
	Rate       float64       `placeholder:"R" help:"Calls a second to offer instead; saturation is not looked for."`
	Items      int           `default:"2000" help:"Items of the shop (${default})."`
	Users      int           `default:"500" help:"Its users (${default}). A training takes about a second of a processor for each 15."`
	TrainEvery time.Duration `placeholder:"T" help:"How often the service trains a model. By default a third of the duration."`
	ServeFlag  []string      `placeholder:"FLAG" sep:"none" help:"A flag of the server, such as --serve-flag=--memory=512MiB. May stand several times."`
	Seed       uint64        `default:"1" help:"Seed of the load."`
}

// Help is what --help says beyond the flags.
func (soakCommand) Help() string {
	return `Starts a server, offers a share of its saturation for a long time while catalog and users change and models are trained and
promoted, and says whether memory, goroutines, descriptors and p99 stay as they are. Exit code 1: they do not, a call failed,
or nothing was trained or promoted.

Examples:
  go run ./loadtest soak --report soak.html
  go run ./loadtest soak --server ./kindred --duration 8h --rate 500 --json
`
}

// Run soaks.
func (c *soakCommand) Run(ctx context.Context, to output) error {
	return c.run(ctx, to, func(server string, bars *progress) (figure, error, error) {
		result, err := soak.Run(ctx, soak.Options{Server: server, Dir: c.Dir, Duration: c.Duration, Rate: c.Rate, Share: c.RateShare,
			Items: c.Items, Users: c.Users, TrainEvery: c.TrainEvery, Serve: c.ServeFlag, Seed: c.Seed, Progress: bars.show})
		if result == nil {
			return nil, nil, err
		}
		return result, result.Err(), err
	})
}
