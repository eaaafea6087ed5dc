package remote

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/remote/internal/wire"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Encode encodes documents, as [embed.Encoder] says. Texts beyond one request's limits go
// in several, at most Config.Parallel at once, each to the worker with the least to do.
// Beside the errors that package embed names there are [ErrModelMismatch],
// [ErrUnauthorized], [ErrRefused], [ErrProtocol] and [ErrWorker].
func (c *Client) Encode(ctx context.Context, texts []string, out []float32) error {
	return c.encode(ctx, kindredv1.EmbedKind_EMBED_KIND_DOCUMENT, texts, out)
}

func (c *Client) encode(ctx context.Context, kind kindredv1.EmbedKind, texts []string, out []float32) error {
	if err := c.info.CheckShape(len(texts), len(out)); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("remote: %w", err)
	}
	part, rest := c.cut(texts)
	if len(rest) == 0 {
		if len(part) == 0 {
			return nil
		}
		return c.send(ctx, kind, part, out)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(c.config.Parallel)
	for len(part) > 0 && groupCtx.Err() == nil {
		request, to := part, out[:len(part)*c.info.Dim]
		out = out[len(to):]
		group.Go(func() error { return c.send(groupCtx, kind, request, to) })
		part, rest = c.cut(rest)
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil { // the loop may have ended by it
		return fmt.Errorf("remote: %w", err)
	}
	return nil
}

// cut takes one request's worth of texts, made sendable, from the front.
func (c *Client) cut(texts []string) (part, rest []string) {
	bytes, mostTexts, mostBytes := 0, int(c.maxTexts.Load()), int(c.maxBytes.Load())
	for i, text := range texts {
		text = sendable(text, c.info.MaxBytes)
		if bytes += len(text); i > 0 && (i == mostTexts || bytes > mostBytes) {
			return part, texts[i:]
		}
		if part == nil {
			part = make([]string, 0, min(len(texts), mostTexts))
		}
		part = append(part, text)
	}
	return part, nil
}

// lower makes later requests small enough for a worker with smaller limits.
func (c *Client) lower(l *limits) {
	for _, bound := range []struct {
		now  *atomic.Int64
		then int
	}{{&c.maxTexts, l.texts}, {&c.maxBytes, l.bytes}} {
		for now := bound.now.Load(); now > int64(bound.then) && !bound.now.CompareAndSwap(now, int64(bound.then)); {
			now = bound.now.Load()
		}
	}
}

func size(texts []string) (bytes int) {
	for _, text := range texts {
		bytes += len(text)
	}
	return bytes
}

// send has one request answered, by one worker or another. Only tries that are safe and
// may help are made: the worker cannot be reached, or asks to come back.
func (c *Client) send(ctx context.Context, kind kindredv1.EmbedKind, texts []string, out []float32) error {
	req := &kindredv1.EmbedRequest{Texts: texts, Kind: kind}
	bytes := size(texts)
	tried := make(map[*worker]bool, len(c.workers)) // in this round
	var last failure
	for n := 1; ; n++ {
		w, wait := c.pick(tried)
		if w == nil && last.err == nil {
			return c.closedOff(wait)
		}
		if w == nil { // all were tried or are closed off: a new round after a pause
			clear(tried)
			hint, _ := wire.RetryHint(last.err)
			if !sleep(ctx, c.jitter.backoff(n-1, hint)) {
				return last.public(ctx)
			}
			if w, wait = c.pick(tried); w == nil {
				return fmt.Errorf("%w; next try in %v", last.public(ctx), wait.Round(time.Millisecond))
			}
		}
		if n > 1 {
			c.retries.Add(1)
		}
		err := c.try(ctx, w, req, bytes, out)
		if err == nil {
			return nil
		}
		tried[w], last = true, failure{w.addr, err}
		if ctx.Err() != nil || !retriable(err) || n >= c.config.Attempts {
			return last.public(ctx)
		}
	}
}

// failure is how a try ended.
type failure struct {
	addr string
	err  error
}

// public is the error for the caller: its context's if that is why.
func (f failure) public(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("remote: given up: %w", err)
	}
	deadline, ok := ctx.Deadline()
	if ok && status.Code(f.err) == codes.DeadlineExceeded && time.Until(deadline) < clockSkew {
		return fmt.Errorf("remote: given up: %w", context.DeadlineExceeded)
	}
	return errorOf(f.addr, f.err)
}

