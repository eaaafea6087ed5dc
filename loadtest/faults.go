package main

import (
	"context"
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/loadtest/faults"
)

// faultsCommand is `loadtest faults`.
type faultsCommand struct {
	trial
	Only []string      `placeholder:"NAME,..." help:"Faults to try; all by default. --list names them."`
	List bool          `help:"Name the faults and end."`
	Dir  string        `type:"path" placeholder:"DIR" help:"Where stores lie while they are tried, on the disk that counts. By default the system's temporary folder."`
	Hold time.Duration `default:"3s" help:"How long a fault lasts that could last for ever (${default})."`
	Seed uint64        `default:"1" help:"Seed of the traffic and the noise."`
}

// Help is what --help says beyond the flags.
func (faultsCommand) Help() string {
	return `Starts a server for each fault, on a directory of its own and under light traffic, breaks something, and says what became of
Recommend, WriteEvents, the acknowledged events, the process, and how long it took to recover. Exit code 1: a promise broke.

Examples:
  go run ./loadtest faults --report faults.html
  go run ./loadtest faults --server ./kindred --only kill-server,disk-full --json
`
}

// Run tries the faults.
func (c *faultsCommand) Run(ctx context.Context, to output) error {
	if c.List {
		for _, name := range faults.Names() {
			fmt.Fprintln(to.out, name)
		}
		return nil
	}
	return c.run(ctx, to, func(server string, _ *progress) (figure, error, error) {
		result, err := faults.Run(ctx, faults.Options{Server: server, Dir: c.Dir, Only: c.Only, Hold: c.Hold, Seed: c.Seed, Done: func(row faults.Row) {
			fmt.Fprintf(to.log, "%s: %s\n", row.Name, row.Verdict)
		}})
		if result == nil {
			return nil, nil, err
		}
		return result, result.Err(), err
	})
}
