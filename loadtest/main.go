// Command loadtest measures Kindred: how well it recommends, how fast, and how much it carries.
//
//	go run ./loadtest evaluate   hold-out metrics of the serving pipeline on a log
//	go run ./loadtest replay     a log in time order against a live server, asked before each event is revealed
//	go run ./loadtest ope        off-policy evaluation: what a policy would have earned, from the log of another
//	go run ./loadtest simulate   policies in a simulated shop whose truth is known; files of any size
//	go run ./loadtest load       open-loop load on a live server: latency, saturation, durable events
//	go run ./loadtest compare    two repeated load tests: which figures differ beyond the noise
//	go run ./loadtest experiment an experiment that runs on a server: variants side by side, at any time
//	go run ./loadtest faults     a server broken on purpose: what callers got, whether data survived, how fast it was back
//	go run ./loadtest tenants    a tenant at many times its quota beside another: what the neighbour notices
//	go run ./loadtest soak       a server under load for long, with changes: leaks, drift, errors
//	go run ./loadtest plan       memory, disk, cores and replicas for a number of items, users and requests
//	go run ./loadtest index      recall and speed of an index engine on files of vectors
//	go run ./loadtest encode     speed and vectors of a text encoder
//	go run ./loadtest dataset    check, convert and export catalogs, logs, decisions and features
//	go run ./loadtest sentiment  correlation of a comment's sentiment with people's ratings
//
// With --json a command prints its figures as JSON, last on standard output; progress goes to standard error, and only to a
// terminal. The exit code is 0, 1 if a command failed, or 2 if it was called wrongly; a failure is told in one line.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/kindred-rec/kindred/loadtest/faults"
)

// cli is the command line.
type cli struct {
	Evaluate evaluateCommand `cmd:"" help:"Measure the serving pipeline on a log, without a server."`
	Replay   replayCommand   `cmd:"" help:"Replay a log against a live server, asking before each event is revealed."`
	Load     loadCommand     `cmd:"" help:"Put open-loop load on a live server."`
	Ope      opeCommand      `cmd:"" help:"Judge policies by the log of another policy."`
	Compare  compareCommand  `cmd:"" help:"Compare two repeated load tests, with verdicts that know the noise."`
	Index    indexCommand    `cmd:"" help:"Measure an index engine on files of vectors."`
	Simulate simulateCommand `cmd:"" help:"Compare policies in a simulated shop whose truth is known."`
	Encode   encodeCommand   `cmd:"" help:"Measure a text encoder."`
	Dataset  datasetCommand  `cmd:"" help:"Check and convert catalogs and logs in files, and export those of a server."`

	Plan       planCommand       `cmd:"" help:"Say what memory, disk and cores a number of items, users and requests takes, from measured costs."`
	Faults     faultsCommand     `cmd:"" help:"Break a running service on purpose, and check what it promises."`
	Tenants    tenantsCommand    `cmd:"" help:"Measure what a tenant far past its quota costs a neighbour."`
	Soak       soakCommand       `cmd:"" help:"Keep a server busy for long, and check that it stays as it was."`
	Restart    restartCommand    `cmd:"" help:"Time how long a filled server takes to serve again."`
	Experiment experimentCommand `cmd:"" help:"Read an experiment out of a server's logs, with verdicts that hold at every look."`

	Sentiment sentimentCommand `cmd:"" help:"Cross-validate how well a comment's feeling is told from its words."`
}

func main() {
	faults.Launch()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run gives the exit code.
func run(ctx context.Context, args []string, out, log io.Writer) int {
	var c cli
	exit := -1 // set when kong has printed a help text and is done
	parser, err := kong.New(&c, kong.Name("loadtest"), kong.Description("Measures Kindred: quality, speed, and what it carries."),
		kong.Writers(out, log), kong.Exit(func(code int) { exit = code }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(output{out, log}))
	if err != nil {
		return fail(log, err, 1)
	}
	command, err := parser.Parse(args)
	switch {
	case exit >= 0:
		return exit
	case err != nil:
		return fail(log, fmt.Errorf("%w; --help shows what there is", err), 2)
	}
	err = command.Run()
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil: // whatever it broke
		return fail(log, errors.New("interrupted"), 1)
	}
	return fail(log, err, 1)
}

// fail tells an error in one line.
func fail(log io.Writer, err error, code int) int {
	fmt.Fprintln(log, "loadtest:", strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
	return code
}
