package store

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// A note says that a person has decisions in a window of time.
type note struct {
	user   uint64
	window int64
}

func windowOf(at time.Time) int64 { return at.UnixNano() / int64(ownedWindow) }

// windowStart is the time at which a window begins.
func windowStart(window int64) time.Time { return time.Unix(0, window*int64(ownedWindow)) }

// windowKey is the row of a note.
func windowKey(tenant uint32, user uint64, window int64) []byte {
	return binary.BigEndian.AppendUint64(ownedKey(tenant, user, kindDecision), orderedTime(window))
}

// windowAt reads the window off the end of a note's key.
func windowAt(key []byte) int64 { return unorderedTime(lastNumber(key)) }

// owners remembers which notes stand on disk, so that each is written once. It forgets
// all when it is full or old: a note that is written again does no harm.
type owners struct {
	mu      sync.Mutex
	written map[note]struct{}
	newest  int64 // window
}

// ownersKept bounds the memory of owners, about 50 bytes each.
const ownersKept = 1 << 15

// missing returns the notes that decisions need and that are not known to be on disk.
func (o *owners) missing(decisions []record.Decision) []note {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []note
	for i := range decisions {
		d := &decisions[i]
		n := note{d.UserNumber, windowOf(d.Time)}
		if _, known := o.written[n]; known || n.user == 0 || slices.Contains(out, n) {
			continue
		}
		out = append(out, n)
	}
	return out
}

// wrote remembers notes that are on disk now.
func (o *owners) wrote(notes []note) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range notes {
		if o.written == nil || len(o.written) >= ownersKept || n.window > o.newest+1 {
			o.written = make(map[note]struct{})
		}
		o.newest = max(o.newest, n.window)
		o.written[n] = struct{}{}
	}
}

// forget is called when a person's notes are removed.
func (o *owners) forget(user uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for n := range o.written {
		if n.user == user {
			delete(o.written, n)
		}
	}
}

// wipeWindow takes a person's decisions out of the batches of a window.
func (p *plan) wipeWindow(w *writer, user uint64, window int64) error {
	from := p.owner.batchesFrom(windowStart(window))
	until := decisionKey(p.tenant, windowStart(window+1), "")
	for from != nil {
		if err := w.room(); err != nil {
			return err
		}
		rows, next, err := w.between(prefixKey(p.tenant, kindDecision), from, until, removalBatches)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := p.wipeBatch(w, r, user); err != nil {
				return err
			}
		}
		from = next
	}
	return nil
}

// removalBatches is how many batches a step of a removal takes, up to 512 KiB each.
const removalBatches = 8

// wipeBatch writes a batch again without the decisions of a person. The key stays,
// even if it names one of them by its id, which tells nothing but a time.
func (p *plan) wipeBatch(w *writer, r row, user uint64) error {
	var b storepb.DecisionBatch
	if err := decode(r.value, valueOther, &b); err != nil {
		// What cannot be read cannot be told apart: all of it goes.
		p.store.options.Logger.Error("store: erasing a batch of decisions that cannot be read", "err", err)
		return w.remove(r.key)
	}
	if !slices.Contains(b.User, user) || len(b.User) != len(b.Decision) {
		return nil
	}
	kept := storepb.DecisionBatch{Names: b.Names}
	for i, d := range b.Decision {
		if b.User[i] == user {
			p.count(func(r *record.Receipt) { r.Decisions++ })
			continue
		}
		kept.User, kept.Decision = append(kept.User, b.User[i]), append(kept.Decision, d)
	}
	if len(kept.Decision) == 0 {
		return w.remove(r.key)
	}
	v, err := encode(valueOther, &kept)
	if err != nil {
		return err
	}
	return w.put(row{r.key, v, r.expires})
}

// exportWindow yields the decisions of a person in a window.
func (t *Tenant) exportWindow(txn *badger.Txn, user uint64, window int64, yield func(record.Part) bool) (stopped bool, err error) {
	from, until := windowStart(window), windowStart(window+1)
	again := repeats{t: t, txn: txn}
	err = t.scanBatches(txn, from, until, func(b decisionBatch) error {
		for i := range b.Decision {
			at := b.Decision[i].TimeNs
			if i >= len(b.User) || b.User[i] != user || at < from.UnixNano() || at >= until.UnixNano() {
				continue // of another, or another window's
			}
			d, there, err := again.decision(b, i)
			if err != nil {
				return err
			}
			if !there {
				continue
			}
			if stopped = !yield(record.Part{Decision: &d}); stopped {
				return errStop
			}
		}
		return nil
	})
	return stopped, err
}
