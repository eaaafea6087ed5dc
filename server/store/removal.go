package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// removalChunk is how many events a step of a removal takes.
const removalChunk = 256

// finish does the removals that the last mutation noted. Each is many small
// steps, so that a person with a million events fits into bounded transactions;
// a crash in between leaves the note, and the next start goes on.
func (p *plan) finish(w *writer) error {
	for _, r := range p.removals {
		var err error
		if r.Heir != 0 {
			err = p.inherit(w, r)
		} else {
			err = errors.Join(p.wipe(w, r.Number), w.noteErase(time.Now()))
		}
		if err != nil {
			return err
		}
		if err := w.remove(numberKey(p.tenant, kindRemoval, r.Number)); err != nil {
			return err
		}
	}
	p.removals, p.receipt = p.removals[:0], nil
	return nil
}

// count notes what a removal took, where somebody is to be told.
func (p *plan) count(note func(*record.Receipt)) {
	if p.receipt != nil {
		note(p.receipt)
	}
}

// steps feeds the rows of a prefix to fn, which removes them, until none is left.
func steps(w *writer, prefix []byte, fn func(row) error) error {
	for {
		if err := w.room(); err != nil {
			return err
		}
		rows, err := w.first(prefix, removalChunk)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			if err := fn(r); err != nil {
				return err
			}
		}
	}
}

// inherit moves the history of a session under its user. The rows of the log
// stay as they were: who follows the log sees the merge.
func (p *plan) inherit(w *writer, r *storepb.Removal) error {
	return steps(w, numberKey(p.tenant, kindHistory, r.Number), func(old row) error {
		moved := numberKey(p.tenant, kindHistory, r.Heir)
		moved = append(moved, old.key[len(old.key)-8:]...)
		if err := w.put(row{moved, old.value, old.expires}); err != nil {
			return err
		}
		return w.remove(old.key)
	})
}

// wipe removes all rows of a number: the events with what their ids were used
// for, the profile, the sessions with their names, the decisions and lists.
func (p *plan) wipe(w *writer, number uint64) error {
	var rowOf eventRow
	seen := words{}
	err := steps(w, numberKey(p.tenant, kindHistory, number), func(r row) error {
		return p.wipeEvent(w, r, seen, &rowOf)
	})
	if err != nil {
		return err
	}
	if err := p.wipeProfile(w, number); err != nil {
		return err
	}
	err = steps(w, numberKey(p.tenant, kindMerged, number), func(r row) error {
		return p.wipeMerged(w, r)
	})
	if err != nil {
		return err
	}
	return p.wipeOwned(w, number)
}

// wipeEvent removes one event, and the name of its session where that has no
// other use.
func (p *plan) wipeEvent(w *writer, r row, seen words, event *eventRow) error {
	log := numberKey(p.tenant, kindLog, ^lastNumber(r.key))
	value, at := r.value, time.Time{}
	if len(value) == 0 {
		var err error
		if value, err = w.get(log); err != nil {
			return err
		}
	}
	if value != nil {
		if err := decodeEvent(value, seen, event); err != nil {
			// Its id is lost, so that its duplicate row stays until it expires;
			// it holds a hash alone.
			p.store.options.Logger.Error("store: erasing an event that cannot be read", "err", err)
		} else {
			at = event.Time
			hash := duplicateHash(&p.store.hashKey, event.ID)
			if err := w.remove(append(prefixKey(p.tenant, kindDuplicate), hash[:]...)); err != nil {
				return err
			}
			if event.userGiven && event.session != 0 {
				if err := p.wipeSession(w, event.session); err != nil {
					return err
				}
			}
		}
	}
	place := ^lastNumber(r.key)
	p.count(func(r *record.Receipt) { r.SawEvent(place, at) })
	if err := w.remove(log); err != nil {
		return err
	}
	return w.remove(r.key)
}

// wipeSession forgets a session that was named beside the user, unless it was
// merged into somebody or has events without a user.
func (p *plan) wipeSession(w *writer, number uint64) error {
	who, err := p.sessionOf(w, number)
	if err != nil || !who.known || who.User != 0 {
		return err
	}
	own, err := w.first(numberKey(p.tenant, kindHistory, number), 1)
	if err != nil || len(own) > 0 {
		return err
	}
	w.touch(p.owner)
	p.count(func(r *record.Receipt) { r.Sessions++ })
	return p.forget(who.key, number)
}

// sessionOf goes from the number of a session to its entry.
func (p *plan) sessionOf(l ledger, number uint64) (person, error) {
	var name storepb.Name
	found, err := fetch(l, numberKey(p.tenant, kindName, number), &name)
	if err != nil || !found || !name.Session {
		return person{}, err
	}
	return p.lookPerson(kindSession, name.Id)
}

// wipeMerged removes a session that was merged into the user.
func (p *plan) wipeMerged(w *writer, r row) error {
	session := lastNumber(r.key)
	var merged storepb.MergedSession
	if err := decode(r.value, valueOther, &merged); err != nil {
		return err
	}
	who, err := p.sessionOf(w, session)
	if err != nil {
		return err
	}
	if who.known {
		w.touch(p.owner)
		p.count(func(r *record.Receipt) { r.Sessions++ })
		if err := p.forget(who.key, session); err != nil {
			return err
		}
	}
	if err := p.wipeOwned(w, session); err != nil {
		return err
	}
	if err := p.replace(merged.Seq); err != nil {
		return err
	}
	return w.remove(r.key)
}

func (p *plan) wipeProfile(w *writer, number uint64) error {
	key := numberKey(p.tenant, kindProfile, number)
	var profile storepb.ProfileRow
	found, err := fetch(w, key, &profile)
	if err != nil || !found {
		return err
	}
	p.count(func(r *record.Receipt) { r.Profile = true })
	if err := p.replace(profile.Seq); err != nil {
		return err
	}
	return w.remove(key)
}

// wipeOwned removes the decisions and lists of a number.
func (p *plan) wipeOwned(w *writer, number uint64) error {
	p.owner.owners.forget(number)
	return steps(w, numberKey(p.tenant, kindOwned, number), func(r row) error {
		kind, rest := r.key[prefixLen+8], r.key[prefixLen+9:]
		var err error
		if kind == kindDecision {
			err = p.wipeWindow(w, number, windowAt(r.key))
		} else {
			p.count(func(r *record.Receipt) { r.Lists++ })
			err = w.remove(append(prefixKey(p.tenant, kind), rest...))
		}
		if err != nil {
			return err
		}
		return w.remove(r.key)
	})
}

// resume finishes the removals that a crash cut short.
func (s *Store) resume(t *Tenant) error {
	w := s.newWriter()
	defer w.discard()
	rows, err := w.first(prefixKey(t.number, kindRemoval), 1<<20)
	if err != nil || len(rows) == 0 {
		return err
	}
	p := s.plan(t, w)
	for _, r := range rows {
		var note storepb.Removal
		if err := decode(r.value, valueOther, &note); err != nil {
			return fmt.Errorf("store: removal %d: %w", binary.BigEndian.Uint64(r.key[prefixLen:]), err)
		}
		p.removals = append(p.removals, &note)
	}
	w.touch(t)
	if err := p.finish(w); err != nil {
		return err
	}
	if err := w.write(); err != nil {
		return err
	}
	return w.sync()
}
