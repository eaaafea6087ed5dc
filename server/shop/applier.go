package shop

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/server/record"
)

// apply brings the serving state up to date with entries of the log. The log calls
// it from one goroutine, in order. Faults of single entries are logged and the rest
// goes on: the log is the truth, and a restart reads it again.
func (s *Shop) apply(entries []record.Entry) {
	s.applying.Lock()
	var items []numbered
	for i := range entries {
		e := &entries[i]
		switch {
		case e.Row != nil:
			items = append(items, s.applyItem(e)...)
		case e.Delete != nil:
			s.applyDelete(e)
		case e.Stored != nil:
			s.applyEvent(e.Stored)
		case e.Promote != nil:
			s.aim(&target{hash: bundle.Hash(e.Promote.Bundle), seq: e.Seq})
		case e.Profile != nil, e.Merge != nil, e.Erase != nil:
			if e.Profile == nil {
				s.numbers.forget()
			}
			s.profiles.drop(e.UserNumber)
			s.profiles.drop(e.MergedNumber)
		}
	}
	items = s.latest(items)
	s.encodeAndPutWords(items)
	s.recount(len(items))
	// The lists of top items hold acts back to save work while many come.
	s.counters.popular.Publish()
	s.counters.trending.Publish()
	last := entries[len(entries)-1].Seq
	s.maybeCheckpoint(last)
	s.applying.Unlock()
	s.applied.advance(last)
	s.notice()
}

// applyItem puts a row into the table and returns it if it must be encoded.
func (s *Shop) applyItem(e *record.Entry) []numbered {
	if e.Seq <= s.itemsAt {
		return nil // the scan at the start had it
	}
	if err := s.table.Put(e.ItemNumber, tableItem(e.Row)); err != nil {
		s.config.Log.Error("item not served", "item", e.Row.ID, "seq", e.Seq, "error", err)
		return nil
	}
	s.firstSeen(e.ItemNumber, e.Row, e.Received)
	if e.Patch != nil {
		return nil
	}
	return []numbered{{e.ItemNumber, e.Row}}
}

func (s *Shop) applyDelete(e *record.Entry) {
	if e.Seq <= s.itemsAt {
		return
	}
	s.table.Delete(e.ItemNumber)
	s.arrivals.Remove(e.ItemNumber)
	s.texts.Delete(e.ItemNumber)
	if s.encoding != nil {
		s.encoding.backlog.drop(e.ItemNumber)
	}
	for _, g := range s.serving() {
		if err := g.put(e.ItemNumber, nil); err != nil {
			s.config.Log.Error("vector not removed", "item", e.Delete.ID, "error", err)
		}
	}
	s.touch(e.ItemNumber)
}

// latest keeps the last row of each item that is still in the catalog, so that a vector
// is never made from a row that later entries replaced or removed.
func (s *Shop) latest(items []numbered) []numbered {
	if len(items) == 0 {
		return nil
	}
	kept := items[:0]
	last := make(map[uint32]int, len(items))
	for i, it := range items {
		last[it.number] = i
	}
	for i, it := range items {
		if last[it.number] == i && s.table.Row(it.number) != nil {
			kept = append(kept, it)
		}
	}
	return kept
}

// encode gives changed rows their vectors, in every generation that serves or is
// about to. What a slow encoder has to do joins its backlog.
func (s *Shop) encode(items []numbered) {
	for batch := range slices.Chunk(items, encodeBatch) {
		var of *generation // whose vectors are made
		var made []coded
		for _, g := range s.serving() {
			if of == nil || of.bridge != g.bridge {
				var err error
				if made, err = g.vectorsNow(context.Background(), batch); err != nil {
					s.config.Log.Error("items without vectors; other sources still find them", "items", len(batch), "error", err)
					continue
				}
				of = g
			}
			for _, c := range made {
				if err := g.put(c.number, c.vector); err != nil {
					s.config.Log.Error("vector not indexed; other sources still find the item", "number", c.number, "error", err)
				}
			}
		}
		for _, it := range batch {
			s.touch(it.number)
			s.encodeLater(it)
		}
	}
}

