package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

func isRowError(err error) bool {
	return errors.Is(err, record.ErrNotFound) || errors.Is(err, record.ErrLimit) || errors.Is(err, record.ErrConflict)
}

func profileMessage(p *record.Profile) *storepb.ProfileRow {
	return &storepb.ProfileRow{
		OptOut: p.OptOut, Attributes: attributeMessages(p.Attributes), Updated: instant(p.Updated),
	}
}

func fromProfileMessage(m *storepb.ProfileRow) *record.Profile {
	return &record.Profile{
		OptOut: m.OptOut, Attributes: fromAttributeMessages(m.Attributes), Updated: fromInstant(m.Updated),
	}
}

// userEntry returns the directory entry of a user, made where there is none. It
// writes only when the entry is within the bounds.
func (p *plan) userEntry(id string) (person, error) {
	who, err := p.lookPerson(kindUser, id)
	if err != nil || who.known {
		return who, err
	}
	if err := p.roomFor(1, false); err != nil {
		return who, err
	}
	return who, p.enterPerson(&who, 0)
}

// profile replaces what is known of a user beside the events.
func (p *plan) profile(m *prepared) (record.Outcome, error) {
	next := m.profile
	if n := proto.Size(next); n > p.store.options.MaxValue {
		return refused(fmt.Errorf("store: the profile takes %d bytes, at most %d are taken: shorten its attributes: %w",
			n, p.store.options.MaxValue, record.ErrLimit)), nil
	}
	who, err := p.userEntry(m.Profile.User)
	if err != nil {
		return rowError(err)
	}
	key := numberKey(p.tenant, kindProfile, who.Number)
	var old storepb.ProfileRow
	found, err := fetch(p.ledger, key, &old)
	if err != nil {
		return record.Outcome{}, err
	}
	if found && sameProfile(&old, next) {
		return record.Outcome{Status: record.Unchanged, Seq: old.Seq}, nil
	}
	if next.Updated == nil {
		next.Updated = instant(p.now)
	}
	next.Seq = p.next()
	if err := p.replace(old.Seq); err != nil {
		return record.Outcome{}, err
	}
	if err := place(p.ledger, key, next); err != nil {
		return record.Outcome{}, err
	}
	change := &storepb.ProfileChange{User: who.Number, ReceivedNs: p.now.UnixNano()}
	if err := p.log(next.Seq, valueProfileChange, change); err != nil {
		return record.Outcome{}, err
	}
	p.note(record.Entry{
		Seq: next.Seq, Mutation: m.Mutation, ItemNumber: record.NoItem, UserNumber: who.Number,
	})
	if found {
		return record.Outcome{Status: record.Changed, Seq: next.Seq}, nil
	}
	return record.Outcome{Status: record.Added, Seq: next.Seq}, nil
}

func sameProfile(a, b *storepb.ProfileRow) bool {
	return proto.Equal(&storepb.ProfileRow{OptOut: a.OptOut, Attributes: a.Attributes},
		&storepb.ProfileRow{OptOut: b.OptOut, Attributes: b.Attributes})
}

// merge makes a session an alias of a user.
func (p *plan) merge(m *record.Merge) (record.Outcome, error) {
	session, err := p.lookPerson(kindSession, m.Session)
	if err != nil {
		return record.Outcome{}, err
	}
	user, err := p.lookPerson(kindUser, m.User)
	if err != nil {
		return record.Outcome{}, err
	}
	if session.User != 0 {
		return p.mergedBefore(m, session, user)
	}
	who := actors{user: user, session: session}
	if err := p.roomFor(who.fresh(), false); err != nil {
		return refused(err), nil
	}
	if !user.known {
		if err := p.enterPerson(&user, 0); err != nil {
			return record.Outcome{}, err
		}
	}
	before := uint64(0)
	if session.known {
		before = session.Number
		session.Person = &storepb.Person{Number: session.Number, User: user.Number}
		err = p.storePerson(&session)
	} else {
		err = p.enterPerson(&session, user.Number)
	}
	if err != nil {
		return record.Outcome{}, err
	}
	return p.putMerge(m, user.Number, session.Number, before)
}

