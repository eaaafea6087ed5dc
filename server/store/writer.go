package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// writer is the ledger of the committer: one Badger transaction at a time.
//
// What is durable and when. Badger appends a transaction to the log of its
// current memtable, a mapped file, and DB.Sync writes that map out (msync). When
// the memtable is full the next transaction starts another one, and DB.Sync then
// reaches only that. So every transaction that holds durable rows is synced
// before the next one is written; there is no other writer. The value log stays
// empty: all values lie beside their keys, so that it needs no collection, and
// an erased row leaves the disk with the next compaction.
type writer struct {
	s       *Store
	txn     *badger.Txn
	rows    int   // of the open transaction
	bytes   int64 // of the open transaction
	total   int   // rows of all
	durable bool  // rows that must be synced were written or are about to be
	heads   map[*Tenant]struct{}
	slab    []badger.Entry
	journal journal // of the open transaction
}

func (s *Store) newWriter() *writer {
	return &writer{s: s, heads: make(map[*Tenant]struct{})}
}

func (w *writer) open() *badger.Txn {
	if w.txn == nil {
		w.txn = w.s.db.NewTransaction(true)
		w.rows, w.bytes = 0, 0
	}
	return w.txn
}

func (w *writer) get(key []byte) ([]byte, error) { return getCopy(w.open(), key) }

func (w *writer) put(r row) error {
	e := w.entry()
	e.Key, e.Value, e.ExpiresAt = r.key, r.value, r.expires
	return w.set(e)
}

func (w *writer) entry() *badger.Entry {
	if len(w.slab) == 0 {
		w.slab = make([]badger.Entry, min(max(16, w.total), 256))
	}
	e := &w.slab[0]
	w.slab = w.slab[1:]
	return e
}

func (w *writer) set(e *badger.Entry) error {
	txn := w.open()
	w.journal.put(e.Key)
	w.s.seen.put(e.Key)
	w.count(len(e.Key) + len(e.Value))
	return storageError(txn.SetEntry(e))
}

func (w *writer) count(bytes int) {
	w.rows++
	w.total++
	w.bytes += int64(bytes) + 32
}

func (w *writer) remove(key []byte) error {
	txn := w.open()
	w.count(len(key))
	w.journal.removed(key)
	return storageError(txn.Delete(key))
}

// first returns up to limit rows of a prefix, in the order of their keys.
func (w *writer) first(prefix []byte, limit int) ([]row, error) {
	return firstRows(w.open(), prefix, limit)
}

// between returns up to limit rows of a prefix from a key on and before another, and
// the key to go on from; nil: there are no more.
func (w *writer) between(prefix, from, until []byte, limit int) (rows []row, next []byte, err error) {
	it := w.open().NewIterator(scanOptions(prefix))
	defer it.Close()
	for it.Seek(from); it.Valid() && bytes.Compare(it.Item().Key(), until) < 0; it.Next() {
		item := it.Item()
		if len(rows) == limit {
			return rows, item.KeyCopy(nil), nil
		}
		v, err := item.ValueCopy(nil)
		if err != nil {
			return nil, nil, storageError(err)
		}
		rows = append(rows, row{item.KeyCopy(nil), v, item.ExpiresAt()})
	}
	return rows, nil, nil
}

// room makes place for one more mutation: rows before and after it may be parted
// by a crash, so that it is called between mutations only. Badger bounds a
// transaction; past half of the bound the open one is written and synced.
func (w *writer) room() error {
	if w.txn == nil || w.rows < int(w.s.db.MaxBatchCount()/2) && w.bytes < w.s.db.MaxBatchSize()/2 {
		return nil
	}
	if err := w.write(); err != nil {
		return err
	}
	return w.sync()
}

// write commits the open transaction with the heads of the tenants it changed.
// What it wrote can be read by all, and is not yet durable.
func (w *writer) write() error {
	if w.txn == nil {
		return nil
	}
	for t := range w.heads {
		if err := place(w, prefixKey(t.number, kindHead), t.head.message()); err != nil {
			return err
		}
	}
	clear(w.heads)
	if err := w.writeJournal(); err != nil {
		return err
	}
	if w.rows == 0 {
		w.discard()
		return nil
	}
	err := w.txn.Commit()
	w.txn = nil
	if err != nil {
		return storageError(err)
	}
	return nil
}

// sync makes what was written durable, if any of it has to be.
func (w *writer) sync() error {
	if !w.durable || !w.s.options.Sync {
		return nil
	}
	w.durable = false
	start := time.Now()
	defer func() {
		w.s.counters.syncs.Add(1)
		w.s.counters.syncNanos.Add(uint64(time.Since(start)))
	}()
	version := written(w.s.db)
	if err := w.s.memtables.syncNames(); err != nil {
		return storageError(err)
	}
	if err := w.s.db.Sync(); err != nil {
		return storageError(err)
	}
	return storageError(w.s.synced.note(version))
}

// touch says that durable rows of a tenant are written, and its head with them.
func (w *writer) touch(t *Tenant) {
	w.durable = true
	w.heads[t] = struct{}{}
}

func (w *writer) discard() {
	if w.txn != nil {
		w.txn.Discard()
		w.txn = nil
		clear(w.journal.keys)
	}
}

// memtables watches for logs that Badger starts. Badger syncs their content and
// not their names; a file whose name is lost is lost.
type memtables struct {
	dir    string
	newest int
	logger *slog.Logger
}

// newMemtables finds the newest log of an opened database.
func newMemtables(dir string, logger *slog.Logger) (*memtables, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	m := &memtables{dir: dir, newest: -1, logger: logger}
	for _, e := range entries {
		var n int
		name, found := strings.CutSuffix(e.Name(), ".mem")
		if !found {
			continue
		}
		if _, err := fmt.Sscanf(name, "%d", &n); err == nil {
			m.newest = max(m.newest, n)
		}
	}
	if m.newest < 0 {
		return nil, errors.New("the database has no memtable log; this release of Badger names them otherwise")
	}
	m.advise()
	return m, syncDirectory(dir)
}

// advise spares syncs of the newest log; without it they are dearer, and no less safe.
func (m *memtables) advise() {
	if err := noReadahead(m.log(m.newest)); err != nil {
		m.logger.Warn("store: the kernel reads the log ahead, which makes its syncs dearer", "error", err)
	}
}

// log is the path of a log.
func (m *memtables) log(number int) string {
	return filepath.Join(m.dir, fmt.Sprintf("%05d.mem", number))
}

// syncNames syncs the directory if a log was started since the last call.
func (m *memtables) syncNames() error {
	started := false
	for {
		_, err := os.Stat(m.log(m.newest + 1))
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		m.newest++
		started = true
	}
	if !started {
		return nil
	}
	m.advise()
	return syncDirectory(m.dir)
}
