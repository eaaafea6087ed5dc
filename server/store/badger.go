package store

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/kindred-rec/kindred/server/record"
)

// badgerOptions tune Badger for small memory, a quick start and writes by one
// goroutine. Values stay beside their keys (see writer), so that the value log
// file is as small as Badger allows.
func badgerOptions(dir string, o Options) badger.Options {
	compression := options.Snappy
	if o.Uncompressed {
		compression = options.None
	}
	return badger.DefaultOptions(dir).
		WithSyncWrites(false). // the writer syncs, once for a group
		WithDetectConflicts(false).
		WithNumVersionsToKeep(1).
		WithMemTableSize(o.MemTable).
		WithNumMemtables(o.MemTables).
		WithBaseLevelSize(5 * o.MemTable).
		WithBaseTableSize(tableSize(o.MemTable)).
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(1 << 20).
		WithBlockCacheSize(o.BlockCache).
		WithIndexCacheSize(o.IndexCache).
		WithNumCompactors(2).
		WithCompactL0OnClose(true). // a quick start, and nothing of the erased on disk
		WithCompression(compression).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithMetricsEnabled(false).
		WithLogger(badgerLogger{o.Logger})
}

// tableSize is the least size of a table below the first level. Badger has eight and more tables in the making during a
// compaction, and keeps their buffers for the next: each takes twice its rows as they are before compression, which is
// several times the table. Where memory is short, so are tables.
func tableSize(memTable int64) int64 { return min(max(memTable/16, 512<<10), 2<<20) }

// roomToOpen refuses to open where Badger, which first writes out the memtables
// that a crash left and starts a new one, would run out of space and end the
// process.
func roomToOpen(dir string, o Options) error {
	free, known := freeSpace(dir)
	if !known || o.Reserve == 0 {
		return nil
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if need := int64(len(logs)+1)*o.MemTable/2 + 4<<20; free < need {
		return fmt.Errorf("store: %d bytes are free under %s, opening may take %d: free some: %w",
			free, dir, need, record.ErrDiskFull)
	}
	return nil
}

// removeEmptyLogs removes logs of no bytes: Badger makes and deletes a log in two
// steps, and does not open again where a process was killed between them
// (dgraph-io/badger issue 2207). There is nothing in them.
func removeEmptyLogs(dir string) error {
	_, err := alone(dir, func() error {
		for _, pattern := range []string{"*.mem", "*.vlog"} {
			names, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				return err
			}
			for _, name := range names {
				info, err := os.Stat(name)
				if err != nil {
					return err
				}
				if info.Size() > 0 {
					continue
				}
				if err := os.Remove(name); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// openError says who holds the directory, if that is what is wrong.
func openError(dir string, err error) error {
	if !isLockHeld(err) {
		return fmt.Errorf("store: opening %s: %w", dir, storageError(err))
	}
	holder := "an unknown process"
	if pid, readErr := os.ReadFile(filepath.Join(dir, "LOCK")); readErr == nil && len(pid) > 0 {
		holder = "process " + strings.TrimSpace(string(pid))
	}
	return fmt.Errorf("store: %s is open in %s; stop it, or work through the running service: %w", dir, holder, record.ErrHeld)
}

// badgerLogger hands Badger's warnings on; what it says of its daily work is
// for debugging.
type badgerLogger struct{ to *slog.Logger }

func (l badgerLogger) Errorf(f string, args ...any) {
	l.to.Error("badger: " + strings.TrimSpace(fmt.Sprintf(f, args...)))
}

func (l badgerLogger) Warningf(f string, args ...any) {
	l.to.Warn("badger: " + strings.TrimSpace(fmt.Sprintf(f, args...)))
}

func (l badgerLogger) Infof(f string, args ...any)  { l.debug(f, args) }
func (l badgerLogger) Debugf(f string, args ...any) { l.debug(f, args) }

func (l badgerLogger) debug(f string, args []any) {
	if l.to.Enabled(context.Background(), slog.LevelDebug) {
		l.to.Debug("badger: " + strings.TrimSpace(fmt.Sprintf(f, args...)))
	}
}
