package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/loadtest/internal/retry"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// EventsPlan measures how many events a second the server makes durable. It is a closed loop: each writer sends a batch,
// waits until it was acknowledged, and sends the next. More writers share more syncs.
type EventsPlan struct {
	// Duration is how long, above 0; WarmUp, at least 0, goes before.
	Duration, WarmUp time.Duration
	// Writers is how many batches are under way, 1 to 10,000; Batch how many events each holds, 1 to 1,000.
	Writers, Batch int
	// Stream sends over StreamEvents instead of WriteEvents.
	Stream bool
	// Seed makes users and items the same again.
	Seed uint64
}

func (p EventsPlan) validate() error {
	if p.Duration <= 0 || p.WarmUp < 0 {
		return fmt.Errorf("load: events for %v after %v: must be above 0 and at least 0", p.Duration, p.WarmUp)
	}
	if p.Writers < 1 || p.Writers > 10_000 || p.Batch < 1 || p.Batch > 1000 {
		return fmt.Errorf("load: %d writers with batches of %d: must be 1 to 10,000, and 1 to 1,000", p.Writers, p.Batch)
	}
	return nil
}

// Events is the outcome.
type Events struct {
	// PerSecond counts events that the server said it added, a second.
	PerSecond float64 `json:"events_per_s"`
	Added     int64   `json:"events_added"`
	Batches   int64   `json:"event_batches"`
	// BatchP50 and BatchP99 are from sending a batch to its acknowledgement.
	BatchP50 float64 `json:"batch_p50_ms"`
	BatchP99 float64 `json:"batch_p99_ms"`
	// Refused counts batches that the server had no room for; each was sent again after the time that it named.
	Refused  int64 `json:"batches_refused"`
	Rejected int64 `json:"events_rejected"` // row errors
	Writers  int   `json:"event_writers"`
	Batch    int   `json:"event_batch"`
	Stream   bool  `json:"event_stream"`
	// SyncP50 is the median time of one write and sync of 4 KiB in the folder that the caller named: what one group commit
	// costs at least. Holds only if that folder is on the disk of the server. 0: not measured.
	SyncP50 float64 `json:"sync_p50_ms"`
}