// clockSkew is by how much a worker may see a deadline pass before the caller's own timer.
const clockSkew = 50 * time.Millisecond

// try sends a request to one worker.
func (c *Client) try(ctx context.Context, w *worker, req *kindredv1.EmbedRequest, bytes int, out []float32) (err error) {
	n := int64(len(req.Texts))
	w.outstanding.Add(n)
	w.sent.Add(uint64(n))
	c.requests.Add(1)
	bounded, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer func() {
		cancel()
		w.outstanding.Add(-n)
		w.report(ctx, err)
	}()
	known, err := c.checked(bounded, w)
	if err != nil {
		return err
	}
	if c.lower(known); len(req.Texts) > known.texts || bytes > known.bytes {
		return fmt.Errorf("%w: %s takes requests of %d texts and %d bytes", errSmaller, w.addr, known.texts, known.bytes)
	}
	reply, err := w.service.Embed(bounded, req, known.callOptions()...)
	if err != nil {
		return err
	}
	return c.accept(w, reply, out)
}

// checked are the limits of a worker that serves the right model.
func (c *Client) checked(ctx context.Context, w *worker) (*limits, error) {
	known, err := w.ask(ctx)
	if err != nil {
		return nil, err
	}
	return known, c.same("the other workers", c.info, w.addr, known.info)
}

// accept checks a reply and copies its vectors.
func (c *Client) accept(w *worker, reply *kindredv1.EmbedResponse, out []float32) error {
	if reply.GetModel() != c.info.Model || int(reply.GetDimension()) != c.info.Dim {
		return fmt.Errorf("%w: %s answered with %q of dimension %d, expected is %q of dimension %d",
			ErrModelMismatch, w.addr, reply.GetModel(), reply.GetDimension(), c.info.Model, c.info.Dim)
	}
	if err := wire.UnpackVectors(reply.GetVectors(), out); err != nil {
		return fmt.Errorf("%s: %w", w.addr, err)
	}
	c.truncated.Add(uint64(max(reply.GetTruncated(), 0)))
	return nil
}

// pick chooses the worker with the fewest outstanding texts among those not tried that
// may be called. Nil: none is left, and wait is when the first may be called again.
func (c *Client) pick(tried map[*worker]bool) (chosen *worker, wait time.Duration) {
	now := time.Now()
	wait = longestBreakerPause
	refused := map[*worker]bool{}
	for {
		w := c.leastLoaded(tried, refused)
		if w == nil {
			return nil, wait
		}
		ok, after := w.breaker.allow(now)
		if ok {
			return w, 0
		}
		refused[w], wait = true, min(wait, after)
	}
}

func (c *Client) leastLoaded(tried, refused map[*worker]bool) *worker {
	var best *worker
	first := int(c.turn.Add(1) % uint64(len(c.workers)))
	for i := range c.workers {
		w := c.workers[(first+i)%len(c.workers)]
		if tried[w] || refused[w] {
			continue
		}
		if best == nil || w.outstanding.Load() < best.outstanding.Load() {
			best = w
		}
	}
	return best
}

// closedOff is the error when all workers are closed off by their breakers. It wraps what
// they failed with.
func (c *Client) closedOff(wait time.Duration) error {
	var causes []error
	for _, w := range c.workers {
		if _, _, cause := w.breaker.snapshot(); cause != nil {
			causes = append(causes, errorOf(w.addr, cause))
		}
	}
	return fmt.Errorf("%w: all %d workers are closed off after failures; next try in %v: %w",
		embed.ErrUnavailable, len(c.workers), wait.Round(time.Millisecond), errors.Join(causes...))
}