// mergedBefore answers the merge of a session that has a user.
func (p *plan) mergedBefore(m *record.Merge, session, user person) (record.Outcome, error) {
	var merged storepb.MergedSession
	found, err := fetch(p.ledger, pairKey(p.tenant, kindMerged, session.User, session.Number), &merged)
	if err != nil {
		return record.Outcome{}, err
	}
	if found && user.known && session.User == user.Number {
		return record.Outcome{Status: record.Unchanged, Seq: merged.Seq}, nil
	}
	o := refused(fmt.Errorf("store: the session is another user's already, erase it first: %w", record.ErrConflict))
	o.Seq = merged.Seq
	return o, nil
}

func (p *plan) putMerge(m *record.Merge, user, session, before uint64) (record.Outcome, error) {
	seq := p.next()
	if err := place(p.ledger, pairKey(p.tenant, kindMerged, user, session), &storepb.MergedSession{Seq: seq}); err != nil {
		return record.Outcome{}, err
	}
	err := p.log(seq, valueMerge, &storepb.Merge{
		Session: session, User: user, ReceivedNs: p.now.UnixNano(), HadEvents: before != 0,
	})
	if err != nil {
		return record.Outcome{}, err
	}
	if before != 0 {
		if err := p.orphan(&storepb.Removal{Number: before, Heir: user}); err != nil {
			return record.Outcome{}, err
		}
	}
	p.note(record.Entry{
		Seq: seq, Mutation: record.Mutation{Merge: m}, ItemNumber: record.NoItem,
		UserNumber: user, MergedNumber: before,
	})
	return record.Outcome{Status: record.Added, Seq: seq}, nil
}

// erase takes a person out of the directory, which severs the rows from them,
// and leaves the rows to be removed before the mutation is answered.
func (p *plan) erase(m *record.Erase) (record.Outcome, error) {
	kind, id := kindUser, m.User
	if m.Session != "" {
		kind, id = kindSession, m.Session
	}
	who, err := p.lookPerson(kind, id)
	if err != nil {
		return record.Outcome{}, err
	}
	if !who.known {
		return refused(fmt.Errorf("store: nothing is known of this id: %w", record.ErrNotFound)), nil
	}
	var merged storepb.MergedSession
	mergedKey := pairKey(p.tenant, kindMerged, who.User, who.Number)
	if who.User != 0 {
		if _, err := fetch(p.ledger, mergedKey, &merged); err != nil {
			return record.Outcome{}, err
		}
	}
	if err := p.forget(who.key, who.Number); err != nil {
		return record.Outcome{}, err
	}
	if who.User != 0 {
		if err := errors.Join(p.replace(merged.Seq), p.ledger.remove(mergedKey)); err != nil {
			return record.Outcome{}, err
		}
	}
	seq := p.next()
	err = p.log(seq, valueErase, &storepb.Erase{
		Number: who.Number, Session: kind == kindSession,
		IdHash: p.store.idHash(who.key), ReceivedNs: p.now.UnixNano(),
	})
	if err != nil {
		return record.Outcome{}, err
	}
	if err := p.orphan(&storepb.Removal{Number: who.Number}); err != nil {
		return record.Outcome{}, err
	}
	p.note(record.Entry{
		Seq: seq, Mutation: record.Mutation{Erase: m}, ItemNumber: record.NoItem, UserNumber: who.Number,
	})
	p.receipt = &record.Receipt{} // filled as the rows go, before the answer
	return record.Outcome{Status: record.Removed, Seq: seq, Receipt: p.receipt}, nil
}

// forget removes an entry of the directory.
func (p *plan) forget(key personKey, number uint64) error {
	p.persons.remove(key)
	if p.head.persons > 0 {
		p.head.persons--
	}
	if err := p.ledger.remove(key.row()); err != nil {
		return err
	}
	return p.ledger.remove(numberKey(p.tenant, kindName, number))
}

// orphan notes that the rows of a number have to go. The note survives a crash.
func (p *plan) orphan(r *storepb.Removal) error {
	p.removals = append(p.removals, r)
	return place(p.ledger, numberKey(p.tenant, kindRemoval, r.Number), r)
}

// idHash tells an erased id from others without naming it.
func (s *Store) idHash(key personKey) []byte {
	h := hmac.New(sha256.New, s.hashKey[:])
	h.Write(key.row())
	return h.Sum(nil)
}
