package store

import (
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// mendRows brings the rows of a tenant that lost some of them back together. An event stands in the log and
// in its person's history: the one makes the other anew, and what its id was used for. An id
// without an event is freed, so that the event can be sent again. A change of the catalog
// or of a profile whose row is lost leaves the log: it has to be sent again. Directories that
// are kept in both directions are completed, and the head is made to count what is there.
func (s *Store) mendRows(t *Tenant) error {
	m := &rowMender{store: s, t: t, restored: map[uint64]bool{}}
	if err := s.view(m.look); err != nil {
		return err
	}
	w := s.newWriter()
	defer w.discard()
	for _, r := range m.rows {
		if err := m.apply(w, r); err != nil {
			return err
		}
	}
	t.head.seq = max(t.head.seq, m.seq)
	t.head.persons, t.head.items, t.head.nextItem = m.persons, m.items, m.numbers
	t.head.clock = max(t.head.clock, m.clock)
	w.open() // the head is written with a transaction, even where it is all that changed
	w.touch(t)
	if err := w.write(); err != nil {
		return err
	}
	s.options.Logger.Warn("store: rows were held against each other", "tenant", t.Settings().Name, "written_anew", m.added, "removed", len(m.rows)-m.added)
	return w.sync()
}

// rowMender is what is found in one tenant.
type rowMender struct {
	store    *Store
	t        *Tenant
	txn      *badger.Txn
	rows     []row // to be put, or removed where there is no value
	added    int
	restored map[uint64]bool // places in the log

	seq, persons, items uint64
	numbers             uint32
	clock               int64
}

func (m *rowMender) apply(w *writer, r row) error {
	if err := w.room(); err != nil {
		return err
	}
	if r.value == nil {
		return w.remove(r.key)
	}
	return w.put(r)
}

func (m *rowMender) put(r row) {
	m.rows = append(m.rows, r)
	m.added++
}

func (m *rowMender) place(key []byte, kind byte, message proto.Message) error {
	v, err := encode(kind, message)
	if err == nil {
		m.put(row{key: key, value: v})
	}
	return err
}

func (m *rowMender) remove(key []byte) { m.rows = append(m.rows, row{key: key}) }

// look reads all rows that belong together.
func (m *rowMender) look(txn *badger.Txn) error {
	m.txn = txn
	for _, step := range []struct {
		kind byte
		fn   func(row) error
	}{
		{kindUser, m.person}, {kindSession, m.person}, {kindName, m.name},
		{kindItemID, m.itemID}, {kindItem, m.item},
		{kindHistory, m.history}, {kindLog, m.log}, {kindDuplicate, m.duplicate},
	} {
		if err := m.each(step.kind, step.fn); err != nil {
			return err
		}
	}
	return nil
}

// each calls fn for the rows of a kind. One that cannot be read is left to Verify.
func (m *rowMender) each(kind byte, fn func(row) error) error {
	it := m.txn.NewIterator(scanOptions(prefixKey(m.t.number, kind)))
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		v, err := item.ValueCopy(nil)
		if err != nil {
			return storageError(err)
		}
		if err := fn(row{item.KeyCopy(nil), v, item.ExpiresAt()}); err != nil && !isCorrupt(err) {
			return err
		}
	}
	return nil
}

func (m *rowMender) has(key []byte) (bool, error) {
	v, err := getCopy(m.txn, key)
	return v != nil, err
}

func (m *rowMender) person(r row) error {
	m.persons++
	var p storepb.Person
	if err := decode(r.value, valueOther, &p); err != nil {
		return err
	}
	key := numberKey(m.t.number, kindName, p.Number)
	if found, err := m.has(key); err != nil || found {
		return err
	}
	return m.place(key, valueOther, &storepb.Name{Id: string(r.key[prefixLen:]), Session: r.key[prefixLen-1] == kindSession})
}

func (m *rowMender) name(r row) error {
	var name storepb.Name
	if err := decode(r.value, valueOther, &name); err != nil {
		return err
	}
	kind := kindUser
	if name.Session {
		kind = kindSession
	}
	key := textKey(m.t.number, kind, name.Id)
	if found, err := m.has(key); err != nil || found {
		return err
	}
	m.persons++
	return m.place(key, valueOther, &storepb.Person{Number: lastNumber(r.key)})
}

func (m *rowMender) itemID(r row) error {
	var id storepb.ItemNumber
	if err := decode(r.value, valueOther, &id); err != nil {
		return err
	}
	m.numbers = max(m.numbers, id.Number+1)
	key := itemKey(m.t.number, id.Number)
	if found, err := m.has(key); err != nil || found {
		return err
	}
	return m.place(key, valueOther, &storepb.ItemRow{Id: string(r.key[prefixLen:])}) // as of an item that events name alone
}

