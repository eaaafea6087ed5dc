package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/kindred-rec/kindred/loadtest/tenants"
)

// tenantsCommand is `loadtest tenants`.
type tenantsCommand struct {
	trial
	Dir       string        `type:"path" placeholder:"DIR" help:"Where its store lies. By default the system's temporary folder."`
	Rounds    int           `default:"20" help:"Rounds, 2 to 1,000, each of one half alone and one beside the flood (${default})."`
	Half      time.Duration `default:"5s" help:"How long each half is, at least 1s (${default})."`
	Rate      float64       `default:"100" help:"The neighbour's calls a second (${default})."`
	Quota     float64       `default:"100" help:"The hostile tenant's quota, calls a second (${default})."`
	Times     float64       `default:"10" help:"How many times its quota it sends, above 1 (${default})."`
	Items     int           `default:"2000" help:"Items of each tenant (${default})."`
	Seed      uint64        `default:"1" help:"Seed of the calls."`
	ServeFlag []string      `placeholder:"FLAG" sep:"none" help:"A flag of the server, such as --serve-flag=--key-calls=8. May stand several times."`
}

// Help is what --help says beyond the flags.
func (tenantsCommand) Help() string {
	return `Starts a server with two tenants, and says how much the p99 of one moves while the other sends many times its quota. Halves
with and without the flood take turns, so that the machine's noise can be told. Exit code 1: by more than 20%, or a call failed.

Examples:
  go run ./loadtest tenants
  go run ./loadtest tenants --server ./kindred --rounds 20 --half 10s --quota 500 --json
`
}

// Run measures.
func (c *tenantsCommand) Run(ctx context.Context, to output) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("the program that makes the flood: %w", err)
	}
	return c.run(ctx, to, func(server string, bars *progress) (figure, error, error) {
		result, err := tenants.Run(ctx, tenants.Options{Server: server, Client: []string{self, "load"}, Args: c.ServeFlag, Dir: c.Dir, Rounds: c.Rounds, Half: c.Half, Rate: c.Rate,
			Quota: c.Quota, Times: c.Times, Items: c.Items, Seed: c.Seed, Progress: func(share float64) { bars.show("rounds", share) }})
		if result == nil {
			return nil, nil, err
		}
		return result, result.Err(), err
	})
}
