package store

import (
	"encoding/binary"
	"fmt"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// personKey names a user or a session of a tenant. The two have name spaces of
// their own.
type personKey struct {
	tenant uint32
	kind   byte // kindUser or kindSession
	id     string
}

func (k personKey) row() []byte { return textKey(k.tenant, k.kind, k.id) }

// person is a directory entry on the way into the plan.
type person struct {
	key personKey
	*storepb.Person
	known bool
}

// lookPerson reads a directory entry.
func (p *plan) lookPerson(kind byte, id string) (person, error) {
	key := personKey{p.tenant, kind, id}
	if found, ok := p.persons.get(key); ok {
		return person{key, found, true}, nil
	}
	entry := new(storepb.Person)
	known, err := fetch(p.ledger, key.row(), entry)
	if err != nil {
		return person{}, err
	}
	if known {
		p.persons.put(key, entry)
	}
	return person{key, entry, known}, nil
}

// enterPerson gives a number to one who has none.
func (p *plan) enterPerson(who *person, user uint64) error {
	number, err := p.freshNumber()
	if err != nil {
		return err
	}
	who.Person, who.known = &storepb.Person{Number: number, User: user}, true
	p.head.persons++
	if err := place(p.ledger, numberKey(p.tenant, kindName, number),
		&storepb.Name{Id: who.key.id, Session: who.key.kind == kindSession}); err != nil {
		return err
	}
	return p.storePerson(who)
}

func (p *plan) storePerson(who *person) error {
	p.persons.put(who.key, who.Person)
	return place(p.ledger, who.key.row(), who.Person)
}

// freshNumber draws numbers until one is free. It is secret where it came from:
// whoever has rows without the directory learns nothing of the person.
func (p *plan) freshNumber() (uint64, error) {
	for {
		var b [8]byte
		if _, err := p.random.Read(b[:]); err != nil {
			return 0, fmt.Errorf("store: random number: %w", err)
		}
		n := binary.LittleEndian.Uint64(b[:])
		if n == 0 {
			continue
		}
		taken, err := p.ledger.get(numberKey(p.tenant, kindName, n))
		if err != nil {
			return 0, err
		}
		if taken == nil {
			return n, nil
		}
	}
}

// actors are who an event is of.
type actors struct{ user, session person }

// nobody is the entry of one who is not named. It is only read: who gets a number gets an
// entry.
var nobody = &storepb.Person{}

// actors looks up the user and the session of an event, the empty ones left out.
func (p *plan) actors(user, session string) (a actors, err error) {
	a.user.Person, a.session.Person = nobody, nobody
	if user != "" {
		if a.user, err = p.lookPerson(kindUser, user); err != nil {
			return a, err
		}
	}
	if session != "" {
		a.session, err = p.lookPerson(kindSession, session)
	}
	return a, err
}

// fresh counts those who have no entry yet.
func (a *actors) fresh() uint64 {
	n := uint64(0)
	for _, who := range [...]*person{&a.user, &a.session} {
		if who.key.id != "" && !who.known {
			n++
		}
	}
	return n
}

// owner is whose history an event belongs to: the user's, else the user's that
// the session was merged into, else the session's.
func (a *actors) owner() uint64 {
	switch {
	case a.user.Number != 0:
		return a.user.Number
	case a.session.User != 0:
		return a.session.User
	}
	return a.session.Number
}

// enter makes the missing entries.
func (p *plan) enter(a *actors) error {
	for _, who := range [...]*person{&a.user, &a.session} {
		if who.key.id == "" || who.known {
			continue
		}
		if err := p.enterPerson(who, 0); err != nil {
			return err
		}
	}
	return nil
}

// roomFor refuses what would exceed the bounds of the tenant.
func (p *plan) roomFor(persons uint64, item bool) error {
	o := &p.store.options
	if persons > 0 && p.head.persons+persons > o.MaxUsers {
		return p.limit("users and sessions", o.MaxUsers)
	}
	if item && p.head.nextItem >= o.MaxItems {
		return p.limit("items", uint64(o.MaxItems))
	}
	return nil
}

// itemIDKey names an item of a tenant.
type itemIDKey struct {
	tenant uint32
	id     string
}

// itemRef is the number of an item and whether it is in the catalog.
type itemRef struct {
	number uint32
	live   bool
}

// lookItem reads the number of an item.
func (p *plan) lookItem(id string) (ref itemRef, known bool, err error) {
	if id == "" {
		return itemRef{number: record.NoItem}, false, nil
	}
	key := itemIDKey{p.tenant, id}
	if ref, known = p.items.get(key); known {
		return ref, true, nil
	}
	var number storepb.ItemNumber
	if known, err = fetch(p.ledger, textKey(p.tenant, kindItemID, id), &number); err != nil || !known {
		return ref, false, err
	}
	var stored storepb.ItemRow
	if known, err = fetch(p.ledger, itemKey(p.tenant, number.Number), &stored); err != nil {
		return ref, false, err
	}
	if !known {
		return ref, false, fmt.Errorf("store: item %q has number %d without a row: %w", id, number.Number, record.ErrCorrupt)
	}
	ref = itemRef{number: number.Number, live: stored.Item != nil}
	p.items.put(key, ref)
	return ref, true, nil
}

// mention gives an item its number: the next one.
func (p *plan) mention(id string) (itemRef, error) {
	ref := itemRef{number: p.head.nextItem}
	p.head.nextItem++
	p.items.put(itemIDKey{p.tenant, id}, ref)
	if err := place(p.ledger, textKey(p.tenant, kindItemID, id), &storepb.ItemNumber{Number: ref.number}); err != nil {
		return ref, err
	}
	return ref, place(p.ledger, itemKey(p.tenant, ref.number), &storepb.ItemRow{Id: id})
}
