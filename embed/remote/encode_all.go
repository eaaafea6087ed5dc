package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/embed/remote/internal/wire"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// EncodeAll encodes as many texts as there are, such as a whole catalog, and yields a
// vector for each, in their order. Texts go in chunks over one stream to each worker, so
// that all workers are busy; at most twice what the workers have under way is in memory.
// What a worker had not answered when it was lost goes to another, or to the same one when
// it is back; nothing is yielded twice or left out.
//
// A vector is valid until the next step. An error is yielded once, last. It wraps what
// [Client.Encode] says; lost workers are one only after no worker answered for
// Config.Patience. Texts are pulled on another goroutine, ahead of the vectors, and a
// pull must not block for ever: leaving the loop early waits for it. A chunk is sent when
// it is full or the texts end.
func (c *Client) EncodeAll(ctx context.Context, texts iter.Seq[string]) iter.Seq2[[]float32, error] {
	return func(yield func([]float32, error) bool) {
		f := c.newFlow(ctx)
		defer f.stop()
		f.tasks.Go(func() { f.cut(texts) })
		for _, w := range c.workers {
			f.tasks.Go(func() { f.serve(w) })
		}
		for next := range f.order {
			select {
			case <-next.done:
			case <-f.ctx.Done():
				yield(nil, f.failure(ctx))
				return
			}
			for i := range next.texts {
				if !yield(next.vectors[i*c.info.Dim:(i+1)*c.info.Dim], nil) {
					return
				}
			}
		}
		if f.ctx.Err() != nil {
			yield(nil, f.failure(ctx))
			return
		}
		close(f.finished)
		f.tasks.Wait()
	}
}

// streamTexts is how many texts one request of a stream has, at most: the worker's
// batcher puts several together.
const streamTexts = 256

// chunk is one request's worth of texts and what came of them.
type chunk struct {
	texts   []string
	vectors []float32
	again   bool          // sent before
	done    chan struct{} // closed when the vectors are there
}

// flow is one call of EncodeAll. A chunk is in order until the caller's loop reaches it,
// and at the same time in todo or on one worker's stream until it is done.
type flow struct {
	client   *Client
	ctx      context.Context
	cancel   context.CancelCauseFunc
	order    chan *chunk
	todo     chan *chunk   // holds all chunks there can be, so that none blocks on its way back
	finished chan struct{} // closed when all vectors were yielded
	tasks    sync.WaitGroup

	mu    sync.Mutex
	since time.Time // no worker answered since this failure; zero: the last one did
}

func (c *Client) newFlow(ctx context.Context) *flow {
	f := &flow{client: c, finished: make(chan struct{})}
	window := 2 * c.window * len(c.workers)
	f.order, f.todo = make(chan *chunk, window), make(chan *chunk, window+2)
	f.ctx, f.cancel = context.WithCancelCause(ctx)
	return f
}

func (f *flow) stop() {
	f.cancel(nil)
	f.tasks.Wait()
}

// failure is why a flow ended early.
func (f *flow) failure(caller context.Context) error {
	if err := caller.Err(); err != nil {
		return fmt.Errorf("remote: given up: %w", err)
	}
	return context.Cause(f.ctx)
}

// cut makes chunks of the texts, as fast as they are taken.
func (f *flow) cut(texts iter.Seq[string]) {
	defer close(f.order)
	var next *chunk
	bytes := 0
	for text := range texts {
		text = sendable(text, f.client.info.MaxBytes)
		full := next != nil && (len(next.texts) >= min(streamTexts, int(f.client.maxTexts.Load())) ||
			bytes+len(text) > int(f.client.maxBytes.Load()))
		if full {
			if !f.put(next) {
				return
			}
			next, bytes = nil, 0
		}
		if next == nil {
			next = &chunk{done: make(chan struct{})}
		}
		next.texts = append(next.texts, text)
		bytes += len(text)
	}
	if next != nil {
		f.put(next)
	}
}

func (f *flow) put(next *chunk) bool {
	next.vectors = make([]float32, len(next.texts)*f.client.info.Dim)
	select {
	case f.order <- next:
		f.todo <- next
		return true
	case <-f.ctx.Done():
		return false
	}
}

// serve keeps one worker busy until the flow is over.
func (f *flow) serve(w *worker) {
	for lost := 1; ; lost++ {
		var first *chunk
		select {
		case first = <-f.todo:
		case <-f.finished:
			return
		case <-f.ctx.Done():
			return
		}
		ok, wait := w.breaker.allow(time.Now())
		if !ok {
			f.todo <- first // for another worker
			if f.outOfPatience() {
				f.cancel(f.client.closedOff(wait))
				return
			}
			if !f.sleep(f.client.jitter.spread(min(wait, time.Second))) {
				return
			}
			continue
		}
		s := &sender{flow: f, worker: w}
		err := s.run(first)
		w.report(f.ctx, err)
		if f.ctx.Err() != nil || err == nil {
			return
		}
		if s.answered {
			lost = 1
		}
		if !retriable(err) || f.outOfPatience() {
			f.cancel(errorOf(w.addr, err))
			return
		}
		hint, _ := wire.RetryHint(err)
		if !f.sleep(f.client.jitter.backoff(lost, hint)) {
			return
		}
	}
}

