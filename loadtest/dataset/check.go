package dataset

import (
	"errors"
	"hash/maphash"
	"time"
)

// Summary is what reading a source from end to end found.
type Summary struct {
	Items  RowCount `json:"items"`
	Events RowCount `json:"events"`
	Cases  RowCount `json:"cases"` // published test rows

	// Of events: different users, sessions without a user, and items; and items that the catalog does not have, where
	// there is one.
	Users         Distinct `json:"users"`
	Sessions      Distinct `json:"sessions"`
	EventItems    Distinct `json:"event_items"`
	UnknownItems  Distinct `json:"unknown_items"`
	UnknownSample []string `json:"unknown_items_sample,omitempty"` // the first few

	Types map[string]int64 `json:"types"` // events by type
	First time.Time        `json:"first"` // of the earliest event; zero: there are none
	Last  time.Time        `json:"last"`
	// Synthetic events have a time that was made up. OutOfOrder ones came after a later one; Disorder is the furthest behind.
	Synthetic  int64         `json:"synthetic"`
	OutOfOrder int64         `json:"out_of_order"`
	Disorder   time.Duration `json:"disorder_ns"`
}

// RowCount counts the rows of one kind.
type RowCount struct {
	Good   int64 `json:"good"`
	Broken int64 `json:"broken"`
	// Repeated counts good rows whose id stood before: of items the last one holds, of events the first.
	Repeated int64 `json:"repeated"`
}

// Broken counts the broken rows of all kinds.
func (s Summary) Broken() int64 { return s.Items.Broken + s.Events.Broken + s.Cases.Broken }

// Distinct is a number of different ids.
type Distinct struct {
	Count int64 `json:"count"`
	// AtLeast: there were more than are remembered, and Count is a lower bound.
	AtLeast bool `json:"at_least,omitempty"`
}

// maxIDs bounds the ids of one kind that a check remembers, at about 20 bytes each.
const maxIDs = 10_000_000

// idSet counts different ids by their 64-bit hashes: among ten million, two fall together once in 400,000 checks.
type idSet struct {
	seed maphash.Seed
	seen map[uint64]struct{}
	full bool
}

func newIDSet() *idSet { return &idSet{seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}} }

// add reports whether the id is new, as far as is remembered.
func (s *idSet) add(id string) bool {
	h := maphash.String(s.seed, id)
	if _, known := s.seen[h]; known {
		return false
	}
	if len(s.seen) == maxIDs {
		s.full = true
		return false
	}
	s.seen[h] = struct{}{}
	return true
}

func (s *idSet) has(id string) bool {
	_, known := s.seen[maphash.String(s.seed, id)]
	return known
}

func (s *idSet) distinct() Distinct { return Distinct{int64(len(s.seen)), s.full} }

// Check reads everything and counts. broken is told of each broken row; an error that it returns ends the check. Any other
// error is about a file as a whole. Memory is bounded; nothing is written.
func Check(source Source, broken func(*RowError) error) (Summary, error) {
	c := checker{sum: Summary{Types: map[string]int64{}}, broken: broken, catalog: newIDSet(), ids: newIDSet(), users: newIDSet(),
		sessions: newIDSet(), items: newIDSet(), unknown: newIDSet()}
	err := c.run(source)
	c.sum.Users, c.sum.Sessions = c.users.distinct(), c.sessions.distinct()
	c.sum.EventItems, c.sum.UnknownItems = c.items.distinct(), c.unknown.distinct()
	return c.sum, err
}

type checker struct {
	sum                                           Summary
	broken                                        func(*RowError) error
	catalog, ids, users, sessions, items, unknown *idSet
}

func (c *checker) run(source Source) error {
	for item, err := range source.Items() {
		if err := c.row(&c.sum.Items, err); err != nil {
			return err
		}
		if err == nil && !c.catalog.add(item.ID) && !c.catalog.full {
			c.sum.Items.Repeated++
		}
	}
	for e, err := range source.Events() {
		if err := c.row(&c.sum.Events, err); err != nil {
			return err
		}
		if err == nil {
			c.event(e)
		}
	}
	if tested, ok := source.(TestSource); ok {
		for _, err := range tested.Cases() {
			if err := c.row(&c.sum.Cases, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// row counts a row, or gives the error that ends the check.
func (c *checker) row(count *RowCount, err error) error {
	var row *RowError
	switch {
	case err == nil:
		count.Good++
		return nil
	case errors.As(err, &row):
		count.Broken++
		return c.broken(row)
	}
	return err
}

const sampleSize = 5

func (c *checker) event(e Event) {
	if !c.ids.add(e.ID) && !c.ids.full {
		c.sum.Events.Repeated++
	}
	if e.User != "" {
		c.users.add(e.User)
	} else {
		c.sessions.add(e.Session)
	}
	if e.Item != "" {
		c.items.add(e.Item)
		if c.sum.Items.Good > 0 && !c.catalog.full && !c.catalog.has(e.Item) && c.unknown.add(e.Item) && len(c.sum.UnknownSample) < sampleSize {
			c.sum.UnknownSample = append(c.sum.UnknownSample, e.Item)
		}
	}
	c.sum.Types[e.Type]++
	if e.Synthetic {
		c.sum.Synthetic++
	}
	c.order(e.Time)
}

func (c *checker) order(at time.Time) {
	if c.sum.First.IsZero() || at.Before(c.sum.First) {
		c.sum.First = at
	}
	if behind := c.sum.Last.Sub(at); behind > 0 && !c.sum.Last.IsZero() {
		c.sum.OutOfOrder++
		c.sum.Disorder = max(c.sum.Disorder, behind)
		return
	}
	c.sum.Last = at
}
