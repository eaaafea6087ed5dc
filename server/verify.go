package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/backup"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

type verifyCommand struct {
	storeTarget
	Backup string `type:"path" placeholder:"DIR" xor:"target" help:"Directory of backups, whose checksums to compare."`
	Rate   int64  `default:"32" placeholder:"MIB" help:"With --addr: MiB to read a second, 1 to 10,240."`
	Repair bool   `help:"With --data: open a store whose newest logs are damaged with all that can be read of them. Copies of the damaged files are kept in DIR/damaged, and what is lost is said. Stop the service first; a backup, if there is one, has more."`
}

// Help is what `verify --help` says beyond its flags.
func (verifyCommand) Help() string {
	return `Reads every table, row, trained model and index of a store, and holds them against each other.
Exits with 1 if anything is wrong, and names it. A running service goes on meanwhile: it reads
slowly, as of one moment.

A store whose files were damaged is not opened, by no command, and nothing of it is changed. --repair opens one
whose newest logs (*.mem) were: it loses what cannot be read, and says what.

Examples:
  kindred verify --addr 127.0.0.1:50051 --key-file admin.key
  kindred verify --data /var/lib/kindred
  kindred verify --data /var/lib/kindred --repair`
}

// Run verifies a store, or backups.
func (c *verifyCommand) Run(ctx context.Context) error {
	switch {
	case c.Backup != "":
		return c.backups()
	case c.Addr != "":
		return c.remote(ctx)
	case c.Data != "":
		return c.data(ctx)
	}
	return errors.New("verify: give --data of a store that no service has open, --addr of a running service, or --backup of a directory of backups")
}

func (c *verifyCommand) remote(ctx context.Context) error {
	if c.Repair {
		return errors.New("verify: --repair is for a store that no service has open: give --data")
	}
	bar := newMeter(os.Stderr, "verify")
	var found *store.Verification
	err := c.with(ctx, "verify", func(ctx context.Context, client kindredv1.OperationsServiceClient) (err error) {
		found, err = api.RemoteVerify(ctx, client, c.Rate<<20, bar.add)
		return err
	}, nil)
	bar.finish()
	if err != nil {
		return err
	}
	return c.tell(found, c.Addr)
}

// tell prints what was found, and is an error where something is wrong.
func (c *verifyCommand) tell(found *store.Verification, where string) error {
	var err error
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(found)
	} else {
		err = printVerification(os.Stdout, found)
	}
	if err == nil && !found.Whole() {
		return wrong{where}
	}
	return err
}

func (c *verifyCommand) backups() error {
	list, err := backup.Read(c.Backup)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if len(list) == 0 {
		return fmt.Errorf("verify: there is no backup in %s", c.Backup)
	}
	bar := newMeter(os.Stderr, "verify")
	err = backup.Verify(c.Backup, list, bar.add)
	bar.finish()
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(list)
	}
	for _, m := range list {
		fmt.Printf("backup %d is whole: %d rows, %s, %d models, as of %s\n", m.Number, m.Rows, size(m.Bytes()), len(m.Bundles), m.Time)
	}
	return nil
}

func (c *verifyCommand) data(ctx context.Context) error {
	o := store.DefaultOptions()
	o.Repair = c.Repair
	s, err := openStoredWith("verify", c.Data, o)
	if err != nil {
		return err
	}
	bar := newMeter(os.Stderr, "verify, rows in place of bytes")
	found, err := s.Verify(ctx, bar.add)
	bar.finish()
	if err := errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if err := service.VerifyFiles(c.Data, found, func(int64) error { return nil }); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return c.tell(found, c.Data)
}

// wrong ends the command with 1 after the faults were printed.
type wrong struct{ where string }

func (w wrong) Error() string { return fmt.Sprintf("verify: %s has faults; see above", w.where) }

func printVerification(out io.Writer, found *store.Verification) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "KIND\tCHECKED\tBYTES\tFAULTS\t")
	total := store.Count{}
	for _, n := range slices.Clone(found.Counts) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t\n", n.Kind, n.Rows, n.Bytes, n.Faults)
		total.Rows, total.Bytes, total.Faults = total.Rows+n.Rows, total.Bytes+n.Bytes, total.Faults+n.Faults
	}
	fmt.Fprintf(w, "all\t%d\t%d\t%d\t\n", total.Rows, total.Bytes, total.Faults)
	if err := w.Flush(); err != nil {
		return err
	}
	for _, f := range found.Faults {
		fmt.Fprintf(out, "%s %s: %s\n", f.Kind, f.Key, f.What)
	}
	fmt.Fprintf(out, "form %d of the rows\n", found.Schema)
	return nil
}
