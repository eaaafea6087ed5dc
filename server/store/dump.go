package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// Point names the moment that a dump was of.
type Point struct {
	Epoch   uint64
	Version uint64 // of Badger; 0: before everything
	Time    time.Time
}

// Floor says that the rows below a key, down to the floor before it, are known up to a
// version.
type Floor struct {
	Until   []byte // exclusive, not empty
	Version uint64
}

// TenantHead is how far a tenant was at a moment.
type TenantHead struct {
	Name    string `json:"name"`
	Number  uint32 `json:"number"`
	Head    uint64 `json:"head"` // last place of the log
	Items   uint64 `json:"items"`
	Persons uint64 `json:"persons"`
}

// Snapshot is what a dump is of.
type Snapshot struct {
	Point
	Schema  uint32
	Tenants []TenantHead // by name
}

// Frame is some rows of a dump, in Badger's backup format: the length of a message, 8
// bytes, little-endian, and the message pb.KVList.
type Frame struct {
	Bytes []byte // valid within the call
	Rows  int
	// Next is the first key that is not covered yet; nil: all are.
	Next []byte
}

// frameBytes is about how large a frame is.
const frameBytes = 512 << 10

// Dump reads everything as of one moment, while writes go on: begin gets the moment,
// then frame the rows by ascending keys. Either's error ends it and is returned.
//
// since is the moment of an earlier dump: what has not changed since is left out, and
// what was removed comes as rows of the journal. Zero: everything. record.ErrExpired:
// too much has happened since, record.ErrConflict: it is of another store; make a full
// dump. floors, by ascending keys, are what an earlier call with the same since brought
// before it broke off: with them, both together are the dump of this call's moment.
//
// It holds one snapshot; a compaction waits for its end.
func (s *Store) Dump(ctx context.Context, since Point, floors []Floor, begin func(Snapshot) error, frame func(Frame) error) error {
	if err := s.dumpable(since, floors); err != nil {
		return err
	}
	s.cleaning.running.RLock()
	defer s.cleaning.running.RUnlock()
	return s.view(func(txn *badger.Txn) error {
		at, err := s.snapshot(txn)
		if err != nil {
			return err
		}
		if since.Version > at.Version {
			return fmt.Errorf("store: a dump since version %d, the store is at %d: it is of another past: make a full one: %w",
				since.Version, at.Version, record.ErrConflict)
		}
		if err := begin(at); err != nil {
			return err
		}
		d := dumper{ctx: ctx, frame: frame}
		var from []byte
		for _, f := range floors {
			if err := d.scan(txn, from, f.Until, f.Version); err != nil {
				return err
			}
			from = f.Until
		}
		if err := d.scan(txn, from, nil, since.Version); err != nil {
			return err
		}
		return d.flush(nil)
	})
}

func (s *Store) dumpable(since Point, floors []Floor) error {
	if since != (Point{}) {
		if since.Epoch != s.epoch {
			return fmt.Errorf("store: the earlier dump is of another store, or of this one before a restore: make a full one: %w", record.ErrConflict)
		}
		if age := time.Since(since.Time); age > changesAge {
			return fmt.Errorf("store: the earlier dump is %s old, removals are known for %s: make a full one: %w",
				age.Round(time.Hour), changesAge, record.ErrExpired)
		}
	}
	var before []byte
	for i, f := range floors {
		if len(f.Until) == 0 || bytes.Compare(f.Until, before) <= 0 || f.Version < since.Version {
			return fmt.Errorf("store: floor %d of a dump is not above the one before it: %w", i, record.ErrInvalid)
		}
		before = f.Until
	}
	return nil
}

// Now describes the present moment.
func (s *Store) Now() (at Snapshot, err error) {
	err = s.view(func(txn *badger.Txn) error {
		at, err = s.snapshot(txn)
		return err
	})
	return at, err
}

// snapshot describes the moment of a transaction.
func (s *Store) snapshot(txn *badger.Txn) (Snapshot, error) {
	at := Snapshot{Point: Point{s.epoch, txn.ReadTs(), time.Now().UTC()}}
	var schema storepb.Schema
	if _, err := fetch(reader{txn}, prefixKey(0, kindSchema), &schema); err != nil {
		return at, err
	}
	at.Schema = schema.Version
	err := scan(txn, prefixKey(0, kindTenant), nil, func(_, v []byte) error {
		var t storepb.Tenant
		if err := decode(v, valueOther, &t); err != nil {
			return err
		}
		var h storepb.Head
		if _, err := fetch(reader{txn}, prefixKey(t.Number, kindHead), &h); err != nil {
			return err
		}
		at.Tenants = append(at.Tenants, TenantHead{t.Name, t.Number, h.Seq, h.Items, h.Persons})
		return nil
	})
	return at, err
}

// dumper packs rows into frames.
type dumper struct {
	ctx   context.Context
	frame func(Frame) error
	list  pb.KVList
	bytes int
	out   []byte
}

// scan takes the rows from one key up to another that are newer than a version.
func (d *dumper) scan(txn *badger.Txn, from, until []byte, since uint64) error {
	o := badger.DefaultIteratorOptions
	o.PrefetchValues, o.SinceTs = false, since
	it := txn.NewIterator(o)
	defer it.Close()
	for it.Seek(from); it.Valid(); it.Next() {
		item := it.Item()
		if until != nil && bytes.Compare(item.Key(), until) >= 0 {
			break
		}
		if d.bytes >= frameBytes {
			if err := d.flush(item.KeyCopy(nil)); err != nil {
				return err
			}
		}
		v, err := item.ValueCopy(nil)
		if err != nil {
			return storageError(err)
		}
		kv := &pb.KV{Key: item.KeyCopy(nil), Value: v, Version: item.Version(), ExpiresAt: item.ExpiresAt()}
		d.list.Kv = append(d.list.Kv, kv)
		d.bytes += len(kv.Key) + len(v) + 16
	}
	return nil
}

// flush hands a frame on. next is the first key that comes after it.
func (d *dumper) flush(next []byte) error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	if len(d.list.Kv) == 0 && next != nil {
		return nil
	}
	d.out = append(d.out[:0], make([]byte, 8)...)
	var err error
	if d.out, err = (proto.MarshalOptions{}).MarshalAppend(d.out, &d.list); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	binary.LittleEndian.PutUint64(d.out, uint64(len(d.out)-8))
	f := Frame{Bytes: d.out, Rows: len(d.list.Kv), Next: next}
	d.list.Kv, d.bytes = slices.Delete(d.list.Kv, 0, len(d.list.Kv)), 0
	return d.frame(f)
}
