package faults

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// ledger is what the client knows of the events that it sent. Safe for concurrent use.
type ledger struct {
	mu    sync.Mutex
	rng   *rand.Rand
	next  int
	acked map[string]bool // all that were sent, by id; true: acknowledged
	open  map[int][]*kindredv1.Event
	rows  []string // faults of rows in replies: none is expected
}

func newLedger(seed uint64) *ledger {
	return &ledger{rng: rand.New(rand.NewPCG(seed, 3)), acked: map[string]bool{}, open: map[int][]*kindredv1.Event{}}
}

// batchEvents is how many events a batch of the traffic has.
const batchEvents = 5

// batch makes events that nobody has sent, and notes them as open under a number.
func (l *ledger) batch(n int) (number int, events []*kindredv1.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	number = l.next
	at := time.Now().Add(-time.Minute) // fixed here: sent again, it is the same event
	for i := range n {
		u := l.rng.IntN(users)
		events = append(events, &kindredv1.Event{
			Id: fmt.Sprintf("e-%d", l.next), UserId: userID(u), ItemId: itemID((u*7 + l.rng.IntN(12)) % items),
			Type: kindredv1.EventType_EVENT_TYPE_CLICK, Time: timestamppb.New(at.Add(time.Duration(i) * time.Millisecond)),
		})
		l.acked[events[i].Id] = false
		l.next++
	}
	l.open[number] = events
	return number, events
}

// close notes an acknowledgement.
func (l *ledger) close(number int, reply *kindredv1.WriteEventsResponse) {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := l.open[number]
	delete(l.open, number)
	if n := reply.Added + reply.Duplicates; n != int64(len(events)) || len(reply.Errors) > 0 {
		l.rows = append(l.rows, fmt.Sprintf("%d events are answered with %d added, %d duplicates and %v", len(events), reply.Added, reply.Duplicates, reply.Errors))
		return
	}
	for _, e := range events {
		l.acked[e.Id] = true
	}
}

// left are the batches without an answer, joined to batches of a thousand.
func (l *ledger) left() map[int][]*kindredv1.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	joined := map[int][]*kindredv1.Event{}
	into := -1
	for _, n := range slices.Sorted(maps.Keys(l.open)) {
		if into < 0 || len(joined[into])+len(l.open[n]) > maxBatch {
			into = n
		}
		joined[into] = append(joined[into], l.open[n]...)
	}
	l.open = maps.Clone(joined)
	return joined
}

// maxBatch is the most that one request may hold.
const maxBatch = 1000

// Data is what became of the events.
type Data struct {
	Sent         int `json:"sent"`
	Acknowledged int `json:"acknowledged"`
	Stored       int `json:"stored"`
	Missing      int `json:"missing"` // acknowledged and not in the log
	Doubled      int `json:"doubled"` // in the log more than once
	Unknown      int `json:"unknown"` // in the log and never sent
	// Retried are batches that had no answer and were sent again, with the same ids.
	Retried int `json:"retried_batches"`
	// Rows are replies that refused or lost rows of a good batch.
	Rows []string `json:"row_faults,omitempty"`
}

// check compares the log, given as how often each id is in it, with what was acknowledged.
func (l *ledger) check(stored map[string]int) Data {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := Data{Sent: len(l.acked), Rows: l.rows}
	for id, acked := range l.acked {
		if acked {
			d.Acknowledged++
			if stored[id] == 0 {
				d.Missing++
			}
		}
	}
	for id, n := range stored {
		d.Stored += n
		if n > 1 {
			d.Doubled++
		}
		if _, sent := l.acked[id]; !sent {
			d.Unknown++
		}
	}
	return d
}

func (d Data) intact() bool { return d.Missing+d.Doubled+d.Unknown+len(d.Rows) == 0 }

func (d Data) String() string {
	if d.intact() {
		return fmt.Sprintf("%d acknowledged, all there once", d.Acknowledged)
	}
	text := fmt.Sprintf("of %d acknowledged %d missing, %d doubled, %d never sent", d.Acknowledged, d.Missing, d.Doubled, d.Unknown)
	if len(d.Rows) > 0 {
		text += "; " + d.Rows[0]
	}
	return text
}

func writeOf(events []*kindredv1.Event) *kindredv1.WriteEventsRequest {
	return &kindredv1.WriteEventsRequest{Events: events}
}
