package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

var (
	// ErrQueueFull is what Offer says when the queue has no room: the service is slower
	// than the events come, or away. The event was not taken.
	ErrQueueFull = errors.New("the queue of events is full")
	// ErrWriterClosed: the writer takes no events any more.
	ErrWriterClosed = errors.New("the writer of events is closed")
)

// WriterOptions say how a Writer works. The zero value is complete.
type WriterOptions struct {
	// Queue is how many events wait at most, those under way included. 0: 10,000.
	Queue int
	// Batch is how many go in one call at most, 1 to 1,000. 0: 500.
	Batch int
	// Linger is how long an event waits for company. 0: 20 ms.
	Linger time.Duration
	// GiveUp is how long a batch is tried before its events are lost. 0: 1 minute.
	GiveUp time.Duration
	// Lost is told of each event that was taken and will not be in the service: refused by
	// it as malformed (err is a *RowFault), or never answered (err is the last failure; the
	// event may have arrived all the same, its id tells). Called by the writer's one
	// goroutine, which waits for it: it must not call Add, Flush or Close. Nil: the first such error is what Flush and Close return.
	Lost func(e *kindredv1.Event, err error)
}

// RowFault is the service's refusal of one event. Writing it again as it is cannot work.
type RowFault struct{ *kindredv1.RowError }

func (f *RowFault) Error() string {
	return fmt.Sprintf("event %q, field %q: %s", f.GetId(), f.GetField(), f.GetDescription())
}

// Stats count what became of events since a writer was made. Added, Duplicates and Lost
// add up to Taken when nothing waits.
type Stats struct {
	Taken      int64 // by Add and Offer
	Added      int64 // new to the service
	Duplicates int64 // known to it, from an earlier try or sender
	Lost       int64 // told to WriterOptions.Lost
	Waiting    int   // in the queue or under way
}

// Writer writes events in the background: in the order they came, in batches, one call at
// a time. Ids and times are fixed when an event is taken, so that neither a pause nor a
// repeated call changes what is counted. Safe for concurrent use. What waits is in memory
// alone: a process that ends without Close loses it.
type Writer struct {
	client  *Client
	options WriterOptions
	room    chan struct{} // one place an event, from taking to its end
	queue   chan *kindredv1.Event
	flushes chan chan struct{}
	closing chan struct{} // closed by the first Close
	done    chan struct{} // closed when the goroutine has ended
	ctx     context.Context
	abandon context.CancelFunc

	taking sync.RWMutex // held while an event is taken; by Close to end that
	closed bool

	mu    sync.Mutex
	stats Stats
	fault error // first loss that nobody was told of
}

// NewWriter starts a writer, which Close ends. Errors wrap ErrOptions.
func (c *Client) NewWriter(o WriterOptions) (*Writer, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	ctx, abandon := context.WithCancel(context.Background())
	w := &Writer{
		client: c, options: o,
		room: make(chan struct{}, o.Queue), queue: make(chan *kindredv1.Event, o.Queue),
		flushes: make(chan chan struct{}), closing: make(chan struct{}), done: make(chan struct{}),
		ctx: ctx, abandon: abandon,
	}
	go w.run()
	return w, nil
}

func (o WriterOptions) withDefaults() WriterOptions {
	if o.Queue == 0 {
		o.Queue = 10_000
	}
	if o.Batch == 0 {
		o.Batch = 500
	}
	if o.Linger == 0 {
		o.Linger = 20 * time.Millisecond
	}
	if o.GiveUp == 0 {
		o.GiveUp = time.Minute
	}
	return o
}

func (o WriterOptions) check() error {
	switch {
	case o.Queue < 1 || o.Queue > 1<<24:
		return fmt.Errorf("%w: Queue is %d; it is 1 to 16,777,216", ErrOptions, o.Queue)
	case o.Batch < 1 || o.Batch > 1000:
		return fmt.Errorf("%w: Batch is %d; it is 1 to 1,000, the most that a call may have", ErrOptions, o.Batch)
	case o.Linger < 0 || o.GiveUp < 0:
		return fmt.Errorf("%w: Linger is %v and GiveUp %v; neither is below 0", ErrOptions, o.Linger, o.GiveUp)
	}
	return nil
}

// Offer takes an event at once, or not at all: ErrQueueFull, ErrWriterClosed. For request
// paths. The event belongs to the writer from then on.
func (w *Writer) Offer(e *kindredv1.Event) error {
	w.taking.RLock()
	defer w.taking.RUnlock()
	if w.closed {
		return ErrWriterClosed
	}
	select {
	case w.room <- struct{}{}:
		w.take(e)
		return nil
	default:
		return ErrQueueFull
	}
}

// Add takes an event as soon as there is room: it is how pipelines are slowed down.
// Errors: ErrWriterClosed, or the context's. The event belongs to the writer from then on.
func (w *Writer) Add(ctx context.Context, e *kindredv1.Event) error {
	select {
	case w.room <- struct{}{}:
	case <-w.closing:
		return ErrWriterClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	w.taking.RLock()
	defer w.taking.RUnlock()
	if w.closed {
		<-w.room
		return ErrWriterClosed
	}
	w.take(e)
	return nil
}

// take queues an event that has a place; there is room for all that have.
func (w *Writer) take(e *kindredv1.Event) {
	identify(e)
	if e.Time == nil {
		e.Time = timestamppb.Now()
	}
	w.mu.Lock()
	w.stats.Taken++
	w.stats.Waiting++
	w.mu.Unlock()
	w.queue <- e
}

// Flush waits until all that was taken before the call has ended, well or not. It returns
// the first loss that WriterOptions.Lost was not there to hear of, once, or the context's error.
func (w *Writer) Flush(ctx context.Context) error {
	flushed := make(chan struct{})
	select {
	case w.flushes <- flushed:
	case <-w.done:
		return w.takeFault()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-flushed:
		return w.takeFault()
	case <-w.done:
		return w.takeFault()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close takes no more events, sends those that wait, and ends the writer. When ctx ends
// first the rest is lost, and told so. It returns what Flush does. Later calls wait too.
func (w *Writer) Close(ctx context.Context) error {
	w.taking.Lock()
	if !w.closed {
		w.closed = true
		close(w.closing)
		close(w.queue)
	}
	w.taking.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
		w.abandon()
		<-w.done
	}
	return w.takeFault()
}

// Stats returns the counts so far.
func (w *Writer) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats
}

func (w *Writer) takeFault() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.fault
	w.fault = nil
	return err
}