// sleep waits unless the flow is over before.
func (f *flow) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-f.finished:
	case <-f.ctx.Done():
	}
	return false
}

// outOfPatience notes a failure and reports whether there was nothing else for too long.
func (f *flow) outOfPatience() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.since.IsZero() {
		f.since = time.Now()
	}
	return time.Since(f.since) > f.client.config.Patience
}

func (f *flow) progress() {
	f.mu.Lock()
	f.since = time.Time{}
	f.mu.Unlock()
}

// sender is one stream to one worker.
type sender struct {
	*flow
	worker   *worker
	stream   kindredv1.EmbeddingService_EmbedStreamClient
	sent     []*chunk // not answered, in order
	id       int64    // of the last sent
	answered bool     // once at least
}

var errSilent = errors.New("no answer within the time for one request")

// run sends chunks and takes answers until the flow is over (nil) or the stream broke.
// What was not answered goes back.
func (s *sender) run(first *chunk) error {
	ctx, cancel := context.WithCancelCause(s.ctx)
	var receiver sync.WaitGroup
	defer receiver.Wait()
	defer cancel(nil)
	defer s.giveBack()
	s.sent = append(s.sent, first) // so that it is given back whatever happens
	s.worker.outstanding.Add(int64(len(first.texts)))
	watchdog := time.AfterFunc(s.client.config.Timeout, func() { cancel(errSilent) })
	defer watchdog.Stop()
	known, err := s.client.checked(ctx, s.worker)
	if err == nil {
		s.client.lower(known)
		s.stream, err = s.worker.service.EmbedStream(ctx, known.callOptions()...)
	}
	if err != nil {
		return silence(ctx, err)
	}
	replies, broken := make(chan *kindredv1.EmbedStreamResponse), make(chan error, 1)
	receiver.Go(func() { s.receive(ctx, replies, broken) })
	s.send(first)
	return silence(ctx, s.exchange(known.window, replies, broken, watchdog))
}

// exchange is the loop of a stream that works.
func (s *sender) exchange(window int, replies <-chan *kindredv1.EmbedStreamResponse, broken <-chan error, watchdog *time.Timer) error {
	for {
		todo := s.todo
		if len(s.sent) >= window {
			todo = nil
		}
		select {
		case next := <-todo:
			if len(s.sent) == 0 {
				watchdog.Reset(s.client.config.Timeout)
			}
			s.sent = append(s.sent, next)
			s.worker.outstanding.Add(int64(len(next.texts)))
			s.send(next)
		case reply := <-replies:
			if err := s.take(reply); err != nil {
				return err
			}
			if watchdog.Reset(s.client.config.Timeout); len(s.sent) == 0 {
				watchdog.Stop() // nothing is waited for
			}
		case err := <-broken:
			return err
		case <-s.finished:
			return s.goodbye(broken, watchdog)
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

// send sends a chunk. When that fails the stream is broken, and receive learns why.
func (s *sender) send(next *chunk) {
	s.id++
	s.client.requests.Add(1)
	s.worker.sent.Add(uint64(len(next.texts)))
	if next.again {
		s.client.retries.Add(1)
	}
	next.again = true
	_ = s.stream.Send(&kindredv1.EmbedStreamRequest{Id: s.id, Request: &kindredv1.EmbedRequest{
		Texts: next.texts, Kind: kindredv1.EmbedKind_EMBED_KIND_DOCUMENT,
	}})
}

// goodbye ends a stream on which nothing is under way, and gives the worker a moment to do
// so too, so that it does not count as broken there.
func (s *sender) goodbye(broken <-chan error, watchdog *time.Timer) error {
	watchdog.Reset(min(s.client.config.Timeout, time.Second))
	if s.stream.CloseSend() == nil {
		<-broken
	}
	return nil
}

// take matches a reply with the oldest chunk that was sent.
func (s *sender) take(reply *kindredv1.EmbedStreamResponse) error {
	expected := s.id - int64(len(s.sent)) + 1
	if len(s.sent) == 0 || reply.GetId() != expected {
		return fmt.Errorf("%w: %s answered request %d, expected is %d of %d under way",
			ErrProtocol, s.worker.addr, reply.GetId(), expected, len(s.sent))
	}
	done := s.sent[0]
	if err := s.client.accept(s.worker, reply.GetResponse(), done.vectors); err != nil {
		return err
	}
	s.sent = s.sent[1:]
	s.worker.outstanding.Add(-int64(len(done.texts)))
	close(done.done)
	s.answered = true
	s.progress()
	s.worker.breaker.success()
	return nil
}

// receive hands on replies; the error that ends a stream comes last.
func (s *sender) receive(ctx context.Context, replies chan<- *kindredv1.EmbedStreamResponse, broken chan<- error) {
	for {
		reply, err := s.stream.Recv()
		if errors.Is(err, io.EOF) {
			err = status.Error(codes.Unavailable, "the worker ended the stream")
		}
		if err != nil {
			broken <- err
			return
		}
		select {
		case replies <- reply:
		case <-ctx.Done():
			broken <- ctx.Err()
			return
		}
	}
}

// giveBack returns what was not answered, for any worker.
func (s *sender) giveBack() {
	for _, c := range s.sent {
		s.worker.outstanding.Add(-int64(len(c.texts)))
		s.todo <- c
	}
	s.sent = nil
}
