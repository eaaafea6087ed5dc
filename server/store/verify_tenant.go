package store

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// tenantCheck is what is known of the tenant whose rows are being checked.
type tenantCheck struct {
	number  uint32 // 0: none
	head    storepb.Head
	handle  *Tenant
	chunks  map[uint64]bool // generations of checkpoints
	pending map[uint64]bool // numbers whose rows are being removed
	persons uint64
	items   uint64
	numbers uint32
	shared  words
	event   eventRow
}

func (c *checker) beginTenant(number uint32) error {
	c.t = tenantCheck{number: number, chunks: map[uint64]bool{}, pending: map[uint64]bool{}, shared: words{}}
	c.t.handle = &Tenant{store: c.store, number: number}
	if _, known := c.tenants[number]; !known {
		c.bad("tenant number %d is not in the registry", number)
	}
	if _, err := fetch(reader{c.txn}, prefixKey(number, kindHead), &c.t.head); err != nil && !isCorrupt(err) {
		return err // a head that cannot be read is found among the rows
	}
	err := scan(c.txn, prefixKey(number, kindCheckpoint), nil, func(_, v []byte) error {
		var m storepb.Checkpoints
		if decode(v, valueOther, &m) == nil { // else it is found among the rows
			for _, k := range m.Good {
				c.t.chunks[k.Generation] = true
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return scan(c.txn, prefixKey(number, kindRemoval), nil, func(key, _ []byte) error {
		if len(key) == prefixLen+8 {
			c.t.pending[lastNumber(key)] = true
		}
		return nil
	})
}

// endTenant holds the head against what it counts.
func (c *checker) endTenant() error {
	if c.t.number == 0 || len(c.t.pending) > 0 {
		return nil
	}
	h, key := &c.t.head, "head of tenant "+c.tenants[c.t.number]
	if h.Persons != c.t.persons {
		c.fault("head", key, "it counts %d persons, the directory has %d", h.Persons, c.t.persons)
	}
	if h.Items != c.t.items {
		c.fault("head", key, "it counts %d items, the catalog has %d", h.Items, c.t.items)
	}
	if h.NextItem != c.t.numbers {
		c.fault("head", key, "the next item number is %d, %d are given", h.NextItem, c.t.numbers)
	}
	return nil
}

// tenantRow checks the present row. An error that is record.ErrCorrupt is a fault of it.
func (c *checker) tenantRow() error {
	if want, fixed := keyLengths[c.row.kind]; fixed && len(c.row.rest) != want {
		c.bad("its key has %d bytes after the kind in place of %d", len(c.row.rest), want)
		return nil
	}
	switch c.row.kind {
	case kindHead:
		return decode(c.row.value, valueOther, &storepb.Head{})
	case kindLog:
		return c.logRow()
	case kindDuplicate:
		return c.duplicate()
	case kindHistory:
		return c.history()
	case kindUser, kindSession:
		return c.person()
	case kindName:
		return c.name()
	case kindMerged:
		return c.merged()
	case kindRemoval:
		return decode(c.row.value, valueOther, &storepb.Removal{})
	case kindPromoted:
		return c.promoted()
	case kindProfile:
		return c.profile()
	case kindItemID:
		return c.itemID()
	case kindItem:
		return c.item()
	case kindDecision:
		return c.decisions()
	case kindList:
		return c.list()
	case kindOwned:
		return c.owned()
	case kindCheckpoint:
		return c.checkpoint()
	case kindChunk:
		if g := binary.BigEndian.Uint64(c.row.rest); !c.t.chunks[g] && c.served == nil {
			c.bad("no checkpoint names it")
		}
		return decode(c.row.value, valueOther, &storepb.Chunk{})
	case kindVector:
		_, err := decodeVector(c.row.value, max(1, (len(c.row.value)-headerLen)/4))
		return err
	}
	c.bad("rows of this kind are not known")
	return nil
}

// keyLengths are the bytes after the kind, where all keys of a kind have as many.
var keyLengths = map[byte]int{
	kindHead: 0, kindLog: 8, kindDuplicate: 16, kindHistory: 16, kindName: 8, kindMerged: 16, kindRemoval: 8, kindPromoted: 0,
	kindProfile: 8, kindItem: 4, kindChunk: 12, kindVector: vectorKeyLen - prefixLen,
}

// get reads a row that should be there; nil: it is not.
func (c *checker) get(key []byte) ([]byte, error) { return getCopy(c.txn, key) }

// find reads a message that should be there. A row that cannot be read counts as absent:
// it is a fault of its own.
func (c *checker) find(key []byte, m proto.Message) (bool, error) {
	found, err := fetch(reader{c.txn}, key, m)
	if isCorrupt(err) {
		return false, nil
	}
	return found, err
}

// log reads an entry of the log and its kind; 0: there is none.
func (c *checker) log(seq uint64) (v []byte, kind byte, err error) {
	v, err = c.get(numberKey(c.t.number, kindLog, seq))
	if err != nil || v == nil {
		return nil, 0, err
	}
	kind, _, bad := body(v)
	if bad != nil {
		return nil, 0, nil // a fault of its own
	}
	return v, kind, nil
}

// mayBeGone reports whether rows that expire with the present one may be gone already.
func (c *checker) mayBeGone() bool { return c.row.expires != 0 && c.row.expires <= c.now }

func (c *checker) logRow() error {
	seq := binary.BigEndian.Uint64(c.row.rest)
	if seq == 0 || seq > c.t.head.Seq {
		c.bad("its place is after the head, %d", c.t.head.Seq)
	}
	kind, message, err := body(c.row.value)
	if err != nil {
		return err
	}
	switch kind {
	case valueEvent:
		return c.eventEntry(seq)
	case valueItemChange:
		var m storepb.ItemChange
		if err := unmarshal(message, &m); err != nil {
			return err
		}
		var row storepb.ItemRow
		found, err := c.find(itemKey(c.t.number, m.Number), &row)
		if err == nil && (!found || row.Seq != seq || (row.Item == nil) != m.Deleted) {
			c.bad("the catalog has no change of item number %d at this place", m.Number)
		}
		return err
	case valueProfileChange:
		var m storepb.ProfileChange
		if err := unmarshal(message, &m); err != nil {
			return err
		}
		var row storepb.ProfileRow
		found, err := c.find(numberKey(c.t.number, kindProfile, m.User), &row)
		if err == nil && (!found || row.Seq != seq) && !c.t.pending[m.User] {
			c.bad("no profile was changed at this place")
		}
		return err
	case valueMerge:
		var m storepb.Merge
		if err := unmarshal(message, &m); err != nil {
			return err
		}
		var row storepb.MergedSession
		found, err := c.find(pairKey(c.t.number, kindMerged, m.User, m.Session), &row)
		if err == nil && (!found || row.Seq != seq) && !c.t.pending[m.User] {
			c.bad("no session was merged at this place")
		}
		return err
	case valueErase:
		var m storepb.Erase
		if err := unmarshal(message, &m); err != nil {
			return err
		}
		return c.erased(m.Number)
	case valuePromotion:
		p, err := decodePromotion(c.row.value, seq)
		if err != nil || p.before == 0 {
			return err
		}
		_, kind, err := c.log(p.before)
		if err == nil && kind != valuePromotion {
			c.bad("the promotion before it, at %d, is not there", p.before)
		}
		return err
	}
	c.bad("mutations of kind %d are not known", kind)
	return nil
}

// erased looks for what an erase should have removed.
func (c *checker) erased(number uint64) error {
	if c.t.pending[number] {
		return nil
	}
	for _, prefix := range [][]byte{
		numberKey(c.t.number, kindName, number), numberKey(c.t.number, kindHistory, number), numberKey(c.t.number, kindProfile, number),
		numberKey(c.t.number, kindMerged, number),
	} {
		left, err := firstRows(c.txn, prefix, 1)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			c.bad("rows of the erased number %d are left, of kind %s", number, kindText(c.t.number, prefix[prefixLen-1]))
		}
	}
	return nil
}

// owner is whose history an event belongs to now.
func (c *checker) owner(number uint64) (uint64, bool, error) {
	var name storepb.Name
	found, err := c.find(numberKey(c.t.number, kindName, number), &name)
	if err != nil || !found || !name.Session {
		return number, found, err
	}
	var p storepb.Person
	if _, err := c.find(textKey(c.t.number, kindSession, name.Id), &p); err != nil {
		return 0, false, err
	}
	if p.User != 0 {
		return p.User, true, nil
	}
	return number, true, nil
}

// eventEntry checks an event in the log.
func (c *checker) eventEntry(seq uint64) error {
	e := &c.t.event
	if err := decodeEvent(c.row.value, c.t.shared, e); err != nil {
		return err
	}
	if e.Item != "" {
		var row storepb.ItemRow
		found, err := c.find(itemKey(c.t.number, e.ItemNumber), &row)
		if err != nil {
			return err
		}
		if !found || row.Id != e.Item {
			c.bad("its item has number %d, which is another's or nobody's", e.ItemNumber)
		}
	}
	owner, known, err := c.owner(e.UserNumber)
	if err != nil || c.t.pending[e.UserNumber] || c.t.pending[owner] {
		return err
	}
	if !known {
		c.bad("the number of its person, %d, has no name", e.UserNumber)
	}
	if c.mayBeGone() {
		return nil
	}
	v, err := c.get(pairKey(c.t.number, kindHistory, owner, ^seq))
	if err != nil {
		return err
	}
	if v == nil {
		c.bad("it is not in the history of its person")
	}
	hash := duplicateHash(&c.store.hashKey, e.ID)
	var d storepb.Duplicate
	found, err := c.find(append(prefixKey(c.t.number, kindDuplicate), hash[:]...), &d)
	if err == nil && (!found || d.Seq != seq) {
		c.bad("its id is not known to be used")
	}
	return err
}

func (c *checker) duplicate() error {
	var d storepb.Duplicate
	if err := decode(c.row.value, valueOther, &d); err != nil {
		return err
	}
	v, kind, err := c.log(d.Seq)
	if err != nil || v == nil && c.mayBeGone() {
		return err
	}
	if kind != valueEvent || decodeEvent(v, c.t.shared, &c.t.event) != nil {
		c.bad("there is no event at place %d", d.Seq)
		return nil
	}
	if hash := duplicateHash(&c.store.hashKey, c.t.event.ID); string(hash[:]) != string(c.row.rest) {
		c.bad("the event at place %d has another id", d.Seq)
	}
	return nil
}

func (c *checker) history() error {
	owner, seq := binary.BigEndian.Uint64(c.row.rest), ^lastNumber(c.row.key)
	if c.t.pending[owner] {
		return nil
	}
	if len(c.row.value) > 0 {
		if err := decodeEvent(c.row.value, c.t.shared, &c.t.event); err != nil {
			return err
		}
	}
	v, kind, err := c.log(seq)
	if err != nil || v == nil && c.mayBeGone() {
		return err
	}
	if kind != valueEvent || len(c.row.value) > 0 && string(v) != string(c.row.value) {
		c.bad("the log has another event at place %d, or none", seq)
		return nil
	}
	if decodeEvent(v, c.t.shared, &c.t.event) != nil {
		return nil // a fault of the log's row
	}
	who, _, err := c.owner(c.t.event.UserNumber)
	if err == nil && who != owner {
		c.bad("the event at place %d is of number %d", seq, who)
	}
	return err
}

func (c *checker) person() error {
	c.t.persons++
	var p storepb.Person
	if err := decode(c.row.value, valueOther, &p); err != nil {
		return err
	}
	var name storepb.Name
	found, err := c.find(numberKey(c.t.number, kindName, p.Number), &name)
	if err != nil {
		return err
	}
	if !found || name.Id != string(c.row.rest) || name.Session != (c.row.kind == kindSession) {
		c.bad("the name of its number %d is another one, or none", p.Number)
	}
	if p.User == 0 {
		return nil
	}
	found, err = c.find(pairKey(c.t.number, kindMerged, p.User, p.Number), &storepb.MergedSession{})
	if err == nil && !found && !c.t.pending[p.User] {
		c.bad("it was merged into number %d, which does not have it", p.User)
	}
	return err
}

func (c *checker) name() error {
	var name storepb.Name
	if err := decode(c.row.value, valueOther, &name); err != nil {
		return err
	}
	kind := kindUser
	if name.Session {
		kind = kindSession
	}
	var p storepb.Person
	found, err := c.find(textKey(c.t.number, kind, name.Id), &p)
	if err == nil && (!found || p.Number != lastNumber(c.row.key)) {
		c.bad("the directory has another number for its id, or none")
	}
	return err
}

func (c *checker) merged() error {
	var m storepb.MergedSession
	if err := decode(c.row.value, valueOther, &m); err != nil {
		return err
	}
	user, session := binary.BigEndian.Uint64(c.row.rest), lastNumber(c.row.key)
	if c.t.pending[user] {
		return nil
	}
	owner, known, err := c.owner(session)
	if err != nil {
		return err
	}
	if !known || owner != user {
		c.bad("session number %d is not the user's by the directory", session)
	}
	_, kind, err := c.log(m.Seq)
	if err == nil && kind != valueMerge {
		c.bad("there is no merge at place %d", m.Seq)
	}
	return err
}

func (c *checker) promoted() error {
	var m storepb.Promoted
	if err := decode(c.row.value, valueOther, &m); err != nil {
		return err
	}
	v, kind, err := c.log(m.Seq)
	if err != nil {
		return err
	}
	if kind != valuePromotion {
		c.bad("there is no promotion at place %d", m.Seq)
		return nil
	}
	if p, err := decodePromotion(v, m.Seq); err == nil && p.Bundle != m.Bundle {
		c.bad("the promotion at place %d is of another bundle", m.Seq)
	}
	return nil
}

func (c *checker) profile() error {
	var m storepb.ProfileRow
	if err := decode(c.row.value, valueOther, &m); err != nil {
		return err
	}
	user := lastNumber(c.row.key)
	if c.t.pending[user] {
		return nil
	}
	if _, known, err := c.owner(user); err != nil {
		return err
	} else if !known {
		c.bad("its number has no name")
	}
	_, kind, err := c.log(m.Seq)
	if err == nil && kind != valueProfileChange {
		c.bad("there is no change of a profile at place %d", m.Seq)
	}
	return err
}

func (c *checker) itemID() error {
	var m storepb.ItemNumber
	if err := decode(c.row.value, valueOther, &m); err != nil {
		return err
	}
	var row storepb.ItemRow
	found, err := c.find(itemKey(c.t.number, m.Number), &row)
	if err == nil && (!found || row.Id != string(c.row.rest)) {
		c.bad("the row of its number %d is another's, or not there", m.Number)
	}
	return err
}

func (c *checker) item() error {
	number := binary.BigEndian.Uint32(c.row.rest)
	c.t.numbers = max(c.t.numbers, number+1)
	var m storepb.ItemRow
	if err := decode(c.row.value, valueOther, &m); err != nil {
		return err
	}
	if m.Item != nil {
		c.t.items++
	}
	var id storepb.ItemNumber
	found, err := c.find(textKey(c.t.number, kindItemID, m.Id), &id)
	if err != nil {
		return err
	}
	if !found || id.Number != number {
		c.bad("its id %q has another number, or none", m.Id)
	}
	if m.Seq == 0 {
		if m.Item != nil {
			c.bad("it has content and no place in the log")
		}
		return nil
	}
	_, kind, err := c.log(m.Seq)
	if err == nil && kind != valueItemChange {
		c.bad("there is no change of an item at place %d", m.Seq)
	}
	return err
}

func (c *checker) decisions() error {
	var b storepb.DecisionBatch
	if err := decode(c.row.value, valueOther, &b); err != nil {
		return err
	}
	var noted []note
	for i := range b.Decision {
		d, err := fromBatch(&b, i)
		if err != nil {
			return err
		}
		n := note{d.UserNumber, windowOf(d.Time)}
		if n.user == 0 || slices.Contains(noted, n) || c.mayBeGone() {
			continue
		}
		noted = append(noted, n)
		v, err := c.has(windowKey(c.t.number, n.user, n.window))
		if err != nil {
			return err
		}
		if !v {
			c.bad("decision %s is of number %d, which does not own it: an erase would not find it", d.ID, n.user)
		}
	}
	return nil
}

// has reports whether there is a row, which may be empty.
func (c *checker) has(key []byte) (bool, error) {
	_, err := c.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil, storageError(err)
}

func (c *checker) list() error {
	l, err := decodeList(c.row.value)
	if err != nil {
		return err
	}
	if l.ID != string(c.row.rest) {
		c.bad("it holds list %s", l.ID)
	}
	if l.UserNumber == 0 || c.mayBeGone() {
		return nil
	}
	owned, err := c.has(append(ownedKey(c.t.number, l.UserNumber, kindList), l.ID...))
	if err == nil && !owned {
		c.bad("it is of number %d, which does not own it: an erase would not find it", l.UserNumber)
	}
	return err
}

func (c *checker) owned() error {
	if len(c.row.rest) < 9 {
		c.bad("its key has %d bytes after the kind in place of 9 or more", len(c.row.rest))
		return nil
	}
	kind, rest := c.row.rest[8], c.row.rest[9:]
	switch {
	case kind == kindDecision && len(rest) == 8:
		return nil // a note may outlive the decisions it is of
	case kind == kindList:
		there, err := c.has(append(prefixKey(c.t.number, kindList), rest...))
		if err == nil && !there && !c.mayBeGone() {
			c.bad("the list that it names is not there")
		}
		return err
	}
	c.bad("it names something of kind %q, which is not known", kind)
	return nil
}

func (c *checker) checkpoint() error {
	var m storepb.Checkpoints
	if err := decode(c.row.value, valueOther, &m); err != nil {
		return err
	}
	for _, k := range m.Good {
		if err := c.t.handle.checkChunks(c.txn, k); err != nil {
			if !isCorrupt(err) {
				return err
			}
			c.bad("as of place %d: %v", k.Seq, err)
		}
		if k.Seq > c.t.head.Seq {
			c.bad("it is of place %d, after the head, %d", k.Seq, c.t.head.Seq)
		}
	}
	return nil
}
