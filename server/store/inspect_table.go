package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
	"golang.org/x/sync/errgroup"

	"github.com/kindred-rec/kindred/server/store/internal/badgerlog"
)

// tables holds the tables against the MANIFEST, and compares every checksum of them.
func (i *inspection) tables() error {
	files, err := tableFiles(i.dir)
	if err != nil {
		return err
	}
	named, exists, err := i.manifest()
	if err != nil {
		return err
	}
	if !exists {
		if len(files) > 0 {
			i.bad(false, badger.ManifestFilename, -1, "it is missing, and there are %d tables", len(files))
		}
		return nil
	}
	if named == nil {
		return nil // noted
	}
	newest, err := i.checkTables(named, files)
	if err != nil {
		return err
	}
	for id, path := range files {
		if _, ok := named[id]; !ok {
			i.unnamed(path, newest)
		}
	}
	return nil
}

// tableFiles lists the tables of a directory by number.
func tableFiles(dir string) (map[uint64]string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		return nil, err
	}
	files := make(map[uint64]string)
	for _, name := range names {
		if id, ok := table.ParseFileID(name); ok {
			files[id] = name
		}
	}
	return files, nil
}

// manifest reads the MANIFEST; named is nil where it cannot be read.
func (i *inspection) manifest() (named map[uint64]badger.TableManifest, exists bool, err error) {
	f, err := os.Open(filepath.Join(i.dir, badger.ManifestFilename))
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer f.Close() // read only
	m, _, err := badger.ReplayManifestFile(f, 0, badgerOptions(i.dir, i.o))
	if err != nil {
		i.bad(false, badger.ManifestFilename, -1, "it cannot be read: %s", oneLine(err))
		return nil, true, nil
	}
	return m.Tables, true, nil
}

// checkTables reads the tables that the MANIFEST names, and returns their newest version.
func (i *inspection) checkTables(named map[uint64]badger.TableManifest, files map[uint64]string) (newest uint64, err error) {
	var mu sync.Mutex
	work, _ := errgroup.WithContext(context.Background())
	work.SetLimit(runtime.GOMAXPROCS(0))
	for id := range named {
		path, found := files[id]
		if !found {
			i.bad(false, fmt.Sprintf("%06d.sst", id), -1, "the table is missing")
			continue
		}
		work.Go(func() error {
			version := uint64(0)
			err := openTable(path, func(t *table.Table) error {
				version = t.MaxVersion()
				return t.VerifyChecksum()
			})
			mu.Lock()
			defer mu.Unlock()
			newest = max(newest, version)
			if err != nil {
				i.bad(false, filepath.Base(path), -1, "the table cannot be read whole: %s", oneLine(err))
			}
			return nil
		})
	}
	err = work.Wait()
	slices.SortFunc(i.damage, func(a, b Damage) int { return strings.Compare(a.File, b.File) })
	return newest, err
}

// oneLine is what an error of Badger's says, which may be of many lines.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// unnamed looks at a table that the MANIFEST does not name, which Badger removes. A crash
// leaves such tables: of a memtable whose log is still there, or of a compaction, whose
// rows are in other tables. Any other was named once.
func (i *inspection) unnamed(path string, newest uint64) {
	var version uint64
	err := openTable(path, func(t *table.Table) error {
		version = t.MaxVersion()
		return t.VerifyChecksum()
	})
	if err != nil || version <= newest || i.logged(version) {
		return
	}
	i.bad(false, badger.ManifestFilename, -1, "it does not name table %s, whose rows up to transaction %d are in no other file: it was cut short", filepath.Base(path), version)
}

// derived sets files aside that hold nothing of ours and are damaged: Badger makes them anew.
func (i *inspection) derived() error {
	names, err := filepath.Glob(filepath.Join(i.dir, "*.vlog"))
	if err != nil {
		return err
	}
	for _, path := range append(names, filepath.Join(i.dir, badger.KeyRegistryFileName), filepath.Join(i.dir, "DISCARD")) {
		whole := false
		err := mapped(path, func(b []byte) { whole = isWholeDerived(filepath.Base(path), b) })
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if whole {
			continue
		}
		aside, err := i.setAside(filepath.Base(path))
		if err != nil {
			return err
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		i.o.Logger.Warn("store: a damaged file that holds no data is made anew", "file", path, "copy", aside)
	}
	return nil
}

// isWholeDerived tells whether a file that holds nothing of ours is as Badger makes it for this
// store: no keys, no values apart from their keys (see writer) and so nothing to count
// that could be discarded.
func isWholeDerived(name string, b []byte) bool {
	switch name {
	case badger.KeyRegistryFileName:
		return len(b) == 28 && string(b[16:]) == "Hello Badger"
	case "DISCARD":
		return len(bytes.Trim(b, "\x00")) == 0
	}
	l := badgerlog.Read(b)
	return l.GapLen == 0 || l.Last > 0 || l.Behind > 0 // rows of a form that is not ours are Badger's to judge
}
