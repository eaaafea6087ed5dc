package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// seen is a filter of the event ids that the store holds: nearly all ids that come are new,
// and to find that out from memtables and tables costs more than all else about an event.
// An id that it does not have is not in the database; one that it has is looked up.
//
// It is a Bloom filter whose bits of an id lie in one block of 64 bytes (Putze, Sanders and
// Singler, Cache-, hash- and space-efficient Bloom filters, 2007). The ids are hashed with
// a secret, so that nobody can fill it on purpose. It begins when enough new ids have come,
// and tells nothing until one scan has brought in those of before; what is written
// meanwhile goes in at once. Ids are never taken out: those of expired or erased
// events cost a lookup until the next start. At 10 bits an id one in a hundred is looked
// up for nothing, at 5 one in six.
//
// A scan does not tell when it meets a damaged block, so that the tables are checked
// before. Where one is damaged the filter stays silent: an id must not count twice.
//
// The committer adds and asks, the scan adds beside it.
type seen struct {
	words  []atomic.Uint64 // nil: not begun
	ready  atomic.Bool     // all ids are in
	missed int             // ids looked up in vain before it began
	ended  chan struct{}   // closed when the scan has ended, ready or not
}

const (
	seenBlock = 8     // words of a block
	seenBits  = 7     // an id sets so many
	seenAfter = 4_096 // ids looked up in vain before the filter is worth a scan
	seenPause = 8_192 // ids after which the scan rests for a millisecond
)

// may reports whether the store may hold an id. A nil filter knows nothing.
func (f *seen) may(tenant uint32, id [16]byte) bool {
	if f == nil || !f.ready.Load() {
		return true
	}
	block, bits := f.place(tenant, id[:])
	for range seenBits {
		if block[bits>>6&(seenBlock-1)].Load()&(1<<(bits&63)) == 0 {
			return false
		}
		bits >>= 9
	}
	return true
}

// miss counts an id that was looked up in vain.
func (f *seen) miss() {
	if f != nil {
		f.missed++
	}
}

// put takes the id of a key that is written.
func (f *seen) put(key []byte) {
	if f != nil && f.words != nil && key[prefixLen-1] == kindDuplicate {
		f.add(key)
	}
}

func (f *seen) add(key []byte) {
	block, bits := f.place(binary.BigEndian.Uint32(key), key[prefixLen:])
	for range seenBits {
		word := &block[bits>>6&(seenBlock-1)]
		if mask := uint64(1) << (bits & 63); word.Load()&mask == 0 {
			word.Or(mask)
		}
		bits >>= 9
	}
}

// place is the block of an id, and the places of its bits in that: 9 bits each.
func (f *seen) place(tenant uint32, id []byte) (block []atomic.Uint64, bits uint64) {
	blocks := uint64(len(f.words) / seenBlock)
	at := (binary.LittleEndian.Uint64(id) ^ uint64(tenant)*0x9e3779b97f4a7c15) % blocks * seenBlock
	return f.words[at : at+seenBlock], binary.LittleEndian.Uint64(id[8:])
}

// beginSeen starts the filter once it is worth it. The committer calls it between groups,
// when all that was put before is written.
func (s *Store) beginSeen() {
	f := s.seen
	if f == nil || f.words != nil || f.missed < seenAfter {
		return
	}
	f.words = make([]atomic.Uint64, max(1, s.options.EventFilter/(8*seenBlock))*seenBlock)
	f.ended = make(chan struct{})
	tenants := s.all()
	go func() {
		defer close(f.ended)
		// Close waits for those who read, and tells them to end by stopped.
		err := s.view(func(txn *badger.Txn) error { return s.fillSeen(txn, tenants) })
		if err != nil {
			s.options.Logger.Debug("store: event ids are looked up one by one", "err", err)
			return
		}
		f.ready.Store(true)
	}()
}

// all are the tenants there are.
func (s *Store) all() []*Tenant {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]*Tenant, 0, len(s.tenants))
	for _, t := range s.tenants {
		list = append(list, t)
	}
	return list
}

// fillSeen brings in the ids of before.
func (s *Store) fillSeen(txn *badger.Txn, tenants []*Tenant) error {
	for _, t := range tenants {
		prefix := prefixKey(t.number, kindDuplicate)
		if err := s.soundTables(prefix); err != nil {
			return err
		}
		it := txn.NewIterator(scanOptions(prefix))
		n := 0
		for it.Rewind(); it.Valid(); it.Next() {
			s.seen.add(it.Item().Key())
			if n++; n%seenPause != 0 {
				continue
			}
			if s.ending(time.Millisecond) {
				it.Close()
				return errStop
			}
		}
		it.Close()
	}
	return nil
}

// ending rests, and reports whether the committer has ended.
func (s *Store) ending(rest time.Duration) bool {
	select {
	case <-s.stopped:
		return true
	case <-time.After(rest):
		return false
	}
}

// soundTables compares the checksums of all tables that may hold keys of a prefix.
func (s *Store) soundTables(prefix []byte) error {
	for _, info := range s.db.Tables() {
		left, right := info.Left[:min(len(info.Left), len(prefix))], info.Right[:min(len(info.Right), len(prefix))]
		if bytes.Compare(left, prefix) > 0 || bytes.Compare(right, prefix) < 0 {
			continue
		}
		if err := s.soundTable(info.ID); err != nil {
			return fmt.Errorf("table %06d.sst: %w", info.ID, err)
		}
		if s.ending(time.Millisecond) {
			return errStop
		}
	}
	return nil
}
