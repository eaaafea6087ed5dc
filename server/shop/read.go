package shop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/server/record"
)

// ItemState is a row of the catalog and how it serves.
type ItemState struct {
	Item       record.Item
	Encoded    bool
	Unservable string // why it would not be recommended now; "": it may be
}

// Item returns a row of the catalog, or record.ErrNotFound.
func (s *Shop) Item(id string) (ItemState, error) {
	it, number, err := s.log.Item(id)
	if err != nil {
		return ItemState{}, fmt.Errorf("item %.40q: %w", id, err)
	}
	state := ItemState{Item: it, Encoded: s.gen.Load().vectors.Vector(number) != nil}
	if why := s.table.Row(number).Withheld(s.now().UnixMicro()); why != catalog.None {
		state.Unservable = why.String()
	}
	return state, nil
}

// ItemID returns the id of a number; "" if there is none. The store is asked for items alone that the catalog does not have
// any more: an export of decisions names millions of items, and a read of the store for each took most of its time.
func (s *Shop) ItemID(number uint32) string {
	if row := s.table.Row(number); row != nil {
		return row.ID
	}
	id, _ := s.log.ItemID(number)
	return id
}

// CatalogItems is the number of items in the catalog.
func (s *Shop) CatalogItems() int64 { return int64(s.table.Count()) }

// Items lists rows after an id, in the order of ids: those that pass a filter of the
// next limit rows. next is where to go on; "" at the end.
func (s *Shop) Items(_ context.Context, after string, limit int, filterText string) (items []record.Item, next string, err error) {
	f, err := s.filter(filterText, "")
	if err != nil {
		return nil, "", err
	}
	rows, next, err := s.log.Items(after, limit)
	if err != nil || f == nil {
		return rows, next, err
	}
	for _, it := range rows {
		if n, ok := s.log.ItemNumber(it.ID); ok && f.Match(s.table.Row(n)) {
			items = append(items, it)
		}
	}
	return items, next, nil
}

// Unseen returns the ids of the catalog that are not in a set.
func (s *Shop) Unseen(seen map[string]struct{}) []string {
	var ids []string
	for _, row := range s.table.All() {
		if _, ok := seen[row.ID]; !ok {
			ids = append(ids, strings.Clone(row.ID))
		}
	}
	return ids
}

// ProfileState is a profile and how it serves.
type ProfileState struct {
	Profile   record.Profile
	Events    int
	HasVector bool
}

// Profile returns what is known of a user or session, or record.ErrNotFound.
func (s *Shop) Profile(subject Subject) (ProfileState, error) {
	number, known := s.log.UserNumber(subject.User, subject.Session)
	var state ProfileState
	if subject.User != "" {
		p, err := s.log.Profile(subject.User)
		if err != nil {
			return state, fmt.Errorf("user %.40q: %w", subject.User, err)
		}
		state.Profile = p
	} else if !known {
		return state, fmt.Errorf("session %.40q: %w", subject.Session, record.ErrNotFound)
	}
	var p person
	s.know(&p, subject, s.gen.Load(), time.Time{})
	if p.unread {
		return state, fmt.Errorf("profile %d: %w", number, record.ErrCorrupt)
	}
	state.Events, state.HasVector = len(p.touches), len(p.vector()) > 0
	return state, nil
}

// Events lists the events of a user or session before a token (zero: all), newest
// first. next is where to go on; zero at the end.
func (s *Shop) Events(subject Subject, before record.Token, limit int) (events []record.Stored, next record.Token, err error) {
	number, known := s.log.UserNumber(subject.User, subject.Session)
	if !known {
		return nil, next, fmt.Errorf("user or session: %w", record.ErrNotFound)
	}
	events, err = s.log.History(number, before.Seq, limit)
	if err == nil && len(events) == limit {
		next = record.Token{Epoch: s.log.Head().Epoch, Seq: events[limit-1].Seq}
	}
	return events, next, err
}

// eventPage is how many events are read at once.
const eventPage = 1000

// EachEvent calls fn for every event of a user or session up to now, oldest first. The
// store reads backwards, so that a first pass finds where the pages begin and a second
// one goes through them in reverse: one page at a time is in memory.
func (s *Shop) EachEvent(subject Subject, fn func(*record.Event) error) error {
	head := s.log.Head()
	head.Seq++
	starts := []record.Token{head}
	for {
		_, next, err := s.Events(subject, starts[len(starts)-1], eventPage)
		if errors.Is(err, record.ErrNotFound) {
			return nil // a profile without events
		}
		if err != nil {
			return err
		}
		if next == (record.Token{}) {
			break
		}
		starts = append(starts, next)
	}
	for _, start := range slices.Backward(starts) {
		events, _, err := s.Events(subject, start, eventPage)
		if err != nil {
			return err
		}
		for i := range slices.Backward(events) {
			if err := fn(&events[i].Event); err != nil {
				return err
			}
		}
	}
	return nil
}

