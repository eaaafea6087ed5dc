package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2/z"
)

// verifyTables compares the checksum of every block of every table file, and returns how
// many files there are. Badger's own check (DB.VerifyChecksum) dereferences nil at the
// first block that is wrong, and stops there.
func (c *checker) verifyTables() (files int, err error) {
	names, err := filepath.Glob(filepath.Join(c.store.dir, "*.sst"))
	if err != nil {
		return 0, err
	}
	sort.Strings(names)
	for _, name := range names {
		if err := c.ctx.Err(); err != nil {
			return files, err
		}
		err := verifyTable(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // merged away meanwhile
		}
		n := c.count("table")
		n.Rows++
		if info, err := os.Stat(name); err == nil {
			n.Bytes += info.Size()
		}
		if err != nil {
			c.fault("table", filepath.Base(name), "%v", err)
		}
		files++
	}
	return files, nil
}

// verifyTable checks a file of its own, beside the one that Badger has open. A table whose
// blocks cannot be unpacked makes Badger panic, which is a fault like others.
func verifyTable(path string) (err error) {
	f, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its blocks or its index cannot be read: %v", p)
		}
		err = errors.Join(err, f.Close(-1))
	}()
	t, err := table.OpenTable(f, table.Options{ReadOnly: true, BlockSize: 4 << 10, ChkMode: options.NoVerification, Compression: options.Snappy})
	if err != nil {
		return err
	}
	return t.VerifyChecksum()
}
