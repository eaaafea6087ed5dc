package histories

import (
	"slices"

	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/remote/internal/wire"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// request is one that is being made.
type request struct {
	session *Session
	left    []float32 // where the vectors of users go that were not sent

	message *kindredv1.EmbedHistoriesRequest
	types   map[string]uint32
	events  int
	bytes   int // on the wire, at most
}

// Bounds of what parts of a request take on the wire.
const (
	requestBytes = 64             // one without anything
	historyBytes = 32             // one without events
	eventBytes   = 5 + 5 + 4 + 10 // row, type, weight, time
	nameBytes    = 6              // of a name, beside it
)

func (s *Session) newRequest(out []float32) *request {
	r := &request{session: s, left: out}
	r.reset()
	return r
}

func (r *request) reset() {
	r.message, r.types, r.events, r.bytes = &kindredv1.EmbedHistoriesRequest{}, map[string]uint32{}, 0, requestBytes
}

func (r *request) empty() bool { return len(r.message.Histories) == 0 && len(r.message.Items) == 0 }

// introduce adds an item for the table.
func (r *request) introduce(e *learned.Event, bytes int) {
	m, dim := r.message, r.session.textDim
	m.Items = append(m.Items, e.Item)
	switch {
	case dim == 0:
	case len(e.Text) == 0:
		m.Texts = append(m.Texts, make([]byte, dim*wire.Float32Bytes)...)
	default:
		m.Texts = append(m.Texts, wire.PackVectors(e.Text)...)
	}
	r.bytes += bytes
}

// fits reports whether there is room for one more user.
func (r *request) fits(events []learned.Event) bool {
	l, bytes := r.session.limits, r.bytes+historyBytes+len(events)*eventBytes
	var names []string // that the request does not have yet
	for i := range events {
		name := events[i].Type
		if _, ok := r.types[name]; !ok && !slices.Contains(names, name) {
			names = append(names, name)
			bytes += len(name) + nameBytes
		}
	}
	return len(r.message.Histories) < r.session.mostUsers && r.events+len(events) <= int(l.MaxRequestEvents) &&
		bytes <= int(l.MaxRequestBytes) && len(r.types)+len(names) <= int(l.MaxTypes)
}

// add adds a user whose items the table holds.
func (r *request) add(events []learned.Event) {
	n := len(events)
	h := &kindredv1.History{Items: make([]uint32, n), Types: make([]uint32, n), Weights: make([]float32, n)}
	times := make([]int64, n)
	timed := false
	for i := range events {
		e := &events[i]
		h.Items[i], h.Types[i], h.Weights[i], times[i] = r.session.rows[r.session.keyOf(e)], r.typeOf(e.Type), e.Weight, e.Time
		timed = timed || e.Time != 0
	}
	if timed {
		h.Times = times
	}
	r.message.Histories = append(r.message.Histories, h)
	r.events += n
	r.bytes += historyBytes + n*eventBytes
}

func (r *request) typeOf(name string) uint32 {
	row, ok := r.types[name]
	if !ok {
		row = uint32(len(r.types))
		r.types[name] = row
		r.message.Types = append(r.message.Types, name)
		r.bytes += len(name) + nameBytes
	}
	return row
}

// take returns the request and where its vectors go, and makes it empty.
func (r *request) take(dim int) (*kindredv1.EmbedHistoriesRequest, []float32) {
	message, n := r.message, len(r.message.Histories)*dim
	to := r.left[:n]
	r.left = r.left[n:]
	r.reset()
	return message, to
}
