package shop

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/kindred-rec/kindred/ranker/filter"
	"github.com/kindred-rec/kindred/server/record"
)

// BulkQuery asks for one list for each of many.
type BulkQuery struct {
	Row      Row
	Exclude  []string
	Seed     uint64 // 0: each list has one that is drawn
	Explain  bool
	Subjects []Subject // or Segment
	Segment  *Segment
	Cursor   string
	Max      int // results; 0: no bound
}

// Segment chooses users by what they did; the zero value is all who have an entry.
type Segment struct {
	Since     time.Time // acted at or after it
	MinEvents int
	Items     []string // acted on one of them
	Filter    string   // acted on an item that it lets pass
}

// BulkResult is the list of one subject. Reply is nil for a mark of progress: nobody of
// those visited since the last one is in the segment.
type BulkResult struct {
	Subject Subject
	Reply   *Reply
	Cursor  string // goes on after it; empty: there is no more
	Visited int64
}

const (
	// bulkWaiting is how many bulk calls of a tenant may wait for the one that runs.
	bulkWaiting = 2
	// bulkPatience is how long each list waits, at most, for a moment without other
	// requests: a bulk call goes on slowly where there is none.
	bulkPatience = 50 * time.Millisecond
	bulkNap      = 500 * time.Microsecond
	// bulkProgress is how many visits there are, at most, between two results.
	bulkProgress = 1000
	// bulkUsers is how many ids of users are read at once.
	bulkUsers = 500
)