// encodeLater has an item wait for a slow encoder, unless it brought its own vector.
func (s *Shop) encodeLater(it numbered) {
	switch {
	case s.encoding == nil:
	case len(it.item.Vector) == s.dim:
		s.encoding.backlog.drop(it.number)
	default:
		s.encoding.backlog.add(it.number, true)
	}
}

// recount has labels counted again once a sixteenth of the catalog has changed.
func (s *Shop) recount(rows int) {
	if s.recountIn -= rows; rows == 0 || s.recountIn > 0 {
		return
	}
	for _, g := range s.serving() {
		g.pipeline.Recount()
	}
	s.recountIn = int(s.table.Count() / 16)
}

// serving returns the generation that serves, the one being made, and the one being
// filled, as far as there are.
func (s *Shop) serving() []*generation {
	all := []*generation{s.gen.Load()}
	next, filling := s.next.Load(), s.filling.Load()
	if next != nil {
		all = append(all, next)
	}
	if filling != nil && filling != next {
		all = append(all, filling)
	}
	return all
}

func (s *Shop) touch(number uint32) {
	if s.next.Load() != nil {
		s.touched[number] = struct{}{}
	}
}

// applyEvent counts an event and adds it to the profile of its user.
func (s *Shop) applyEvent(e *record.Stored) {
	types := s.settings().types
	weight := types.weight(&e.Event)
	s.clock.see(e.Time.UnixMicro())
	s.events.Add(1)
	if o := s.config.Outcomes; o != nil && e.RecommendationID != "" && e.Received.After(s.started) {
		o.Acted(s.tenant, e.RecommendationID, e.Type, e.Received)
	}
	if e.ItemNumber == record.NoItem {
		return
	}
	if e.Seq > s.countersAt {
		s.countConversion(e)
		s.count(e, weight)
	}
	if e.Type == record.TypeImpression {
		if p := s.profiles.peek(e.UserNumber); p != nil {
			p.appendShowing(showingOf(e))
		}
	}
	if t, ok := touchOf(e, weight); ok {
		s.profiles.get(e.UserNumber).append(t, s.config.HistoryEvents)
	}
}

// touchOf returns what a profile keeps of an event; ok is false for events that say
// nothing of the user's taste.
func touchOf(e *record.Stored, weight float32) (touch, bool) {
	tells := weight != 0 || e.Type == record.TypeHide || e.Type == record.TypeRating
	if e.ItemNumber == record.NoItem || !tells {
		return touch{}, false
	}
	return touch{
		seq: e.Seq, at: e.Time.UnixMicro(), item: e.ItemNumber, weight: weight,
		kind: KindOf(e.Type), hidden: e.Type == record.TypeHide, synthetic: e.Synthetic,
	}, true
}

// KindOf says how the ranker calls an event type; a declared one counts as a view.
func KindOf(eventType string) ranker.Kind {
	switch eventType {
	case record.TypeClick:
		return ranker.Clicked
	case record.TypeLike:
		return ranker.Liked
	case record.TypeAddToCart:
		return ranker.Carted
	case record.TypePurchase:
		return ranker.Purchased
	case record.TypeRating:
		return ranker.Rated
	case record.TypeComment:
		return ranker.Commented
	case record.TypeShare:
		return ranker.Shared
	}
	return ranker.Viewed
}

// appliedMark is the sequence up to which the log is applied, with a way to wait
// for it.
type appliedMark struct {
	mu   sync.Mutex
	seq  uint64
	tick chan struct{} // closed and replaced when seq grows
}

func newAppliedMark() *appliedMark { return &appliedMark{tick: make(chan struct{})} }

func (m *appliedMark) advance(seq uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if seq > m.seq {
		m.seq = seq
		close(m.tick)
		m.tick = make(chan struct{})
	}
}

func (m *appliedMark) load() (uint64, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seq, m.tick
}

// wait returns when seq is applied, wait has passed, or ctx ends; and how far the log
// is applied then.
func (m *appliedMark) wait(ctx context.Context, seq uint64, wait time.Duration) uint64 {
	now, tick := m.load()
	if now >= seq || wait <= 0 {
		return now
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for now < seq {
		select {
		case <-tick:
			now, tick = m.load()
		case <-timer.C:
			return now
		case <-ctx.Done():
			return now
		}
	}
	return now
}
