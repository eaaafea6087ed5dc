package main

import (
	"context"

	"github.com/kindred-rec/kindred/loadtest/restart"
)

// restartCommand is `loadtest restart`.
type restartCommand struct {
	trial
	Dir    string `type:"path" placeholder:"DIR" help:"Where its store lies, on the disk that counts. By default the system's temporary folder."`
	Items  int    `default:"100000" help:"Items of the shop (${default})."`
	Users  int    `default:"100000" help:"Its users (${default})."`
	Events int    `default:"1000000" help:"Their events (${default})."`
	Tail   int    `default:"10000" help:"Events acknowledged before the last kill (${default})."`
}

// Help is what --help says beyond the flags.
func (restartCommand) Help() string {
	return `Starts a server, fills it, ends it in order and by SIGKILL, and times each start until it is ready, with the processor time
used and the stages of the start. Exit code 1: a start failed, or something that was acknowledged was not there.

Examples:
  go run ./loadtest restart
  go run ./loadtest restart --server ./kindred --items 10000 --users 5000 --events 50000 --json
`
}

// Run fills and starts.
func (c *restartCommand) Run(ctx context.Context, to output) error {
	return c.run(ctx, to, func(server string, bars *progress) (figure, error, error) {
		result, err := restart.Run(ctx, restart.Options{Server: server, Dir: c.Dir, Items: c.Items, Users: c.Users, Events: c.Events, Tail: c.Tail, Progress: bars.show})
		if err != nil {
			return nil, nil, err
		}
		return result, nil, nil
	})
}
