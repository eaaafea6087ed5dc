package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/index/hnsw"
	"github.com/kindred-rec/kindred/server/backup"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

type verifyCommand struct {
	Data   string `type:"path" placeholder:"DIR" xor:"target" help:"Directory of a store that no service has open."`
	Backup string `type:"path" placeholder:"DIR" xor:"target" help:"Directory of backups, whose checksums to compare."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help is what `verify --help` says beyond its flags.
func (verifyCommand) Help() string {
	return `Reads every table, row, trained model and index of a store, and holds them against each other.
Exits with 1 if anything is wrong, and names it. To verify a store that is served, take a backup,
restore it elsewhere and verify that.

Example:
  kindred verify --data /var/lib/kindred`
}

// Run verifies a store, or backups.
func (c *verifyCommand) Run(ctx context.Context) error {
	switch {
	case c.Backup != "":
		return c.backups()
	case c.Data != "":
		return c.data(ctx)
	}
	return errors.New("verify: give --data of a store that no service has open, or --backup of a directory of backups")
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
	s, err := openStored("verify", c.Data)
	if err != nil {
		return err
	}
	bar := newMeter(os.Stderr, "verify, rows in place of bytes")
	found, err := s.Verify(ctx, bar.add)
	bar.finish()
	if err := errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if err := errors.Join(verifyModels(c.Data, found), verifyIndexes(c.Data, found)); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(found)
	} else {
		err = printVerification(os.Stdout, found)
	}
	if err == nil && !found.Whole() {
		return wrong{c.Data}
	}
	return err
}

// wrong ends the command with 1 after the faults were printed.
type wrong struct{ dir string }

func (w wrong) Error() string { return fmt.Sprintf("verify: %s has faults; see above", w.dir) }

// checkFiles adds the result of checks of files to a verification.
func checkFiles(found *store.Verification, kind string, paths []string, check func(path string) error) {
	n := store.Count{Kind: kind}
	for _, path := range paths {
		n.Rows++
		if err := check(path); err != nil {
			n.Faults++
			found.Faults = append(found.Faults, store.Fault{Kind: kind, Key: path, What: err.Error()})
		}
	}
	found.Counts = append(found.Counts, n)
}

func verifyModels(data string, found *store.Verification) error {
	paths, err := filepath.Glob(filepath.Join(service.ModelsDir(data), "*", strings.Repeat("[0-9a-f]", 64)))
	if err != nil {
		return err
	}
	checkFiles(found, "model", paths, func(path string) error {
		_, err := bundle.Open(path, bundle.Limits{})
		return err
	})
	return nil
}

func verifyIndexes(data string, found *store.Verification) error {
	paths, err := filepath.Glob(filepath.Join(service.IndexDir(data), "*.hnsw"))
	if err != nil {
		return err
	}
	checkFiles(found, "index", paths, hnsw.CheckFile)
	return nil
}

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
