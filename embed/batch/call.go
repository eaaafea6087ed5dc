package batch

import (
	"sync"
	"time"
)

// call is what one caller wants. Its fields belong to the queue's lock, but for out
// and closed.
type call struct {
	lane Lane
	dim  int

	texts []string // read under the queue's lock, and only while !gone
	next  int      // texts before it were taken

	// reserved is what the call holds of its lane's bounds from admission to its end.
	// A call larger than a piece has no more texts under way at once than that.
	reserved struct{ texts, bytes int }
	underWay struct{ texts, bytes int } // taken and not finished
	left     int                        // texts without a vector
	untaken  int                        // tokens estimated of the texts that were not taken

	gone bool // answered: nothing of it need be computed any more
	err  error
	done chan struct{} // closed when the call is answered by the batcher

	arrived time.Time
	begun   time.Time // when the first batch with one of its texts began; zero: none yet
	receipt Receipt

	mu     sync.Mutex // guards out against the caller's return
	out    []float32
	closed bool // the caller has returned, or is about to
}

// deliver copies vectors, [len(rows), dim], to the rows of the caller's output, unless it
// has returned.
func (c *call) deliver(texts []*text, vectors []float32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	for i, t := range texts {
		copy(c.out[t.row*c.dim:(t.row+1)*c.dim], vectors[i*c.dim:(i+1)*c.dim])
	}
}

// close lets nothing write to the caller's output any more.
func (c *call) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
}

// text is one text under way. It is used again after it is finished.
type text struct {
	call      *call
	row       int // of call.texts
	value     string
	bytes     int // as accounted
	tokens    int // estimated when taken; known after a staged encoder tokenized
	bucket    int // of its length
	ids       []int32
	truncated bool
}

// Receipt says what became of one call.
type Receipt struct {
	// Queue is the time from the call's arrival to the first batch with one of its
	// texts, tokenization included; Run is the rest.
	Queue, Run time.Duration
	// Tokenize is the time spent on tokenizing its texts, summed over cores.
	Tokenize time.Duration
	// Tokens of its texts; estimated for a plain encoder.
	Tokens int
	// Truncated counts texts whose end the model does not read.
	Truncated int
}
