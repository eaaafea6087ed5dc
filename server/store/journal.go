package store

import (
	"encoding/binary"
	"slices"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// The journal of removals. Badger marks a removed key, and drops the mark as soon as a
// compaction has met what it removes. A dump of what has changed since a version, which
// reads the rows above it, would then miss the removal, and a restore would bring back
// what was deleted or erased. So each transaction that removes keys leaves a row that
// names them.
//
// The ids of persons do not go in: an erase would leave them here. Where a number has no
// name any more its directory entry went with it, and Load removes it by that.

// journalTTL is how long removals are known, and changesAge how far back a dump of what
// has changed may reach: less, so that none has expired that it needs.
const (
	journalTTL = 40 * 24 * time.Hour
	changesAge = 30 * 24 * time.Hour
)

// journalBytes bounds the keys of one row of the journal.
const journalBytes = 256 << 10

// journal collects the keys that the open transaction of a writer removes.
type journal struct {
	keys map[string]struct{}
}

// removed notes a key, put takes it back: the last change of a transaction counts.
func (j *journal) removed(key []byte) {
	if kind := key[prefixLen-1]; kind == kindUser || kind == kindSession || kind == kindRemoved {
		return
	}
	if j.keys == nil {
		j.keys = make(map[string]struct{})
	}
	j.keys[string(key)] = struct{}{}
}

func (j *journal) put(key []byte) {
	if len(j.keys) > 0 {
		delete(j.keys, string(key))
	}
}

// journalClock gives each row of the journal a key of its own, over restarts too.
type journalClock struct{ last atomic.Int64 }

func (c *journalClock) next(now int64) uint64 {
	for {
		last := c.last.Load()
		at := max(now, last+1)
		if c.last.CompareAndSwap(last, at) {
			return orderedTime(at)
		}
	}
}

// writeJournal puts the rows of the journal into the open transaction.
func (w *writer) writeJournal() error {
	if len(w.journal.keys) == 0 {
		return nil
	}
	names := make([]string, 0, len(w.journal.keys))
	for k := range w.journal.keys {
		names = append(names, k)
	}
	slices.Sort(names) // the same for the same transaction
	clear(w.journal.keys)
	for len(names) > 0 {
		m, bytes := storepb.Removed{}, 0
		for len(names) > 0 && bytes < journalBytes {
			m.Key = append(m.Key, []byte(names[0]))
			bytes += len(names[0])
			names = names[1:]
		}
		v, err := encode(valueOther, &m)
		if err != nil {
			return err
		}
		now := time.Now() // Badger expires rows by the real clock
		key := binary.BigEndian.AppendUint64(prefixKey(0, kindRemoved), w.s.journaled.next(now.UnixNano()))
		if err := w.put(row{key, v, uint64(now.Add(journalTTL).Unix())}); err != nil {
			return err
		}
	}
	return nil
}
