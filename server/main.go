// Command server is Kindred: a service that says what to show next.
//
//	go run ./server demo      see it work: a simulated shop, no set-up
//	go run ./server           serve, with data in ./data
//	go run ./server import    stream a catalog and events into a running service
//	go run ./server embed     serve a text encoder to services on other machines
//	go run ./server train     make a model of what people did
//	go run ./server models    send, compare, promote and roll back trained models
//	go run ./server config    show the settings of serve, or print a file of them
//	go run ./server health    ask a running service whether it serves
//	go run ./server keys      make, list, rotate and revoke API keys
//	go run ./server audit     list who did what when
//	go run ./server policies  say what is done to a ranked list before it is shown
//	go run ./server experiments  show different people different policies
//	go run ./server bulk      write lists for many users to a file
//	go run ./server catalog   exposure and health of the catalog, and its way back
//	go run ./server reproduce make the list of a logged decision again
//	go run ./server backup    copy the store and its models; restore makes a store of that
//	go run ./server verify    check every checksum and every row of a store
//	go run ./server compact   have what was erased leave the disk now; erased lists erases
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/kindred-rec/kindred/server/importer"
)

// cli is the command line.
type cli struct {
	Version kong.VersionFlag `help:"Print what this binary was built from."`

	Serve  serveCommand     `cmd:"" default:"withargs" help:"Run the service (the default)."`
	Demo   demoCommand      `cmd:"" help:"See it work on a simulated shop, without any set-up."`
	Import importer.Command `cmd:"" help:"Stream a catalog and events from files into a running service."`
	Embed  embedCommand     `cmd:"" help:"Serve a text encoder to services on other machines."`
	Train  trainCommand     `cmd:"" help:"Make a trained model of what people did, from a service's log or from files."`
	Models modelsCommand    `cmd:"" help:"List, send, compare, promote and roll back trained models."`
	Config configCommand    `cmd:"" help:"Show the settings of serve, or print a documented file of them."`
	Health healthCommand    `cmd:"" help:"Ask a running service whether it serves, for probes."`
	Keys   keysCommand      `cmd:"" help:"Make, list, rotate and revoke API keys."`
	Audit  auditCommand     `cmd:"" help:"List who did what when: keys, settings, policies, models, exports."`

	Catalog     catalogCommand     `cmd:"" help:"Tell exposure and health of the catalog, or roll it back."`
	Policies    policiesCommand    `cmd:"" help:"List, get, put and delete policies of re-ranking."`
	Experiments experimentsCommand `cmd:"" help:"List, get, put, stop and delete experiments."`
	Bulk        bulkCommand        `cmd:"" help:"Write lists for many users to a file."`
	Reproduce   reproduceCommand   `cmd:"" help:"Make the list of a logged decision again."`

	Backup  backupCommand  `cmd:"" help:"Copy the store and its models into a directory, while it is served."`
	Restore restoreCommand `cmd:"" help:"Make a store of backups, as of any moment."`
	Compact compactCommand `cmd:"" help:"Have what was erased or replaced leave the disk now."`
	Verify  verifyCommand  `cmd:"" help:"Check every checksum and every row of a store, or of backups."`
	Erased  erasedCommand  `cmd:"" help:"List the erases that the logs hold, for restore."`
}

func main() {
	os.Exit(run())
}

// spareThreads lets twice as many threads run Go code as there are processors, unless
// GOMAXPROCS says otherwise. The store writes through memory maps: a thread that waits
// there for the disk holds its place among those that run, and with as many places as
// processors all else would wait with it.
func spareThreads() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0))
	}
}

// parse reads a command line; its commands run in a context.
func parse(ctx context.Context, c *cli, args []string) (*kong.Context, error) {
	parser, err := kong.New(c, kong.Name("kindred"),
		kong.Description("Personalized recommendations over gRPC, in one binary."),
		kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)), kong.Vars{"version": version()})
	if err != nil {
		return nil, err
	}
	return parser.Parse(args)
}

// run returns the exit code: 0 done, 1 failed, 2 wrong usage, or the one that
// a command's error names.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	command, err := parse(ctx, &c, os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "kindred: %v; --help shows what there is\n", err)
		return 2
	}
	if err := command.Run(); err != nil {
		var coded interface{ ExitCode() int }
		if errors.As(err, &coded) {
			if text := err.Error(); text != "" {
				fmt.Fprintln(os.Stderr, "kindred:", text)
			}
			return coded.ExitCode()
		}
		fmt.Fprintln(os.Stderr, "kindred:", err)
		return 1
	}
	return 0
}
