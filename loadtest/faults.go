package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/kindred-rec/kindred/loadtest/faults"
)

// faultsCommand is `loadtest faults`.
type faultsCommand struct {
	Server string        `type:"path" placeholder:"FILE" help:"The server's program. By default it is built from ./server."`
	Only   []string      `placeholder:"NAME,..." help:"Faults to try; all by default. --list names them."`
	List   bool          `help:"Name the faults and end."`
	Dir    string        `type:"path" placeholder:"DIR" help:"Where stores lie while they are tried, on the disk that counts. By default the system's temporary folder."`
	Hold   time.Duration `default:"3s" help:"How long a fault lasts that could last for ever (${default})."`
	Seed   uint64        `default:"1" help:"Seed of the traffic and the noise."`
	Report string        `placeholder:"FILE" help:"Draw the result into a file: HTML, or Markdown if its name ends in .md."`
	JSON   bool          `name:"json" help:"Print the result as one line of JSON."`
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
	if err := checkReport(c.Report); err != nil {
		return err
	}
	server, remove, err := serverProgram(ctx, c.Server)
	if err != nil {
		return err
	}
	defer remove()
	result, err := faults.Run(ctx, faults.Options{Server: server, Dir: c.Dir, Only: c.Only, Hold: c.Hold, Seed: c.Seed, Done: func(row faults.Row) {
		fmt.Fprintf(to.log, "%s: %s\n", row.Name, row.Verdict)
	}})
	if result == nil {
		return err
	}
	err = errors.Join(err, to.show(result, c.JSON, c.Report))
	return errors.Join(err, result.Err())
}

// serverProgram is the program that is named, or one that is built from the module's ./server.
func serverProgram(ctx context.Context, named string) (path string, remove func(), err error) {
	if named != "" {
		return named, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "kindred-server-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) } // temporary
	path = filepath.Join(dir, "kindred")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/kindred-rec/kindred/server").CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("build the server, or name one with --server: %w: %s", err, out)
	}
	return path, remove, nil
}
