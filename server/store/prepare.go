package store

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// prepared is a mutation with all work done that needs no state: its caller does
// it, so that the committer's one goroutine has less to do.
type prepared struct {
	record.Mutation
	err error // refuses the mutation

	duplicate [16]byte // of an event: hash of its id
	content   uint64   // of an event or item: hash of its content
	value     []byte   // of an event: its value, with room for the tail
	item      *storepb.Item
	profile   *storepb.ProfileRow
}

// preparer checks and encodes the mutations of a batch.
type preparer struct {
	store   *Store
	values  arena
	scratch []byte
	message storepb.Event
}

// prepare checks a batch and encodes it. The size is about what waits in memory.
func (s *Store) prepare(batch []record.Mutation) (out []prepared, size int64) {
	p := preparer{store: s}
	out = make([]prepared, len(batch))
	for i := range batch {
		m := &out[i]
		m.Mutation = batch[i]
		if m.err = checkMutation(&batch[i]); m.err != nil {
			continue
		}
		n, err := p.encode(m)
		if err != nil {
			m.err = fmt.Errorf("store: %w: %w", record.ErrInvalid, err)
		}
		size += n
	}
	return out, size
}

// encode does what needs no state. It fails for text that is not UTF-8.
func (p *preparer) encode(m *prepared) (size int64, err error) {
	const overhead = 256 // of a mutation without text
	switch {
	case m.Event != nil:
		m.duplicate = duplicateHash(&p.store.hashKey, m.Event.ID)
		m.content, p.scratch = eventContent(p.scratch, m.Event)
		m.value, err = appendEvent(p.values.take(eventSize(m.Event)+eventTail), &p.message, m.Event)
		return overhead + int64(len(m.value)), err
	case m.Item != nil:
		m.item = itemMessage(m.Item)
		m.content, err = itemContent(m.item)
		return overhead + int64(proto.Size(m.item)), err
	case m.Profile != nil:
		m.profile = profileMessage(m.Profile)
		return overhead + int64(proto.Size(m.profile)), nil
	}
	return overhead, nil
}

// checkMutation refuses what the store cannot keep. Whether the content makes
// sense is for the packages above to say.
func checkMutation(m *record.Mutation) error {
	set := 0
	for _, is := range [...]bool{m.Event != nil, m.Item != nil, m.Patch != nil, m.Delete != nil,
		m.Profile != nil, m.Merge != nil, m.Erase != nil, m.Promote != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		return fmt.Errorf("store: a mutation sets %d of its fields in place of one: %w", set, record.ErrInvalid)
	}
	switch {
	case m.Event != nil:
		return checkEvent(m.Event)
	case m.Item != nil:
		return checkID("item", m.Item.ID)
	case m.Patch != nil:
		return checkID("item", m.Patch.ID)
	case m.Delete != nil:
		return checkID("item", m.Delete.ID)
	case m.Profile != nil:
		return checkID("user", m.Profile.User)
	case m.Merge != nil:
		if err := checkID("session", m.Merge.Session); err != nil {
			return err
		}
		return checkID("user", m.Merge.User)
	case m.Promote != nil:
		return checkPromotion(m.Promote)
	}
	if (m.Erase.User == "") == (m.Erase.Session == "") {
		return fmt.Errorf("store: an erase names a user or a session, one of the two: %w", record.ErrInvalid)
	}
	return checkID("user or session", m.Erase.User+m.Erase.Session)
}

func checkEvent(e *record.Event) error {
	if err := checkID("event", e.ID); err != nil {
		return err
	}
	if e.User == "" && e.Session == "" {
		return fmt.Errorf("store: event %q names neither user nor session: %w", e.ID, record.ErrInvalid)
	}
	for _, id := range [...]struct{ what, id string }{{"user", e.User}, {"session", e.Session}, {"item", e.Item}} {
		if id.id != "" {
			if err := checkID(id.what, id.id); err != nil {
				return err
			}
		}
	}
	if e.Time.Before(earliest) || e.Time.After(latest) {
		return fmt.Errorf("store: event %q has time %s, it must be %d to %d: %w",
			e.ID, e.Time.UTC(), earliest.Year(), latest.Year(), record.ErrInvalid)
	}
	return nil
}

func checkID(what, id string) error {
	if id == "" || len(id) > record.MaxID || !utf8.ValidString(id) {
		return fmt.Errorf("store: %s id %.40q has %d bytes; 1 to %d of UTF-8 are taken: %w",
			what, id, len(id), record.MaxID, record.ErrInvalid)
	}
	return nil
}