// Events runs the plan.
func (c *Client) Events(ctx context.Context, plan EventsPlan, traffic Traffic, progress func(float64)) (*Events, error) {
	if err := plan.validate(); err != nil {
		return nil, err
	}
	if len(traffic.Items) == 0 {
		return nil, fmt.Errorf("load: the server's catalog is empty; import one, as with: go run ./server import --format amazon --data DIR --addr ADDR")
	}
	if err := traffic.Users.validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(c.authorize(ctx))
	defer cancel(nil)
	start := time.Now()
	writers := make([]*writer, plan.Writers)
	var wait sync.WaitGroup
	for i := range writers {
		writers[i] = newWriter(c, i, plan, traffic, start)
		wait.Go(func() {
			if err := writers[i].run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	tick(ctx, start, plan.WarmUp+plan.Duration, progress)
	wait.Wait()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("load: events: %w", context.Cause(ctx))
	}
	return sumWriters(plan, writers), nil
}

// tick tells the share of the time that passed, until it is over.
func tick(ctx context.Context, start time.Time, total time.Duration, progress func(float64)) {
	if progress == nil {
		return
	}
	every := time.NewTicker(200 * time.Millisecond)
	defer every.Stop()
	for time.Since(start) < total {
		select {
		case <-every.C:
			progress(min(1, time.Since(start).Seconds()/total.Seconds()))
		case <-ctx.Done():
			return
		}
	}
}

func sumWriters(plan EventsPlan, writers []*writer) *Events {
	e := &Events{Writers: plan.Writers, Batch: plan.Batch, Stream: plan.Stream}
	latency := newHistogram()
	end := plan.WarmUp + plan.Duration
	for _, w := range writers {
		latency.Merge(w.latency)
		e.Added += w.added
		e.Refused += w.refused
		e.Rejected += w.rejected
		end = max(end, w.end)
	}
	e.Batches = latency.TotalCount()
	e.BatchP50, e.BatchP99 = millis(quantile(latency, 50)), millis(quantile(latency, 99))
	e.PerSecond = float64(e.Added) / (end - plan.WarmUp).Seconds()
	return e
}

// writer is one closed loop. Its batch is made once and changed in place.
type writer struct {
	plan    EventsPlan
	traffic Traffic
	random  *rand.Rand
	zipf    *rand.Zipf
	unique  string
	sent    uint64
	batch   []*kindredv1.Event
	start   time.Time
	open    func(context.Context) (send, error)

	latency                  *hdrhistogram.Histogram
	added, refused, rejected int64
	end                      time.Duration // last acknowledgement, since the start
}

// send writes a batch. again is above 0 if the server had no room.
type send func([]*kindredv1.Event) (added int64, rowErrors int, again time.Duration, err error)

// eventTypes is what a writer's events are, in turn: mostly views, few purchases.
var eventTypes = []kindredv1.EventType{
	kindredv1.EventType_EVENT_TYPE_VIEW, kindredv1.EventType_EVENT_TYPE_VIEW, kindredv1.EventType_EVENT_TYPE_CLICK,
	kindredv1.EventType_EVENT_TYPE_VIEW, kindredv1.EventType_EVENT_TYPE_ADD_TO_CART, kindredv1.EventType_EVENT_TYPE_VIEW,
	kindredv1.EventType_EVENT_TYPE_CLICK, kindredv1.EventType_EVENT_TYPE_PURCHASE,
}

func newWriter(c *Client, number int, plan EventsPlan, traffic Traffic, start time.Time) *writer {
	random := rand.New(rand.NewPCG(plan.Seed, uint64(number)))
	w := &writer{plan: plan, traffic: traffic, random: random, start: start, latency: newHistogram(),
		zipf:   rand.NewZipf(random, traffic.Users.Exponent, 1, uint64(traffic.Users.size()-1)),
		unique: "load-" + strconv.FormatInt(start.UnixNano(), 36) + "-" + strconv.Itoa(number) + "-",
		batch:  make([]*kindredv1.Event, plan.Batch)}
	for i := range w.batch {
		w.batch[i] = &kindredv1.Event{Type: eventTypes[i%len(eventTypes)]}
	}
	w.open = c.unarySend(number)
	if plan.Stream {
		w.open = c.streamSend(number)
	}
	return w
}

func (w *writer) run(ctx context.Context) error {
	write, err := w.open(ctx)
	if err != nil {
		return err
	}
	total := w.plan.WarmUp + w.plan.Duration
	for began := time.Since(w.start); began < total && ctx.Err() == nil; began = time.Since(w.start) {
		w.fill()
		if err := w.commit(ctx, write, began); err != nil {
			return err
		}
	}
	return nil
}

// fill makes the batch new.
func (w *writer) fill() {
	for _, e := range w.batch {
		w.sent++
		e.Id = w.unique + strconv.FormatUint(w.sent, 36)
		e.UserId = w.traffic.Users.id(uint32(w.zipf.Uint64()))
		e.ItemId = w.traffic.Items[w.random.IntN(len(w.traffic.Items))].ID
	}
}

// commit sends the batch until the server has taken it.
func (w *writer) commit(ctx context.Context, write send, began time.Duration) error {
	for {
		added, rows, again, err := write(w.batch)
		if err != nil {
			return err
		}
		w.end = time.Since(w.start)
		measured := began >= w.plan.WarmUp
		if again == 0 {
			if measured {
				record(w.latency, w.end-began)
				w.added += added
				w.rejected += int64(rows)
			}
			return nil
		}
		if measured {
			w.refused++
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *Client) unarySend(number int) func(context.Context) (send, error) {
	conn := c.conns[number%len(c.conns)]
	return func(ctx context.Context) (send, error) {
		request, answer := &kindredv1.WriteEventsRequest{}, &reply{layout: layouts[KindEvent]}
		return func(batch []*kindredv1.Event) (int64, int, time.Duration, error) {
			ctx, cancel := context.WithTimeout(ctx, c.target.Timeout)
			defer cancel()
			request.Events = batch
			err := conn.Invoke(ctx, kindredv1.EventService_WriteEvents_FullMethodName, request, answer)
			if again := retryAfter(err); again > 0 {
				return 0, 0, again, nil
			}
			return answer.added, answer.rowErrors, 0, err
		}, nil
	}
}

func (c *Client) streamSend(number int) func(context.Context) (send, error) {
	client := kindredv1.NewEventServiceClient(c.conns[number%len(c.conns)])
	return func(ctx context.Context) (send, error) {
		stream, err := client.StreamEvents(ctx)
		if err != nil {
			return nil, err
		}
		request := &kindredv1.StreamEventsRequest{}
		return func(batch []*kindredv1.Event) (int64, int, time.Duration, error) {
			request.Events = batch
			if err := stream.Send(request); err != nil {
				_, err = stream.Recv() // the stream's own error says why
				return 0, 0, 0, err
			}
			answer, err := stream.Recv()
			if err != nil {
				return 0, 0, 0, err
			}
			return answer.Added, len(answer.Errors), time.Duration(answer.RetryAfterMs) * time.Millisecond, nil
		}, nil
	}
}

// retryAfter is how long a server that had no room asks to wait; 0: the error is another, or none.
func retryAfter(err error) time.Duration {
	if status.Code(err) != codes.ResourceExhausted {
		return 0
	}
	return max(0, retry.Hint(err))
}