// Bulk makes lists one after the other, on one goroutine, and hands each to fn. It yields
// to every other request: before each list it waits for a moment without any, and while
// the decision log is half full; it takes no permit; and it leaves the profiles in memory
// alone. It returns where to go on; empty: there is no more. It ends with fn's error, or
// the context's. Errors: *InputError, ErrOverloaded.
func (s *Shop) Bulk(ctx context.Context, q *BulkQuery, fn func(BulkResult) error) (cursor string, err error) {
	release, err := s.enterBulk(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	b := &bulk{shop: s, q: q, fn: fn, key: q.key()}
	if b.after, err = b.readCursor(q.Cursor); err != nil {
		return "", err
	}
	if q.Segment == nil {
		err = b.subjects(ctx)
		return b.next, err
	}
	if q.Segment.Filter != "" {
		if b.passes, err = s.compiled(q.Segment.Filter); err != nil {
			return "", &InputError{Field: "segment.filter", Description: err.(*InputError).Description}
		}
	}
	for _, id := range q.Segment.Items {
		if n, ok := s.log.ItemNumber(id); ok {
			b.items = append(b.items, n)
		}
	}
	err = b.users(ctx)
	return b.next, err
}

// enterBulk waits until no other bulk call of the tenant runs.
func (s *Shop) enterBulk(ctx context.Context) (release func(), err error) {
	if s.bulkCalls.Add(1) > 1+bulkWaiting {
		s.bulkCalls.Add(-1)
		return nil, fmt.Errorf("%w: %d bulk calls of the tenant run or wait, the bound; retry when one has ended", ErrOverloaded, 1+bulkWaiting)
	}
	select {
	case s.bulkTurn <- struct{}{}:
		return func() { <-s.bulkTurn; s.bulkCalls.Add(-1) }, nil
	case <-ctx.Done():
		s.bulkCalls.Add(-1)
		return nil, ctx.Err()
	}
}

// bulk is one call under way.
type bulk struct {
	shop    *Shop
	q       *BulkQuery
	fn      func(BulkResult) error
	key     [8]byte // of whom the call is about: a cursor of another is refused
	after   string
	next    string // where to go on, once there are results enough
	passes  *filter.Filter
	items   []uint32
	results int
	visited int64
	quiet   int64 // visits since the last message
}

// key hashes whom a call is about.
func (q *BulkQuery) key() (key [8]byte) {
	h := sha256.New()
	write := func(s string) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	for _, who := range q.Subjects {
		write(who.User)
		write(who.Session)
	}
	if g := q.Segment; g != nil {
		write(fmt.Sprint(g.Since.UnixNano(), g.MinEvents))
		write(g.Filter)
		for _, id := range g.Items {
			write(id)
		}
	}
	copy(key[:], h.Sum(nil))
	return key
}

func (b *bulk) cursor(after string) string {
	return encoding.EncodeToString(append(b.key[:], after...))
}

func (b *bulk) readCursor(text string) (after string, err error) {
	if text == "" {
		return "", nil
	}
	raw, err := encoding.DecodeString(text)
	if err != nil || len(raw) <= len(b.key) || string(raw[:len(b.key)]) != string(b.key[:]) {
		return "", &InputError{Field: "cursor", Description: fmt.Sprintf(
			"%.40q is not of this request: give the cursor of a message of an earlier call for the same subjects or segment", text)}
	}
	return string(raw[len(b.key):]), nil
}

// subjects goes through a list. A cursor holds the place of the next one.
func (b *bulk) subjects(ctx context.Context) error {
	from := 0
	if b.after != "" {
		if len(b.after) != 4 {
			return &InputError{Field: "cursor", Description: "is not of this request: give the cursor of an earlier call's message as it came"}
		}
		from = int(binary.BigEndian.Uint32([]byte(b.after)))
	}
	for i := from; i < len(b.q.Subjects); i++ {
		next := ""
		if i+1 < len(b.q.Subjects) {
			next = b.cursor(string(binary.BigEndian.AppendUint32(nil, uint32(i+1))))
		}
		more, err := b.one(ctx, b.q.Subjects[i], next)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// users goes through all users by their ids. A cursor holds the id of the last one.
func (b *bulk) users(ctx context.Context) error {
	for after := b.after; ; {
		ids, next, err := b.shop.log.UserIDs(after, bulkUsers)
		if err != nil {
			return err
		}
		for i, id := range ids {
			cursor := ""
			if i+1 < len(ids) || next != "" {
				cursor = b.cursor(id)
			}
			more, err := b.one(ctx, Subject{User: id}, cursor)
			if err != nil || !more {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// one visits a subject and reports whether there may be more.
func (b *bulk) one(ctx context.Context, who Subject, cursor string) (more bool, err error) {
	if err := b.shop.yield(ctx); err != nil {
		return false, err
	}
	b.visited++
	c := b.shop.openIdle(who, seedFor(b.q.Seed, who))
	defer c.close()
	if b.q.Segment != nil && !b.in(&c.person) {
		if b.quiet++; b.quiet < bulkProgress || cursor == "" {
			return true, nil
		}
		b.quiet = 0
		return true, b.fn(BulkResult{Cursor: cursor, Visited: b.visited})
	}
	reply, err := c.answerOne(&RecommendQuery{
		Subject: who, Rows: []Row{b.q.Row}, Exclude: b.q.Exclude, Seed: b.q.Seed, Explain: b.q.Explain, bulk: true,
	})
	if err != nil {
		return false, err
	}
	b.results++
	b.quiet = 0
	more = b.q.Max == 0 || b.results < b.q.Max
	if !more {
		b.next = cursor
	}
	return more, b.fn(BulkResult{Subject: who, Reply: reply, Cursor: cursor, Visited: b.visited})
}

// in reports whether a person is in the segment.
func (b *bulk) in(p *person) bool {
	g := b.q.Segment
	if len(p.touches) < g.MinEvents {
		return false
	}
	if !g.Since.IsZero() && !slices.ContainsFunc(p.touches, func(t touch) bool { return t.at >= g.Since.UnixMicro() }) {
		return false
	}
	if len(g.Items) > 0 && !slices.ContainsFunc(p.touches, func(t touch) bool { return slices.Contains(b.items, t.item) }) {
		return false
	}
	return b.passes == nil || slices.ContainsFunc(p.touches, func(t touch) bool { return b.passes.Match(b.shop.table.Row(t.item)) })
}

// yield waits for a moment without other requests, and for room in the decision log.
func (s *Shop) yield(ctx context.Context) error {
	for waited := time.Duration(0); ; waited += bulkNap {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.life.Err() != nil {
			return fmt.Errorf("%w: the service stops; go on from the last cursor", record.ErrClosed)
		}
		full := len(s.decisions.queue) > cap(s.decisions.queue)/2
		if !full && (s.underWay.Load() == 0 || waited >= bulkPatience) {
			return nil
		}
		time.Sleep(bulkNap)
	}
}

// seedFor makes a subject's own seed; 0 stays 0.
func seedFor(seed uint64, who Subject) uint64 {
	if seed == 0 {
		return 0
	}
	b := binary.BigEndian.AppendUint64(nil, seed)
	b = binary.BigEndian.AppendUint32(b, uint32(len(who.User)))
	sum := sha256.Sum256(append(append(b, who.User...), who.Session...))
	return max(1, binary.BigEndian.Uint64(sum[:]))
}
