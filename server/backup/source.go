package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/server/audit"
	"github.com/kindred-rec/kindred/server/store"
)

// Ask says what the taker has already.
type Ask struct {
	Since   store.Point   // zero: nothing
	Floors  []store.Floor // see store.Dump
	Bundles []string      // names
	Audit   bool          // the audit log is wanted
}

// Sink takes a backup, in the order of the methods. Slices are valid within the call.
type Sink interface {
	Snapshot(store.Snapshot) error
	Rows(store.Frame) error
	// Bundle is called for every bundle that there is: with no bytes for one that the
	// taker has, else with all its bytes, in parts.
	Bundle(name string, part []byte) error
	// Audit is called with all bytes of the files of the audit log, in parts.
	Audit(name string, part []byte) error
	End(rows, bundles int64) error
}

// Source gives backups.
type Source interface {
	Give(ctx context.Context, ask Ask, to Sink) error
}

// Local is a store that is open in this process, with what lies beside it.
type Local struct {
	Store *store.Store
	// Models has a folder of models for each tenant; "": there is none.
	Models string
	Audit  *audit.Log // nil: there is none
}

// Give implements Source.
func (l Local) Give(ctx context.Context, ask Ask, to Sink) error {
	var rows int64
	err := l.Store.Dump(ctx, ask.Since, ask.Floors, to.Snapshot, func(f store.Frame) error {
		rows += int64(f.Rows)
		return to.Rows(f)
	})
	if err != nil {
		return err
	}
	bundles, err := l.bundles(ctx, ask.Bundles, to)
	if err != nil {
		return err
	}
	if ask.Audit && l.Audit != nil {
		if err := l.audit(ctx, to); err != nil {
			return err
		}
	}
	return to.End(rows, bundles)
}

// audit gives the audit log of all tenants.
func (l Local) audit(ctx context.Context, to Sink) error {
	tenants, err := l.Store.Tenants(ctx)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.Audit.Copy(t.Name, func(name string, content []byte) error { return inParts(content, name, to.Audit) }); err != nil {
			return err
		}
	}
	return nil
}

// inParts gives bytes in parts of at most 1 MiB.
func inParts(b []byte, name string, give func(string, []byte) error) error {
	for part := range slices.Chunk(b, 1<<20) {
		if err := give(name, part); err != nil {
			return err
		}
	}
	return nil
}

// bundles gives all models of all tenants.
func (l Local) bundles(ctx context.Context, have []string, to Sink) (n int64, err error) {
	tenants, err := l.Store.Tenants(ctx)
	if err != nil {
		return 0, err
	}
	for _, t := range tenants {
		number := strconv.FormatUint(uint64(t.Number), 10)
		root := filepath.Join(l.Models, number)
		if _, err := os.Stat(root); l.Models == "" || errors.Is(err, os.ErrNotExist) {
			continue
		}
		hashes, err := hashesIn(root)
		if err != nil {
			return n, err
		}
		for _, h := range hashes {
			if err := ctx.Err(); err != nil {
				return n, err
			}
			name := number + "/" + string(h)
			if slices.Contains(have, name) {
				err = to.Bundle(name, nil)
			} else {
				err = giveBundle(filepath.Join(root, string(h)), name, to)
			}
			if errors.Is(err, bundle.ErrNotFound) {
				continue // removed meanwhile, to make room for another
			}
			if err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// hashesIn lists the bundles of a folder, without the claims of a registry.
func hashesIn(root string) (hashes []bundle.Hash, err error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	for _, e := range entries {
		if h, err := bundle.ParseHash(e.Name()); err == nil && e.IsDir() {
			hashes = append(hashes, h)
		}
	}
	return hashes, nil
}

// giveBundle sends a bundle, every byte of which is verified.
func giveBundle(dir, name string, to Sink) error {
	b, err := bundle.Open(dir, bundle.Limits{})
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(parts{to, name}, 1<<20)
	return errors.Join(b.Stream(out), out.Flush())
}

// parts sends what is written as parts of a bundle.
type parts struct {
	to   Sink
	name string
}

func (p parts) Write(b []byte) (int, error) {
	if err := inParts(b, p.name, p.to.Bundle); err != nil {
		return 0, err
	}
	return len(b), nil
}
