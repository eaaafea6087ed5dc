package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
)

// syncedName is the file that notes up to which version of Badger's everything is synced.
//
// It is written after each sync and before any answer, and not synced itself. So after
// kill -9 it is exact, and after a power cut it may be of some seconds before: it never
// names what was not synced. If the files of Badger end before it, what was acknowledged
// is missing.
const syncedName = "SYNCED"

// syncedMark is the open file.
type syncedMark struct {
	f    *os.File
	last uint64
}

func openSynced(dir string) (*syncedMark, error) {
	f, err := os.OpenFile(filepath.Join(dir, syncedName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return &syncedMark{f: f}, nil
}

// note notes a version, of which the caller knows that it is synced.
func (m *syncedMark) note(version uint64) error {
	if version <= m.last {
		return nil
	}
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], version)
	binary.BigEndian.PutUint32(b[8:], crc32.ChecksumIEEE(b[:8]))
	if _, err := m.f.WriteAt(b[:], 0); err != nil {
		return err
	}
	m.last = version
	return nil
}

// close closes the file, if it was opened.
func (m *syncedMark) close() error {
	if m == nil {
		return nil
	}
	return m.f.Close()
}

// readSynced reads the note of a directory; 0: there is none, as after a restore and in
// stores of earlier releases, or it cannot be read.
func readSynced(dir string) (uint64, error) {
	b, err := os.ReadFile(filepath.Join(dir, syncedName))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if len(b) < 12 || crc32.ChecksumIEEE(b[:8]) != binary.BigEndian.Uint32(b[8:]) {
		return 0, nil
	}
	return binary.BigEndian.Uint64(b), nil
}

// written is the version of the last transaction that was committed.
func written(db *badger.DB) uint64 {
	txn := db.NewTransaction(false)
	defer txn.Discard()
	return txn.ReadTs()
}
