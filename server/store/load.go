package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// bitDelete marks a removal in Badger's backup format.
const bitDelete = 1

// maxFrame bounds a frame that is read: one value and what it is packed in.
const maxFrame = 64 << 20

// Load makes a store in a directory, which must be empty or not exist, of the frames of
// a full dump and those that add to it, in any order. Rows that have expired and removals
// are applied; the store gets a new epoch, so that write tokens of before are noticed.
// derived says whether checkpoints come along: they are of the last dump's moment. What a
// failed call leaves is no store: remove it.
//
// record.ErrCorrupt: the frames are no dump; record.ErrNewer: of a later release.
func Load(dir string, o Options, derived bool, frames ...io.Reader) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	if err := emptyDirectory(dir); err != nil {
		return err
	}
	db, err := badger.Open(badgerOptions(dir, o))
	if err != nil {
		return openError(dir, err)
	}
	l := loader{kv: db.NewKVLoader(8), now: uint64(time.Now().Unix()), derived: derived}
	for _, r := range frames {
		if err := l.read(r); err != nil {
			return errors.Join(err, l.kv.Finish(), db.Close())
		}
	}
	if err := errors.Join(l.kv.Finish(), db.Close()); err != nil {
		return storageError(err)
	}
	return settle(dir, o)
}

// emptyDirectory makes a directory, and refuses one with something in it.
func emptyDirectory(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("store: %s is not empty (it has %s): give a new directory: %w", dir, entries[0].Name(), record.ErrExists)
	}
	return nil
}

// loader writes rows with the versions they had, so that the order in which they come is
// of no account: of each key the newest counts.
type loader struct {
	kv      *badger.KVLoader
	now     uint64
	derived bool
}

func (l *loader) read(r io.Reader) error {
	return eachFrame(r, func(list *pb.KVList) error {
		for _, kv := range list.Kv {
			if err := l.row(kv); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachFrame reads frames to the end of a stream.
func eachFrame(r io.Reader, fn func(*pb.KVList) error) error {
	in := bufio.NewReaderSize(r, 1<<16)
	var length [8]byte
	for {
		if _, err := io.ReadFull(in, length[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("store: a dump: %w: %w", record.ErrCorrupt, err)
		}
		n := binary.LittleEndian.Uint64(length[:])
		if n > maxFrame {
			return fmt.Errorf("store: a frame of %d bytes in a dump, at most %d are taken: %w", n, maxFrame, record.ErrCorrupt)
		}
		raw := make([]byte, n)
		if _, err := io.ReadFull(in, raw); err != nil {
			return fmt.Errorf("store: a dump ends within a frame: %w: %w", record.ErrCorrupt, err)
		}
		var list pb.KVList
		if err := proto.Unmarshal(raw, &list); err != nil {
			return fmt.Errorf("store: a frame of a dump: %w: %w", record.ErrCorrupt, err)
		}
		if err := fn(&list); err != nil {
			return err
		}
	}
}

func (l *loader) row(kv *pb.KV) error {
	if len(kv.Key) < prefixLen {
		return fmt.Errorf("store: a dump has a key of %d bytes: %w", len(kv.Key), record.ErrCorrupt)
	}
	tenant, kind := binary.BigEndian.Uint32(kv.Key), kv.Key[prefixLen-1]
	if tenant == 0 && kind == kindRemoved {
		return l.removals(kv)
	}
	if !l.derived && tenant != 0 && (kind == kindCheckpoint || kind == kindChunk) {
		return nil
	}
	if kv.ExpiresAt != 0 && kv.ExpiresAt <= l.now {
		// It may stand in the place of one that has not expired.
		kv = &pb.KV{Key: kv.Key, Version: kv.Version, Meta: []byte{bitDelete}}
	}
	return storageError(l.kv.Set(kv))
}

// removals applies a row of the journal. The journal itself ends with the epoch.
func (l *loader) removals(kv *pb.KV) error {
	var m storepb.Removed
	if err := decode(kv.Value, valueOther, &m); err != nil {
		return err
	}
	for _, key := range m.Key {
		if err := l.kv.Set(&pb.KV{Key: key, Version: kv.Version, Meta: []byte{bitDelete}}); err != nil {
			return storageError(err)
		}
	}
	return nil
}

// settle ends a load: the directory loses whom the journal does not name, and the store
// gets its epoch.
func settle(dir string, o Options) (err error) {
	s, err := Open(dir, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, t := range s.tenants {
		if err := s.dropNameless(t); err != nil {
			return err
		}
	}
	return s.await(&request{control: func(w *writer) error {
		var id storepb.Identity
		if _, err := fetch(w, prefixKey(0, kindIdentity), &id); err != nil {
			return err
		}
		_, _, epoch, err := newIdentity(o.Random)
		if err != nil {
			return err
		}
		id.Epoch = epoch
		return place(w, prefixKey(0, kindIdentity), &id)
	}})
}

// dropNameless removes the directory entries of numbers that have no name.
func (s *Store) dropNameless(t *Tenant) error {
	var gone [][]byte
	for _, kind := range []byte{kindUser, kindSession} {
		err := s.view(func(txn *badger.Txn) error {
			return scan(txn, prefixKey(t.number, kind), nil, func(key, v []byte) error {
				var p storepb.Person
				if err := decode(v, valueOther, &p); err != nil {
					return err
				}
				name, err := getCopy(txn, numberKey(t.number, kindName, p.Number))
				if err == nil && name == nil {
					gone = append(gone, append([]byte(nil), key...))
				}
				return err
			})
		})
		if err != nil {
			return err
		}
	}
	return s.await(&request{control: func(w *writer) error {
		for _, key := range gone {
			if err := w.room(); err != nil {
				return err
			}
			if err := w.remove(key); err != nil {
				return err
			}
		}
		return nil
	}})
}