// Erase removes every trace of a user or session, from the lists of experiments first.
// record.ErrNotFound if there is none elsewhere.
func (s *Shop) Erase(ctx context.Context, subject Subject) (record.Receipt, record.Token, error) {
	if err := s.forgetListed(ctx, subject.User); err != nil {
		return record.Receipt{}, record.Token{}, err
	}
	if _, known := s.log.UserNumber(subject.User, subject.Session); !known {
		return record.Receipt{}, record.Token{}, fmt.Errorf("user or session: %w", record.ErrNotFound)
	}
	s.decisions.flush() // what was shown to the person goes too
	erase := record.Mutation{Erase: &record.Erase{User: subject.User, Session: subject.Session}}
	outcomes, token, err := s.Write(ctx, []record.Mutation{erase})
	if err != nil {
		return record.Receipt{}, token, err
	}
	if outcomes[0].Err != nil {
		return record.Receipt{}, token, outcomes[0].Err
	}
	// The caches must have forgotten the person before the caller is told.
	s.applied.wait(ctx, token.Seq, time.Second)
	var receipt record.Receipt
	if outcomes[0].Receipt != nil {
		receipt = *outcomes[0].Receipt
	}
	return receipt, token, nil
}

// Reach waits until what serves reflects a write, or ctx ends.
func (s *Shop) Reach(ctx context.Context, token record.Token) error {
	for {
		if s.applied.wait(ctx, token.Seq, time.Second) >= token.Seq {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// Head is the last place in the log.
func (s *Shop) Head() record.Token { return s.log.Head() }

var errEnough = errors.New("enough")

// ExportEvents calls fn for the events after a token up to the head at the call, at
// most limit of them (0: all), with the place of each.
func (s *Shop) ExportEvents(after record.Token, limit int64, fn func(record.Token, *record.Event) error) error {
	head := s.log.Head()
	sent := int64(0)
	names := map[uint64]Subject{}
	err := s.log.ScanLog(after.Seq, func(e record.Entry) error {
		if e.Seq > head.Seq {
			return errEnough
		}
		if e.Stored == nil {
			return nil
		}
		s.name(e.Stored, names)
		if err := fn(record.Token{Epoch: head.Epoch, Seq: e.Seq}, &e.Stored.Event); err != nil {
			return err
		}
		if sent++; sent == limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// namesKept bounds the memory of an export for raw ids.
const namesKept = 1 << 16

// name gives an event of the log its user or session: the log has numbers alone. One
// whose person was erased since keeps none.
func (s *Shop) name(e *record.Stored, names map[uint64]Subject) {
	if e.User != "" || e.Session != "" {
		return
	}
	of, ok := names[e.UserNumber]
	if !ok {
		of.User, of.Session, _ = s.log.Name(e.UserNumber)
		if len(names) >= namesKept {
			clear(names)
		}
		names[e.UserNumber] = of
	}
	e.User, e.Session = of.User, of.Session
}

// ExportDecisions calls fn for the decisions from one time until another, exclusive.
func (s *Shop) ExportDecisions(from, until time.Time, fn func(*record.Decision) error) error {
	s.decisions.flush()
	return s.log.ScanDecisions(from, until, func(d record.Decision) error { return fn(&d) })
}

// tierCounts counts lists by tier.
type tierCounts [ranker.Popular + 1]atomic.Int64

func (t *tierCounts) count(tier ranker.Tier) {
	if int(tier) < len(t) {
		t[tier].Add(1)
	}
}

// Tiers returns how many lists came from each tier since the start.
func (s *Shop) Tiers() map[string]int64 {
	out := map[string]int64{}
	for t := ranker.Personalized; t <= ranker.Popular; t++ {
		out[t.String()] = s.tiers[t].Load()
	}
	return out
}

// vectorBytes is the memory of the vectors that are being gathered beside what serves.
func (s *Shop) vectorBytes() (n int64) {
	now := s.gen.Load()
	for _, g := range s.serving() {
		if g.space != now.space {
			n += g.encoded.Load() * int64(4*g.dim())
		}
	}
	return n
}

// Status says what the tenant holds.
func (s *Shop) Status() Status {
	g := s.gen.Load()
	applied, _ := s.applied.load()
	head, stats := s.log.Head(), g.index.Stats()
	profiles, profileBytes := s.profiles.held()
	var spaces int64
	for _, x := range g.spaces() {
		spaces += x.bytes()
	}
	return Status{
		Items: s.CatalogItems(), Encoded: g.encoded.Load(), Head: head,
		Applied: record.Token{Epoch: head.Epoch, Seq: applied}, Generation: g.id,
		Encoder: g.encoder.Info().Model, Dim: g.dim(), Engine: stats.Engine, Profiles: int64(profiles),
		MemoryBytes: spaces + s.vectorBytes() +
			s.texts.Stats().Bytes + profileBytes,
		Events: s.events.Load(), DecisionsDropped: s.decisions.dropped.Load(), RankingsReused: s.reused.Load(),
		Permits: s.permits.Now(), UnderPermit: s.permits.UnderWay(),
		ProfileHits: s.profiles.hits.Load(), ProfileMisses: s.profiles.misses.Load(), Index: s.indexStatus(g), Encoding: s.encodingStatus(g),
		Models: s.modelsStatus(),
	}
}
