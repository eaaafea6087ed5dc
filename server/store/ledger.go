package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
)

// row is one key of the database.
type row struct {
	key, value []byte
	expires    uint64 // seconds since 1970; 0: never
}

// ledger is what a plan reads and writes: the database for an append, a copy on
// write for a dry run. Keys and values given to it must not be changed afterwards.
type ledger interface {
	// get returns nil where there is no row.
	get(key []byte) ([]byte, error)
	put(r row) error
	remove(key []byte) error
}

// fetch reads a row into a message and reports whether there is one.
func fetch(l ledger, key []byte, m proto.Message) (bool, error) {
	v, err := l.get(key)
	if err != nil || v == nil {
		return false, err
	}
	if err := decode(v, valueOther, m); err != nil {
		return false, fmt.Errorf("%w (row of kind %q)", err, key[prefixLen-1])
	}
	return true, nil
}

// place encodes a message and puts it.
func place(l ledger, key []byte, m proto.Message) error {
	v, err := encode(valueOther, m)
	if err != nil {
		return err
	}
	return l.put(row{key: key, value: v})
}

// getCopy reads one row of a transaction.
func getCopy(txn *badger.Txn, key []byte) ([]byte, error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, storageError(err)
	}
	v, err := item.ValueCopy(make([]byte, 0, item.ValueSize()))
	if err != nil {
		return nil, storageError(err)
	}
	return v, nil
}

// firstRows reads up to limit rows of a prefix.
func firstRows(txn *badger.Txn, prefix []byte, limit int) ([]row, error) {
	it := txn.NewIterator(scanOptions(prefix))
	defer it.Close()
	var rows []row
	for it.Rewind(); it.Valid() && len(rows) < limit; it.Next() {
		item := it.Item()
		v, err := item.ValueCopy(nil)
		if err != nil {
			return nil, storageError(err)
		}
		rows = append(rows, row{item.KeyCopy(nil), v, item.ExpiresAt()})
	}
	return rows, nil
}

// scanOptions iterate one prefix. Values lie beside their keys, so that there is
// nothing to fetch ahead.
func scanOptions(prefix []byte) badger.IteratorOptions {
	o := badger.DefaultIteratorOptions
	o.PrefetchValues, o.Prefix = false, prefix
	return o
}

// reader is the ledger of a lookup that writes nothing.
type reader struct{ txn *badger.Txn }

func (r reader) get(key []byte) ([]byte, error) { return getCopy(r.txn, key) }
func (r reader) put(row) error                  { return badger.ErrReadOnlyTxn }
func (r reader) remove([]byte) error            { return badger.ErrReadOnlyTxn }

// overlay is the ledger of a dry run.
type overlay struct {
	reader
	rows map[string][]byte // nil: removed
}

func (o *overlay) get(key []byte) ([]byte, error) {
	if v, ok := o.rows[string(key)]; ok {
		return v, nil
	}
	return o.reader.get(key)
}

func (o *overlay) put(r row) error {
	o.rows[string(r.key)] = r.value
	return nil
}

func (o *overlay) remove(key []byte) error {
	o.rows[string(key)] = nil
	return nil
}

// caused reports whether an error of Badger has a cause. Badger wraps errors by
// their text alone, so that errors.Is does not see through it.
func caused(err, cause error) bool {
	return errors.Is(err, cause) || strings.Contains(err.Error(), cause.Error())
}

// storageError sorts Badger's errors into the documented ones.
func storageError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, badger.ErrDBClosed), errors.Is(err, badger.ErrBlockedWrites):
		return fmt.Errorf("store: %w: %w", record.ErrClosed, err)
	case caused(err, y.ErrChecksumMismatch):
		return fmt.Errorf("store: %w: %w", record.ErrCorrupt, err)
	case isNoSpace(err):
		return fmt.Errorf("store: %w: %w", record.ErrDiskFull, err)
	}
	return fmt.Errorf("store: %w", err)
}