func (m *rowMender) item(r row) error {
	number := binary.BigEndian.Uint32(r.key[prefixLen:])
	m.numbers = max(m.numbers, number+1)
	var item storepb.ItemRow
	if err := decode(r.value, valueOther, &item); err != nil {
		return err
	}
	if item.Item != nil {
		m.items++
	}
	m.seq = max(m.seq, item.Seq)
	key := textKey(m.t.number, kindItemID, item.Id)
	if found, err := m.has(key); err != nil {
		return err
	} else if !found {
		if err := m.place(key, valueOther, &storepb.ItemNumber{Number: number}); err != nil {
			return err
		}
	}
	log := numberKey(m.t.number, kindLog, item.Seq)
	if found, err := m.has(log); err != nil || found || item.Seq == 0 {
		return err
	}
	return m.place(log, valueItemChange, &storepb.ItemChange{Number: number, ReceivedNs: m.store.options.Now().UnixNano(), Deleted: item.Item == nil})
}

func (m *rowMender) history(r row) error {
	seq := ^lastNumber(r.key)
	log := numberKey(m.t.number, kindLog, seq)
	if found, err := m.has(log); err != nil || found {
		return err
	}
	if len(r.value) == 0 { // it stood in the log alone
		m.remove(r.key)
		return nil
	}
	m.restored[seq] = true
	m.put(row{log, r.value, r.expires})
	return m.event(seq, row{log, r.value, r.expires})
}

func (m *rowMender) log(r row) error {
	seq := lastNumber(r.key)
	m.seq = max(m.seq, seq)
	kind, message, err := body(r.value)
	if err != nil {
		return err
	}
	var has bool
	switch kind {
	case valueEvent:
		return m.event(seq, r)
	case valueItemChange:
		var c storepb.ItemChange
		if err := unmarshal(message, &c); err != nil {
			return err
		}
		var item storepb.ItemRow
		found, err := fetch(reader{m.txn}, itemKey(m.t.number, c.Number), &item)
		if err != nil {
			return err
		}
		has = found && item.Seq == seq && (item.Item == nil) == c.Deleted
	case valueProfileChange:
		var c storepb.ProfileChange
		if err := unmarshal(message, &c); err != nil {
			return err
		}
		var profile storepb.ProfileRow
		found, err := fetch(reader{m.txn}, numberKey(m.t.number, kindProfile, c.User), &profile)
		if err != nil {
			return err
		}
		has = found && profile.Seq == seq
	default:
		return nil
	}
	if !has {
		m.remove(r.key)
	}
	return nil
}

// event completes an event that stands in the log.
func (m *rowMender) event(seq uint64, r row) error {
	m.seq = max(m.seq, seq)
	var e eventRow
	if err := decodeEvent(r.value, words{}, &e); err != nil {
		return err
	}
	m.clock = max(m.clock, e.Time.UnixNano())
	owner, err := m.owner(e.UserNumber)
	if err != nil {
		return err
	}
	history := pairKey(m.t.number, kindHistory, owner, ^seq)
	if found, err := m.has(history); err != nil {
		return err
	} else if !found {
		inline := r.value
		if len(inline) > maxInline {
			inline = []byte{}
		}
		m.put(row{history, inline, r.expires})
	}
	hash := duplicateHash(&m.store.hashKey, e.ID)
	duplicate := append(prefixKey(m.t.number, kindDuplicate), hash[:]...)
	if found, err := m.has(duplicate); err != nil || found {
		return err
	}
	names := namer{t: m.t, txn: m.txn}
	if err := names.fill(&e); err != nil {
		return fmt.Errorf("store: event %d: %w", seq, err)
	}
	content, _ := eventContent(nil, &e.Event)
	m.put(row{duplicate, appendDuplicate(nil, seq, content), r.expires})
	return nil
}

// owner is whose history an event belongs to.
func (m *rowMender) owner(number uint64) (uint64, error) {
	var name storepb.Name
	found, err := fetch(reader{m.txn}, numberKey(m.t.number, kindName, number), &name)
	if err != nil || !found || !name.Session {
		return number, err
	}
	var p storepb.Person
	if _, err := fetch(reader{m.txn}, textKey(m.t.number, kindSession, name.Id), &p); err != nil || p.User == 0 {
		return number, err
	}
	return p.User, nil
}

func (m *rowMender) duplicate(r row) error {
	var d storepb.Duplicate
	if err := decode(r.value, valueOther, &d); err != nil || m.restored[d.Seq] {
		return err
	}
	found, err := m.has(numberKey(m.t.number, kindLog, d.Seq))
	if err == nil && !found {
		m.remove(r.key)
	}
	return err
}
