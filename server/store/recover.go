package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// Erased is an erase that a log holds: of whom, by number, and when. It names nobody: the
// number leads to a name only in a store that still has the person.
type Erased struct {
	Tenant uint32    `json:"tenant"`
	Number uint64    `json:"number,string"`
	Time   time.Time `json:"time"`
}

// ErasedIn yields the erases among the frames of a dump.
func ErasedIn(frames io.Reader, fn func(Erased)) error {
	return eachFrame(frames, func(list *pb.KVList) error {
		for _, kv := range list.Kv {
			if len(kv.Key) == prefixLen+8 && kv.Key[prefixLen-1] == kindLog {
				if err := erasedRow(kv.Key, kv.Value, fn); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func erasedRow(key, v []byte, fn func(Erased)) error {
	if kind, _, err := body(v); err != nil || kind != valueErase {
		return err
	}
	var m storepb.Erase
	if err := decode(v, valueErase, &m); err != nil {
		return err
	}
	fn(Erased{binary.BigEndian.Uint32(key), m.Number, received(m.ReceivedNs)})
	return nil
}

// EachErased yields all erases that the logs hold, tenant by tenant, in their order. It
// reads the logs whole.
func (s *Store) EachErased(fn func(Erased)) error {
	return s.view(func(txn *badger.Txn) error {
		for _, number := range s.tenantNumbers() {
			if err := scan(txn, prefixKey(number, kindLog), nil, func(key, v []byte) error { return erasedRow(key, v, fn) }); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) tenantNumbers() (numbers []uint32) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for n := range s.numbers {
		numbers = append(numbers, n+1)
	}
	return numbers
}

// tenantOf returns the tenant of a number, nil if there is none.
func (s *Store) tenantOf(number uint32) *Tenant {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.tenants {
		if t.number == number {
			return t
		}
	}
	return nil
}

// EraseAgain erases those of a list whom the store still has, as after a restore from
// before their erases, and returns how many it had. The store must be of the same origin:
// numbers are random, so that those of another store name nobody here.
func (s *Store) EraseAgain(ctx context.Context, list []Erased) (erased int, err error) {
	for _, e := range list {
		t := s.tenantOf(e.Tenant)
		if t == nil {
			continue
		}
		done, err := t.eraseNumber(ctx, e.Number)
		if err != nil {
			return erased, err
		}
		if done {
			erased++
		}
	}
	return erased, nil
}

func (t *Tenant) eraseNumber(ctx context.Context, number uint64) (bool, error) {
	user, session, known := t.Name(number)
	if !known {
		return false, nil
	}
	out, _, err := t.Append(ctx, []record.Mutation{{Erase: &record.Erase{User: user, Session: session}}})
	if err == nil {
		err = out[0].Err
	}
	return err == nil, err
}

// Replayed counts what a replay did.
type Replayed struct {
	Entries   int64 // written again
	Unchanged int64
	Refused   int64 // such as an event that has expired since
	Decisions int64
	// Later is what was received after the moment, and left out.
	Later int64
}

// Replay brings a store that no process has open forward to a moment, by the logs of
// another one, which is a later state of it: what was received after the first store's
// end and not after until is written again, with the times at which it was received.
//
// An event is in a log until it expires. Of an item or a profile a log keeps the last
// change alone: one that changed before until and again after it stays as it was in the
// first store. Settings, policies and keys are the first store's. Places in the log are
// given anew.
func Replay(ctx context.Context, dir string, o Options, from *Store, until time.Time) (n Replayed, err error) {
	var clock atomic.Int64
	clock.Store(time.Now().UnixNano())
	o.Now = func() time.Time { return time.Unix(0, clock.Load()) }
	o.Sync = false // until it is closed
	s, err := Open(dir, o)
	if err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, number := range from.tenantNumbers() {
		source := from.tenantOf(number)
		if source == nil {
			continue
		}
		settings := source.Settings()
		if s.tenantOf(number) == nil {
			if settings.Created.After(until) {
				continue
			}
			if _, err := s.CreateTenant(ctx, settings); err != nil {
				return n, err
			}
		}
		r := replayer{from: source, to: s.tenantOf(number), until: until, clock: &clock, counts: &n}
		if r.to == nil {
			return n, fmt.Errorf("store: tenant %q has another number than in the later store: %w", settings.Name, record.ErrCorrupt)
		}
		if err := r.run(ctx); err != nil {
			return n, fmt.Errorf("store: replaying tenant %q: %w", settings.Name, err)
		}
	}
	return n, nil
}

// replayer replays one tenant.
type replayer struct {
	from, to *Tenant
	until    time.Time
	clock    *atomic.Int64
	counts   *Replayed
	batch    []record.Mutation
	at       time.Time // when the batch was received
}

// replayBatch bounds a batch; all of it was received at one time.
const replayBatch = 512

func (r *replayer) run(ctx context.Context) error {
	shared, slab := words{}, eventSlab{}
	base := r.to.Head().Seq
	err := r.from.store.view(func(txn *badger.Txn) error {
		names := namer{t: r.from, txn: txn}
		first := numberKey(r.from.number, kindLog, base+1)
		return scan(txn, prefixKey(r.from.number, kindLog), first, func(key, v []byte) error {
			e, ok, err := r.from.entry(txn, lastNumber(key), v, shared, &slab)
			if err != nil || !ok {
				return err
			}
			if e.Received.After(r.until) {
				r.counts.Later++
				return nil
			}
			m, ok, err := r.mutation(txn, &names, &e, v)
			if err != nil || !ok {
				return err
			}
			if len(r.batch) == replayBatch || !e.Received.Equal(r.at) {
				if err := r.flush(ctx); err != nil {
					return err
				}
			}
			r.at = e.Received
			r.batch = append(r.batch, m)
			return nil
		})
	})
	if err != nil {
		return err
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	return r.decisions()
}

// mutation makes what was once appended of an entry; false: there is nothing to append.
func (r *replayer) mutation(txn *badger.Txn, names *namer, e *record.Entry, v []byte) (m record.Mutation, ok bool, err error) {
	switch {
	case e.Event != nil:
		var row eventRow
		if err := decodeEvent(v, words{}, &row); err != nil {
			return m, false, err
		}
		if err := names.fill(&row); err != nil {
			return m, false, err
		}
		m.Event = &row.Event
		return m, row.User != "" || row.Session != "", nil
	case e.Item != nil:
		var row storepb.ItemRow
		if _, err := fetch(reader{txn}, itemKey(r.from.number, e.ItemNumber), &row); err != nil {
			return m, false, err
		}
		if row.CreatedFilled {
			e.Item.Created = time.Time{} // filled again, by the same time
		}
		m.Item = e.Item
		return m, true, nil
	case e.Delete != nil, e.Promote != nil:
		return e.Mutation, true, nil
	case e.Profile != nil:
		user, _, known, err := r.from.name(txn, e.UserNumber)
		e.Profile.User = user
		m.Profile = e.Profile
		return m, known, err
	case e.Merge != nil:
		return r.merge(txn, v)
	}
	return m, false, nil // erases were done before
}

func (r *replayer) merge(txn *badger.Txn, v []byte) (m record.Mutation, ok bool, err error) {
	var merge storepb.Merge
	if err := decode(v, valueMerge, &merge); err != nil {
		return m, false, err
	}
	user, _, has, err := r.from.name(txn, merge.User)
	if err != nil || !has {
		return m, false, err
	}
	_, session, has, err := r.from.name(txn, merge.Session)
	m.Merge = &record.Merge{Session: session, User: user}
	return m, has, err
}

func (r *replayer) flush(ctx context.Context) error {
	if len(r.batch) == 0 {
		return nil
	}
	r.clock.Store(r.at.UnixNano())
	out, _, err := r.to.Append(ctx, r.batch)
	r.batch = nil
	if err != nil {
		return err
	}
	for _, o := range out {
		switch o.Status {
		case record.Refused:
			r.counts.Refused++
			r.to.store.options.Logger.Warn("store: not replayed", "err", o.Err)
		case record.Unchanged, record.Stale:
			r.counts.Unchanged++
		default:
			r.counts.Entries++
		}
	}
	return nil
}

// decisions copies those of the time between, under the numbers that their users have.
func (r *replayer) decisions() error {
	after := time.Unix(0, 0)
	err := r.to.ScanDecisions(after, r.until, func(d record.Decision) error {
		after = d.Time.Add(time.Nanosecond)
		return nil
	})
	if err != nil {
		return err
	}
	var batch []record.Decision
	flush := func() error {
		r.counts.Decisions += int64(len(batch))
		err := r.to.PutDecisions(batch)
		batch = nil
		return err
	}
	err = r.from.ScanDecisions(after, r.until, func(d record.Decision) error {
		if d.UserNumber != 0 {
			user, session, _ := r.from.Name(d.UserNumber) // none: nobody has it below
			var known bool
			if d.UserNumber, known = r.to.UserNumber(user, session); !known {
				return nil // erased
			}
		}
		d.Profile = record.Token{}
		batch = append(batch, d)
		if len(batch) == replayBatch {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// TimeOf returns when the last entry up to a place of a tenant's log was received.
// record.ErrNotFound: the log has none, or there is no such tenant.
func (s *Store) TimeOf(tenant uint32, seq uint64) (at time.Time, err error) {
	t := s.tenantOf(tenant)
	if t == nil {
		return at, fmt.Errorf("store: tenant number %d: %w", tenant, record.ErrNotFound)
	}
	err = s.view(func(txn *badger.Txn) error {
		o := scanOptions(prefixKey(tenant, kindLog))
		o.Reverse = true
		it := txn.NewIterator(o)
		defer it.Close()
		shared, slab := words{}, eventSlab{}
		for it.Seek(numberKey(tenant, kindLog, seq)); it.Valid(); it.Next() {
			item := it.Item()
			v, err := item.ValueCopy(nil)
			if err != nil {
				return storageError(err)
			}
			e, ok, err := t.entry(txn, lastNumber(item.Key()), v, shared, &slab)
			if err != nil {
				return err
			}
			if ok {
				at = e.Received
				return nil
			}
		}
		return fmt.Errorf("store: the log has nothing up to place %d: %w", seq, record.ErrNotFound)
	})
	return at, err
}
