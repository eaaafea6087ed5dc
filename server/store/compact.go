package store

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// cleaning knows whether erased bytes wait to leave the disk.
type cleaning struct {
	running sync.RWMutex // held by a compaction, shared by dumps
	mu      sync.Mutex
	waiting time.Time // of the first erase that no compaction has followed; zero: none
	last    time.Time // end of the last compaction
}

// erased notes an erase and reports whether it is the first that waits.
func (c *cleaning) erased(at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.waiting.IsZero() {
		return false
	}
	c.waiting = at
	return true
}

func (c *cleaning) waits() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting
}

// noteErase leaves a row that says that erased bytes wait, so that a crash does not
// forget it.
func (w *writer) noteErase(at time.Time) error {
	if !w.s.cleaning.erased(at) {
		return nil
	}
	return place(w, prefixKey(0, kindErasing), &storepb.Erase{ReceivedNs: at.UnixNano()})
}

// loadErase reads the note of an earlier process.
func (s *Store) loadErase() error {
	return s.view(func(txn *badger.Txn) error {
		var m storepb.Erase
		found, err := fetch(reader{txn}, prefixKey(0, kindErasing), &m)
		if found {
			s.cleaning.erased(received(m.ReceivedNs))
		}
		return err
	})
}

// dropNote removes the note, unless somebody was erased since the compaction began.
func (s *Store) dropNote() error {
	return s.await(&request{control: func(w *writer) error {
		if !s.cleaning.waits().IsZero() {
			return nil
		}
		return w.remove(prefixKey(0, kindErasing))
	}})
}

// begin says that what was erased up to now is about to go, end that it went, or that it
// did not.
func (c *cleaning) begin() (was time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, c.waiting = c.waiting, time.Time{}
	return was
}

func (c *cleaning) end(was time.Time, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if done {
		c.last = time.Now()
		return
	}
	if !was.IsZero() {
		c.waiting = was
	}
}

// Compact has what was erased, replaced or has expired leave the disk, and returns when
// it has: it empties the memtables into tables, merges all tables, and collects the value
// log. Reads and writes go on, but for the emptying, which holds up writes for about the
// time that writing a memtable takes. It takes time and free disk for the whole database.
// A dump holds a snapshot of everything, so that the two wait for each other. A shorter
// read that goes on meanwhile, such as an export, keeps what it may still meet; that stays
// until Badger merges those tables again.
func (s *Store) Compact() (err error) {
	if !s.readers.enter() {
		return fmt.Errorf("store: %w", record.ErrClosed)
	}
	defer s.readers.leave()
	s.cleaning.running.Lock()
	defer s.cleaning.running.Unlock()
	was := s.cleaning.begin()
	defer func() { s.cleaning.end(was, err == nil) }()
	if err := s.emptyMemtables(); err != nil {
		return err
	}
	s.release()
	if err := s.db.Flatten(1); err != nil {
		return storageError(err)
	}
	if err := s.CollectValueLog(); err != nil || was.IsZero() {
		return err
	}
	return s.dropNote()
}

// emptyMemtables has Badger write its memtables into tables. Badger has no call for that,
// but does it before it drops a prefix, so that a row is written to be dropped. Meanwhile
// Badger refuses writes: the committer does it, who is the only one that writes.
func (s *Store) emptyMemtables() error {
	mark := prefixKey(0, kindMark)
	err := s.await(&request{control: func(w *writer) error {
		w.open()
		return w.put(row{key: mark, value: []byte{format, valueOther}})
	}})
	if err != nil {
		return err
	}
	return s.await(&request{control: func(w *writer) error {
		// What this group has decided so far must be written before.
		if err := w.write(); err != nil {
			return err
		}
		return storageError(s.db.DropPrefix(mark))
	}})
}

// CollectValueLog has Badger rewrite files of its value log that hold mostly what is no
// more. All values lie beside their keys, so that there is nothing in it unless Options
// change; the call is cheap then.
func (s *Store) CollectValueLog() error {
	for {
		err := s.db.RunValueLogGC(0.5)
		switch {
		case err == nil:
		case errors.Is(err, badger.ErrNoRewrite), errors.Is(err, badger.ErrRejected):
			return nil // there is nothing to do, or somebody does it
		default:
			return storageError(err)
		}
	}
}

// Storage is how much disk the store takes.
type Storage struct {
	TableBytes    int64
	ValueLogBytes int64
	// EraseWaits is when the first erase was that no compaction has followed, also before
	// the store was opened; zero: none.
	EraseWaits time.Time
	Compacted  time.Time // end of the last compaction; zero: none since the store was opened
}

// Storage returns the figures. Badger counts its files once a minute.
func (s *Store) Storage() Storage {
	tables, values := s.db.Size()
	s.cleaning.mu.Lock()
	defer s.cleaning.mu.Unlock()
	return Storage{tables, values, s.cleaning.waiting, s.cleaning.last}
}
