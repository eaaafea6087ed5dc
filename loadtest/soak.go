package main

import (
	"context"
	"errors"
	"time"

	"github.com/kindred-rec/kindred/loadtest/soak"
)

// soakCommand is `loadtest soak`.
type soakCommand struct {
	Server     string        `type:"path" placeholder:"FILE" help:"The server's program. By default it is built from ./server."`
	Dir        string        `type:"path" placeholder:"DIR" help:"Where its store lies. By default the system's temporary folder."`
	Duration   time.Duration `default:"10m" help:"How long the load lasts, at least 30s (${default})."`
	RateShare  float64       `default:"0.7" help:"Share of the saturation that is offered (${default})."`
	Rate       float64       `placeholder:"R" help:"Calls a second to offer instead; saturation is not looked for."`
	Items      int           `default:"2000" help:"Items of the shop (${default})."`
	Users      int           `default:"5000" help:"Its users (${default})."`
	TrainEvery time.Duration `placeholder:"T" help:"How often the service trains a model. By default a third of the duration."`
	Seed       uint64        `default:"1" help:"Seed of the load."`
	Report     string        `placeholder:"FILE" help:"Draw the result into a file: HTML, or Markdown if its name ends in .md."`
	JSON       bool          `name:"json" help:"Print the result as one line of JSON."`
}

// Help is what --help says beyond the flags.
func (soakCommand) Help() string {
	return `Starts a server, offers a share of its saturation for a long time while the catalog changes and models are trained and
promoted, and says whether memory, goroutines, descriptors and p99 stay as they are. Exit code 1: they do not, or a call failed.

Examples:
  go run ./loadtest soak --report soak.html
  go run ./loadtest soak --server ./kindred --duration 8h --rate 500 --json
`
}

// Run soaks.
func (c *soakCommand) Run(ctx context.Context, to output) error {
	if err := checkReport(c.Report); err != nil {
		return err
	}
	server, remove, err := serverProgram(ctx, c.Server)
	if err != nil {
		return err
	}
	defer remove()
	bars := newProgress(to.log)
	defer bars.finish()
	result, err := soak.Run(ctx, soak.Options{Server: server, Dir: c.Dir, Duration: c.Duration, Rate: c.Rate, Share: c.RateShare,
		Items: c.Items, Users: c.Users, TrainEvery: c.TrainEvery, Seed: c.Seed, Progress: bars.show})
	bars.finish()
	if result == nil {
		return err
	}
	verdict := result.Err()
	err = errors.Join(err, to.show(result, c.JSON, c.Report))
	return errors.Join(err, verdict)
}
