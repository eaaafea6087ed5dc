package store

import (
	"errors"
	"fmt"

	"github.com/kindred-rec/kindred/server/record"
)

// run is the committer: the one goroutine that changes the database.
func (s *Store) run() {
	defer close(s.stopped)
	for group := s.queue.take(); group != nil; group = s.queue.take() {
		s.commit(group)
	}
}

// commit writes a group of requests as one transaction, makes it durable with
// one sync and answers all.
func (s *Store) commit(group []*request) {
	if err := s.writable(); err != nil {
		for _, r := range group {
			r.answer(err)
		}
		return
	}
	s.counters.groups.Add(1)
	s.beginSeen()
	w := s.newWriter()
	defer w.discard()
	plans := make(map[*Tenant]*plan)
	err := s.plans(group, w, plans)
	if err == nil {
		err = w.write()
	}
	if err != nil {
		s.fail(err, group)
		return
	}
	durable := group[:0]
	for _, r := range group {
		if r.rows != nil {
			r.answer(nil)
			continue
		}
		durable = append(durable, r)
	}
	if err := w.sync(); err != nil {
		s.fail(err, durable)
		return
	}
	for t := range plans {
		t.durable.Store(t.head.seq)
	}
	for _, r := range durable {
		r.answer(r.err)
	}
	for t, p := range plans {
		t.deliver(p)
	}
}

// plans decides all requests of a group.
func (s *Store) plans(group []*request, w *writer, plans map[*Tenant]*plan) error {
	for _, r := range group {
		switch {
		case r.control != nil:
			if err := w.room(); err != nil {
				return err
			}
			w.durable = true
			if r.err = r.control(w); r.err != nil && !isControlError(r.err) {
				return r.err
			}
		case r.rows != nil:
			for _, row := range r.rows {
				if err := w.room(); err != nil {
					return err
				}
				if err := w.put(row); err != nil {
					return err
				}
			}
		default:
			p := plans[r.tenant]
			if p == nil {
				p = s.plan(r.tenant, w)
				if p.collect = r.tenant.followed(); p.collect {
					p.entries = make([]record.Entry, 0, mutationsOf(r.tenant, group))
				}
				plans[r.tenant] = p
			}
			if err := p.batch(r, w); err != nil {
				return err
			}
		}
	}
	return nil
}

// mutationsOf counts those of a tenant in a group.
func mutationsOf(t *Tenant, group []*request) (n int) {
	for _, r := range group {
		if r.tenant == t {
			n += len(r.batch)
		}
	}
	return n
}

// isControlError tells an answer from a failure of the store.
func isControlError(err error) bool {
	return errors.Is(err, record.ErrExists) || errors.Is(err, record.ErrNotFound) ||
		errors.Is(err, record.ErrLimit) || errors.Is(err, record.ErrInvalid)
}

// batch decides the mutations of one request in their order.
func (p *plan) batch(r *request, w *writer) error {
	p.store.counters.mutations.Add(uint64(len(r.batch)))
	r.outcomes = make([]record.Outcome, len(r.batch))
	p.settings = r.tenant.Settings()
	for i := range r.batch {
		if err := w.room(); err != nil {
			return err
		}
		before := w.total
		o, err := p.apply(&r.batch[i])
		if err != nil {
			return err
		}
		if w.total != before {
			w.touch(r.tenant)
		}
		if err := p.finish(w); err != nil {
			return err
		}
		r.outcomes[i] = o
	}
	r.token = record.Token{Epoch: p.store.epoch, Seq: p.head.seq}
	return nil
}

// plan starts a plan of a tenant in the committer.
func (s *Store) plan(t *Tenant, w *writer) *plan {
	return &plan{
		store: s, owner: t, settings: t.Settings(), tenant: t.number, ledger: w, head: &t.head,
		persons: s.persons, items: s.items, seen: s.seen, now: s.options.Now().UTC(), random: s.options.Random,
	}
}

// fail answers a group whose write broke off. What the disk has of it is not
// known, and what the committer remembers may be ahead of it, so that the store
// takes no more writes until it is opened anew. Reads go on.
func (s *Store) fail(err error, group []*request) {
	err = fmt.Errorf("%w: %w", record.ErrStopped, err)
	s.failure.CompareAndSwap(nil, &err)
	s.options.Logger.Error("store: write failed", "dir", s.dir, "err", err)
	for _, r := range group {
		r.answer(err)
	}
}

// writable refuses a group before anything of it is written.
func (s *Store) writable() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	if s.options.Reserve == 0 {
		return nil
	}
	free, known := freeSpace(s.dir)
	if known && free < s.options.Reserve {
		return fmt.Errorf("store: %d bytes are free under %s, writes stop below %d (option Reserve): free some: %w",
			free, s.dir, s.options.Reserve, record.ErrDiskFull)
	}
	return nil
}
