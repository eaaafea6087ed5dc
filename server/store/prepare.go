package store

import (
	"fmt"
	"unicode/utf8"

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

// prepare checks a batch and encodes it. The size is what waits in memory.
func (s *Store) prepare(batch []record.Mutation) (out []prepared, size int64) {
	out = make([]prepared, len(batch))
	total := 0
	for i := range batch {
		out[i].Mutation = batch[i]
		if out[i].err = checkMutation(&batch[i]); out[i].err == nil && batch[i].Event != nil {
			total += eventSize(batch[i].Event) + eventTail
		}
	}
	arena := make([]byte, 0, total)
	var scratch []byte
	var message storepb.Event
	for i := range out {
		p := &out[i]
		if p.err != nil {
			continue
		}
		size += 128
		switch {
		case p.Event != nil:
			p.duplicate = duplicateHash(&s.hashKey, p.Event.ID)
			p.content, scratch = eventContent(scratch, p.Event)
			start := len(arena)
			arena, p.err = appendEvent(arena, &message, p.Event)
			end := len(arena) + eventTail
			p.value = arena[start:len(arena):max(end, len(arena))][:len(arena)-start]
			if end <= cap(arena) {
				arena = arena[:end]
			} else {
				p.value = append(make([]byte, 0, len(p.value)+eventTail), p.value...)
			}
			size += int64(len(p.value))
		case p.Item != nil:
			p.item = itemMessage(p.Item)
			p.content, p.err = itemContent(p.item)
			size += int64(len(p.Item.Description) + len(p.Item.Title) + 4*len(p.Item.Vector) + 256)
		case p.Profile != nil:
			p.profile = profileMessage(p.Profile)
			size += int64(256 * len(p.Profile.Attributes))
		}
		if p.err != nil {
			p.err = fmt.Errorf("store: %w: %w", record.ErrInvalid, p.err)
		}
	}
	return out, size
}

// checkMutation refuses what the store cannot keep. Whether the content makes
// sense is for the packages above to say.
func checkMutation(m *record.Mutation) error {
	set := 0
	for _, is := range [...]bool{m.Event != nil, m.Item != nil, m.Patch != nil, m.Delete != nil,
		m.Profile != nil, m.Merge != nil, m.Erase != nil} {
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
