package embed

import "errors"

// ErrRefused: the encoder refuses a text for what it is, such as one that is too long to
// be taken. The others of the call may be encoded without it; the same text is refused
// again.
var ErrRefused = errors.New("embed: encoder refuses the text")

// Immediate is implemented by encoders that can say that they are immediate: a text costs
// microseconds, memory and processor alone, and nothing outside the process can make it
// late or fail. Whoever keeps a catalog may then encode an item at the moment it changes,
// and need not keep vectors, since they are made faster than they are read. All other
// encoders are slow: a transformer, a worker on another machine. Their texts wait in a
// queue, and their vectors are kept.
type Immediate interface {
	// Immediate does not change during the encoder's life.
	Immediate() bool
}

// IsImmediate reports whether an encoder says that it is immediate. One that says nothing
// is slow.
func IsImmediate(e Encoder) bool {
	i, ok := e.(Immediate)
	return ok && i.Immediate()
}

// Querier is implemented by encoders that encode what somebody searches for in another
// way than what is searched: before other texts, or with another prompt.
type Querier interface {
	// Queries returns an encoder of queries, of the same Info. It costs nothing to ask for.
	Queries() Encoder
}

// QueriesOf returns the encoder of queries beside an encoder of documents: the encoder
// itself, unless it is a [Querier].
func QueriesOf(e Encoder) Encoder {
	if q, ok := e.(Querier); ok {
		return q.Queries()
	}
	return e
}
