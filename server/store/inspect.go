package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2/z"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/badgerlog"
)

// Damage is a file of the store that is not what was written.
type Damage struct {
	File string // in the directory of the store
	// Offset is the first byte that is wrong, -1 where it is not known.
	Offset int64
	What   string
	// Mendable says that Options.Repair opens the store with what can be read.
	Mendable bool
}

func (d Damage) String() string {
	if d.Offset < 0 {
		return d.File + ": " + d.What
	}
	return fmt.Sprintf("%s, byte %d: %s", d.File, d.Offset, d.What)
}

// DamageError is why a store is not opened. It wraps record.ErrCorrupt. Nothing was
// changed: Badger, which cuts and removes files as it opens, was not asked.
type DamageError struct {
	Dir    string
	Damage []Damage
}

// Error names the files, what is wrong with them, and the ways out.
func (e *DamageError) Error() string {
	const shown = 5
	var list []string
	mendable := true
	for i, d := range e.Damage {
		mendable = mendable && d.Mendable
		if i < shown {
			list = append(list, d.String())
		}
	}
	if more := len(e.Damage) - shown; more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	out := "restore a backup into another directory (kindred restore)"
	if mendable {
		out += fmt.Sprintf(", or keep all that can be read: kindred verify --data %s --repair", e.Dir)
	}
	return fmt.Sprintf("store: %s is damaged: %s; nothing was changed; %s: %v", e.Dir, strings.Join(list, "; "), out, record.ErrCorrupt)
}

// Unwrap makes it record.ErrCorrupt.
func (e *DamageError) Unwrap() error { return record.ErrCorrupt }

// Exists reports whether a directory has a store, damaged or not.
func Exists(dir string) bool {
	for _, pattern := range []string{"MANIFEST", "*.sst", "*.mem"} {
		if names, err := filepath.Glob(filepath.Join(dir, pattern)); err == nil && len(names) > 0 {
			return true
		}
	}
	return false
}

// inspection looks at the files of a directory before Badger does, for Badger takes a damaged log
// for one that a crash cut short, removes tables that a damaged MANIFEST does not name, and
// reads past blocks of tables that it cannot read as if there was nothing in them.
type inspection struct {
	dir    string
	o      Options
	damage []Damage
	logs   []memtableLog // in the order in which they were written
	synced uint64        // see syncedName
}

// memtableLog is what was read of the log of a memtable.
type memtableLog struct {
	name string
	badgerlog.Log
}

// inspect returns a *DamageError for a directory that is damaged, or mends it with
// Options.Repair. It reads every table and log once.
func inspect(dir string, o Options) error {
	i := &inspection{dir: dir, o: o}
	if _, err := alone(dir, i.run); err != nil {
		var damage *DamageError
		if errors.As(err, &damage) {
			return err
		}
		return fmt.Errorf("store: looking at %s: %w", dir, err)
	}
	return nil // another process has it: Badger says so
}

func (i *inspection) run() error {
	var err error
	if i.synced, err = readSynced(i.dir); err != nil {
		return err
	}
	if err := i.readLogs(); err != nil {
		return err
	}
	if err := i.tables(); err != nil {
		return err
	}
	if err := i.derived(); err != nil {
		return err
	}
	if len(i.damage) == 0 {
		return nil
	}
	found := &DamageError{i.dir, i.damage}
	if !i.o.Repair || slices.ContainsFunc(i.damage, func(d Damage) bool { return !d.Mendable }) {
		return found
	}
	return i.mend()
}

// bad notes a damage that can be mended, or not.
func (i *inspection) bad(mendable bool, file string, offset int64, format string, args ...any) {
	i.damage = append(i.damage, Damage{file, offset, fmt.Sprintf(format, args...), mendable})
}

// readLogs reads the logs of memtables, and holds them against each other and the note of
// what is synced.
func (i *inspection) readLogs() error {
	names, err := filepath.Glob(filepath.Join(i.dir, "*.mem"))
	if err != nil {
		return err
	}
	slices.Sort(names) // numbers of equal length
	last, before := uint64(0), len(i.damage)
	for _, path := range names {
		l := memtableLog{name: filepath.Base(path)}
		if err := mapped(path, func(b []byte) { l.Log = badgerlog.Read(b) }); err != nil {
			return err
		}
		i.logs = append(i.logs, l)
		last = max(last, l.Last)
		if l.Damaged || l.Least > 0 && l.Least <= i.synced {
			i.bad(true, l.name, int64(l.Gap), "%d bytes cannot be read, %d rows behind them can", l.GapLen, l.Behind)
		}
	}
	if last > 0 && last < i.synced && len(i.damage) == before {
		l := i.logs[len(i.logs)-1]
		i.bad(true, l.name, int64(l.Cut), "it ends with transaction %d, and up to %d were acknowledged", last, i.synced)
	}
	return nil
}

// logged reports whether a version is among those of the logs.
func (i *inspection) logged(version uint64) bool {
	return slices.ContainsFunc(i.logs, func(l memtableLog) bool { return l.First <= version && version <= l.Last })
}

// mapped calls fn with the content of a file, valid within the call.
func mapped(path string, fn func([]byte)) error {
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.Size() == 0 {
		fn(nil) // nothing can be mapped
		return nil
	}
	f, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	fn(f.Data)
	return f.Close(-1)
}

// checkMissing compares what Badger opened with what was synced: a log that is gone leaves no trace
// of its own.
func (s *Store) checkMissing() error {
	synced, err := readSynced(s.dir)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	has := s.db.MaxVersion()
	if has >= synced {
		return nil
	}
	d := Damage{"*.mem", -1, fmt.Sprintf("transactions up to %d were acknowledged, and the files end with %d: a log is missing", synced, has), true}
	if !s.options.Repair {
		return &DamageError{s.dir, []Damage{d}}
	}
	s.options.Logger.Error("store: opened without what cannot be read", "damage", d.String())
	return os.Remove(filepath.Join(s.dir, syncedName))
}

// openTable opens a table of its own, beside the one that Badger may have open, and has it read. A file does not say whether
// its blocks are compressed, and a store may have tables of both kinds: one that can be read as either is sound.
func openTable(path string, read func(*table.Table) error) error {
	err := openTableAs(options.Snappy, path, read)
	if err == nil || errors.Is(err, os.ErrNotExist) {
		return err
	}
	plain := openTableAs(options.None, path, read)
	if plain == nil {
		return nil
	}
	return fmt.Errorf("%w; read as one that is not compressed: %w", err, plain)
}

// openTableAs opens a table. One whose blocks cannot be unpacked makes Badger panic, which is an error here. So is a fault:
// Badger cuts a table that is merged away to nothing before it removes it, and then there are no pages under the map.
func openTableAs(kind options.CompressionType, path string, read func(*table.Table) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // of this goroutine
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
	t, err := table.OpenTable(f, table.Options{ReadOnly: true, BlockSize: 4 << 10, ChkMode: options.NoVerification, Compression: kind})
	if err != nil {
		return err
	}
	return read(t)
}

// soundTable compares the checksums of one of the store's tables; one that is merged away meanwhile is sound.
func (s *Store) soundTable(id uint64) error {
	err := openTable(table.NewFilename(id, s.dir), (*table.Table).VerifyChecksum)
	if err != nil && !slices.ContainsFunc(s.db.Tables(), func(t badger.TableInfo) bool { return t.ID == id }) {
		return nil
	}
	return err
}
