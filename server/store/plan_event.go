package store

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// maxInline is the size up to which the owner's index holds the whole event, so
// that a history is read in one go. Larger ones are read from the log.
const maxInline = 1 << 10

// event appends one event: its row in the log, the same under its owner, and
// what its id was used for.
func (p *plan) event(m *prepared) (record.Outcome, error) {
	e := m.Event
	if err := p.expired(e.Time); err != nil {
		return refused(err), nil
	}
	key := append(appendPrefix(p.keys.take(prefixLen+16), p.tenant, kindDuplicate), m.duplicate[:]...)
	if o, known, err := p.repeated(m, key); err != nil || known {
		return o, err
	}
	who, err := p.actors(e.User, e.Session)
	if err != nil {
		return record.Outcome{}, err
	}
	item, known, err := p.lookItem(e.Item)
	if err != nil {
		return record.Outcome{}, err
	}
	if err := p.roomFor(who.fresh(), e.Item != "" && !known); err != nil {
		return refused(err), nil
	}
	if err := p.enter(&who); err != nil {
		return record.Outcome{}, err
	}
	if e.Item == "" {
		item = itemRef{number: record.NoItem}
	} else if !known {
		if item, err = p.mention(e.Item); err != nil {
			return record.Outcome{}, err
		}
	}
	seq := p.next()
	if err := p.putEvent(m, key, seq, &who, item.number); err != nil {
		return record.Outcome{}, err
	}
	p.head.clock = max(p.head.clock, e.Time.UnixNano())
	if p.collect {
		if p.acts == nil {
			p.acts = make([]record.Stored, 0, cap(p.entries))
		}
		p.acts = append(p.acts, record.Stored{
			Event: *e, Seq: seq, Received: p.now, UserNumber: who.owner(), ItemNumber: item.number,
		})
		p.note(record.Entry{
			Seq: seq, Mutation: record.Mutation{Event: e}, ItemNumber: item.number, Stored: &p.acts[len(p.acts)-1],
		})
	}
	return record.Outcome{Status: record.Added, Seq: seq, Unjoined: e.Item != "" && !item.live}, nil
}

// repeated answers to an event whose id is known.
func (p *plan) repeated(m *prepared, key []byte) (o record.Outcome, known bool, err error) {
	if !p.seen.may(p.tenant, m.duplicate) {
		return o, false, nil
	}
	var first storepb.Duplicate
	found, err := fetch(p.ledger, key, &first)
	switch {
	case err != nil:
		return o, false, err
	case !found:
		p.seen.miss()
		return o, false, nil
	case first.Content == m.content:
		return record.Outcome{Status: record.Unchanged, Seq: first.Seq}, true, nil
	}
	o = refused(fmt.Errorf("store: event id %q: %w", m.Event.ID, record.ErrConflict))
	o.Seq = first.Seq
	return o, true, nil
}

// putEvent writes the three rows of an event. They expire together.
func (p *plan) putEvent(m *prepared, duplicate []byte, seq uint64, who *actors, item uint32) error {
	owner := who.owner()
	expires := p.expiry(m.Event.Time)
	value := appendEventTail(m.value, owner, who.session.Number, item, p.now.UnixNano())
	log := binary.BigEndian.AppendUint64(appendPrefix(p.keys.take(prefixLen+8), p.tenant, kindLog), seq)
	if err := p.ledger.put(row{log, value, expires}); err != nil {
		return err
	}
	history := appendPrefix(p.keys.take(prefixLen+16), p.tenant, kindHistory)
	history = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(history, owner), ^seq)
	inline := value
	if len(value) > maxInline {
		inline = nil
	}
	if err := p.ledger.put(row{history, inline, expires}); err != nil {
		return err
	}
	return p.ledger.put(row{duplicate, appendDuplicate(p.keys.take(headerLen+18), seq, m.content), expires})
}

// appendDuplicate encodes storepb.Duplicate; both fields are fixed64.
func appendDuplicate(b []byte, seq, content uint64) []byte {
	b = append(b, format, valueOther, 1<<3|1)
	b = binary.LittleEndian.AppendUint64(b, seq)
	b = append(b, 2<<3|1)
	return binary.LittleEndian.AppendUint64(b, content)
}

// expired refuses an event that is older than the retention by the tenant's clock.
func (p *plan) expired(at time.Time) error {
	now := p.now
	if p.settings.Clock == record.ClockLog {
		if p.head.clock == 0 {
			return nil
		}
		now = time.Unix(0, p.head.clock)
	}
	oldest := now.Add(-p.retention())
	if !at.Before(oldest) {
		return nil
	}
	return fmt.Errorf("store: event of %s: events before %s are not taken, raise the tenant's retention of %s: %w",
		at.UTC().Format(time.RFC3339), oldest.UTC().Format(time.RFC3339), p.retention(), record.ErrExpired)
}

// expiry is when the rows of an event go, in seconds since 1970: when an event
// of that time is no longer taken, so that a repetition is known as long as it
// can come. Under a clock of the log, which stands still between events, it
// counts from now.
func (p *plan) expiry(at time.Time) uint64 {
	if p.settings.Clock == record.ClockLog {
		at = p.now
	}
	return uint64(max(1, at.Add(p.retention()).Unix()+1))
}
