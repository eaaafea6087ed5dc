package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// Store is an open database. All methods are safe for concurrent use.
type Store struct {
	dir     string
	options Options
	db      *badger.DB

	epoch   uint64
	secret  [32]byte
	hashKey [32]byte

	queue      *queue
	readers    gate
	stopped    chan struct{} // closed when the committer has ended
	failure    atomic.Pointer[error]
	unreadable atomic.Bool
	counters   counters
	memtables  *memtables
	synced     *syncedMark
	journaled  journalClock
	cleaning   cleaning
	seen       *seen // nil: ids are looked up one by one
	// The committer's memory of the directory.
	persons *cache[personKey, *storepb.Person]
	items   *cache[itemIDKey, itemRef]

	mu      sync.RWMutex
	tenants map[string]*Tenant
	numbers uint32 // last tenant number given

	closing sync.Once
	closed  error
}

// Open opens the store in a directory, which it makes where there is none. One
// process at a time holds it: record.ErrHeld names the other one.
func Open(dir string, o Options) (*Store, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := roomToOpen(dir, o); err != nil {
		return nil, err
	}
	if err := removeEmptyLogs(dir); err != nil {
		return nil, err
	}
	if err := inspect(dir, o); err != nil {
		return nil, err
	}
	db, err := badger.Open(badgerOptions(dir, o))
	if err != nil {
		return nil, openError(dir, err)
	}
	s := &Store{
		dir: dir, options: o, db: db,
		queue: newQueue(o), stopped: make(chan struct{}),
		persons: newCache[personKey, *storepb.Person](o.Directory),
		items:   newCache[itemIDKey, itemRef](o.Directory),
		tenants: make(map[string]*Tenant),
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.synced.close(), db.Close())
	}
	if o.EventFilter > 0 {
		s.seen = new(seen)
	}
	go s.run()
	return s, nil
}

// load reads the identity and the tenants, and finishes what a crash cut short.
func (s *Store) load() error {
	var err error
	if s.memtables, err = newMemtables(s.dir, s.options.Logger); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := s.checkMissing(); err != nil {
		return err
	}
	if s.synced, err = openSynced(s.dir); err != nil {
		return err
	}
	if err := s.migrate(); err != nil {
		return err
	}
	if err := s.identify(); err != nil {
		return err
	}
	if err := s.loadErase(); err != nil {
		return err
	}
	if err := s.loadTenants(); err != nil {
		return err
	}
	for _, t := range s.tenants {
		if err := s.resume(t); err != nil {
			return err
		}
		if err := s.dropOrphanChunks(t); err != nil {
			return err
		}
		t.durable.Store(t.head.seq)
		t.delivered = t.head.seq
	}
	return nil
}

// identify reads the store's identity, or makes it.
func (s *Store) identify() error {
	w := s.newWriter()
	defer w.discard()
	var id storepb.Identity
	key := prefixKey(0, kindIdentity)
	found, err := fetch(w, key, &id)
	if err != nil {
		return err
	}
	if !found {
		if id.Secret, id.HashKey, id.Epoch, err = newIdentity(s.options.Random); err != nil {
			return err
		}
		if err := place(w, key, &id); err != nil {
			return err
		}
		w.durable = true
		if err := w.write(); err != nil {
			return err
		}
		if err := w.sync(); err != nil {
			return err
		}
	}
	if len(id.Secret) != len(s.secret) || len(id.HashKey) != len(s.hashKey) {
		return fmt.Errorf("store: the identity of %s: %w", s.dir, record.ErrCorrupt)
	}
	s.epoch = id.Epoch
	copy(s.secret[:], id.Secret)
	copy(s.hashKey[:], id.HashKey)
	return nil
}

func newIdentity(random io.Reader) (secret, hashKey []byte, epoch uint64, err error) {
	var b [72]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return nil, nil, 0, fmt.Errorf("store: random number: %w", err)
	}
	return b[:32], b[32:64], binary.LittleEndian.Uint64(b[64:]) | 1, nil
}

// Secret returns 32 random bytes made with the store, for signing page tokens.
func (s *Store) Secret() [32]byte { return s.secret }

// Close lets the committer finish what waits, ends the followers, waits for those
// who read and closes the database. Calls after the first return what the first did.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.queue.close()
		<-s.stopped
		s.mu.RLock()
		for _, t := range s.tenants {
			t.endFollowers()
		}
		s.mu.RUnlock()
		s.readers.close()
		s.release()
		s.closed = storageError(errors.Join(s.db.Close(), s.synced.close()))
	})
	return s.closed
}

// release lets a compaction drop what was replaced up to now: Badger keeps it for
// readers as old as the last one that ended.
func (s *Store) release() {
	_ = s.db.View(func(*badger.Txn) error { return nil })
}

// submit hands a request to the committer and waits for the answer. A context
// that ends takes back what still waits; what was taken is waited for.
func (s *Store) submit(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.done = make(chan struct{})
	if err := s.queue.put(r); err != nil {
		return err
	}
	return s.answered(ctx, r)
}

// answered waits for a request to be answered. When ctx ends first, one that was
// not taken up yet is withdrawn.
func (s *Store) answered(ctx context.Context, r *request) error {
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		if s.queue.withdraw(r) {
			return ctx.Err()
		}
		<-r.done
		return r.err
	}
}

// await hands a request to the committer and waits for the answer.
func (s *Store) await(r *request) error {
	r.done = make(chan struct{})
	if err := s.queue.put(r); err != nil {
		return err
	}
	<-r.done
	return r.err
}

// view runs a function over a snapshot of the database.
func (s *Store) view(fn func(txn *badger.Txn) error) (err error) {
	if !s.readers.enter() {
		return fmt.Errorf("store: %w", record.ErrClosed)
	}
	defer s.readers.leave()
	defer s.caught(&err)
	return s.db.View(fn)
}

// caught makes an error of a panic that a failed write has led to: Badger, when it cannot
// start a log, is left without one to look into, and every read of it panics. Any other
// panic is a mistake of ours and goes on.
func (s *Store) caught(err *error) {
	cause := recover()
	if cause == nil {
		return
	}
	for end := time.Now().Add(failureDelay); s.failure.Load() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			panic(cause)
		}
	}
	if !s.unreadable.Swap(true) {
		s.options.Logger.Error("store: cannot be read any more", "dir", s.dir, "panic", cause, "stack", string(debug.Stack()))
	}
	*err = fmt.Errorf("store: %w", record.ErrUnreadable)
}

// failureDelay is how long it may take the committer to hear of a write that failed.
const failureDelay = 100 * time.Millisecond

// Unreadable reports whether a read was met with record.ErrUnreadable. What is then said to
// be unknown may be known.
func (t *Tenant) Unreadable() bool { return t.store.unreadable.Load() }
