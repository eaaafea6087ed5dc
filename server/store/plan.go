package store

import (
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// head is the state of a tenant's log. The committer owns it.
type head struct {
	seq      uint64 // last place given
	nextItem uint32
	persons  uint64
	items    uint64
	clock    int64 // largest event time seen, nanoseconds; 0: none
}

func (h *head) message() *storepb.Head {
	return &storepb.Head{Seq: h.seq, NextItem: h.nextItem, Persons: h.persons, Items: h.items, ClockNs: h.clock}
}

func headOf(m *storepb.Head) head {
	return head{seq: m.Seq, nextItem: m.NextItem, persons: m.Persons, items: m.Items, clock: m.ClockNs}
}

// plan decides what becomes of mutations and writes it into a ledger. It runs in
// the committer, where it is the only one that changes the tenant, or over an
// overlay for a dry run.
type plan struct {
	store    *Store
	owner    *Tenant
	settings record.Tenant
	tenant   uint32
	ledger   ledger
	head     *head
	persons  *cache[personKey, *storepb.Person]
	items    *cache[itemIDKey, itemRef]
	seen     *seen // nil: every id is looked up
	now      time.Time
	random   io.Reader
	keys     arena

	// collect keeps entries for followers; else they are dropped.
	collect bool
	entries []record.Entry
	acts    []record.Stored // the entries' events, in one piece
	// removals are the numbers whose rows the last mutation orphaned.
	removals []*storepb.Removal
	// receipt counts what goes with the last mutation, an erase; nil otherwise.
	receipt *record.Receipt
}

// apply decides one mutation. The error is of the store, not of the row; nothing
// of the transaction may be written then.
func (p *plan) apply(m *prepared) (record.Outcome, error) {
	if m.err != nil {
		return refused(m.err), nil
	}
	var o record.Outcome
	var err error
	switch {
	case m.Event != nil:
		o, err = p.event(m)
	case m.Item != nil:
		o, err = p.item(m)
	case m.Patch != nil:
		o, err = p.patch(m.Patch)
	case m.Delete != nil:
		o, err = p.delete(m.Delete)
	case m.Profile != nil:
		o, err = p.profile(m)
	case m.Merge != nil:
		o, err = p.merge(m.Merge)
	case m.Promote != nil:
		o, err = p.promote(m.Promote)
	default:
		o, err = p.erase(m.Erase)
	}
	if errors.Is(err, record.ErrCorrupt) {
		// One broken row must not stop the others. Every step reads all it needs
		// before it writes, so that nothing of this mutation has been written.
		return refused(err), nil
	}
	return o, err
}

func refused(err error) record.Outcome { return record.Outcome{Status: record.Refused, Err: err} }

// next gives a place in the log.
func (p *plan) next() uint64 {
	p.head.seq++
	return p.head.seq
}

// log writes a mutation that stays for ever or until another replaces it.
func (p *plan) log(seq uint64, kind byte, m proto.Message) error {
	v, err := encode(kind, m)
	if err != nil {
		return err
	}
	return p.ledger.put(row{key: numberKey(p.tenant, kindLog, seq), value: v})
}

// replace takes the earlier mutation of the same thing out of the log.
func (p *plan) replace(seq uint64) error {
	if seq == 0 {
		return nil
	}
	return p.ledger.remove(numberKey(p.tenant, kindLog, seq))
}

// note keeps an entry for followers.
func (p *plan) note(e record.Entry) {
	if p.collect {
		e.Received = p.now
		p.entries = append(p.entries, e)
	}
}

// retention is how long the tenant's events live.
func (p *plan) retention() time.Duration {
	if p.settings.Retention == 0 {
		return record.DefaultRetention
	}
	return p.settings.Retention
}

// arena hands out small slices of large ones; the ledger keeps them until the
// transaction is written. A block is twice as large as the one before, so that one
// event does not pay for a batch.
type arena []byte

const (
	firstBlock = 1 << 10
	lastBlock  = 64 << 10
)

func (a *arena) take(n int) []byte {
	if cap(*a)-len(*a) < n {
		*a = make([]byte, 0, max(n, firstBlock, min(2*cap(*a), lastBlock)))
	}
	start := len(*a)
	*a = (*a)[:start+n]
	return (*a)[start : start : start+n]
}

func (p *plan) limit(what string, bound uint64) error {
	return fmt.Errorf("store: tenant %q has %d %s, no more are taken: raise the bound or remove some: %w",
		p.settings.Name, bound, what, record.ErrLimit)
}
