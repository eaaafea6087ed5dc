package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/embed"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Client encodes on workers. It is an [embed.Encoder] of documents; [Client.Queries] is
// one of queries. All methods are safe for concurrent use.
type Client struct {
	config  Config
	workers []*worker
	jitter  *jitter
	info    embed.Info
	backend string
	window  int           // requests of one stream under way
	turn    atomic.Uint64 // breaks ties between workers

	maxTexts, maxBytes           atomic.Int64 // of one request: the smallest of all workers
	requests, retries, truncated atomic.Uint64
}

var (
	_ embed.Encoder = (*Client)(nil)
	_ embed.Querier = (*Client)(nil)
)

// Dial connects to the workers and asks each what it serves. At least one must answer
// within the context or Config.Timeout, and all that answer must serve the same model in
// the same dimension, or the error wraps [ErrModelMismatch] and names them. A worker that
// does not answer yet is checked before it gets its first text. Other errors wrap
// [ErrConfig], [ErrUnauthorized], [embed.ErrUnavailable] or the context's.
func Dial(ctx context.Context, config Config) (*Client, error) {
	config, err := config.resolve()
	if err != nil {
		return nil, err
	}
	c := &Client{config: config, jitter: newJitter(config.Seed)}
	for _, addr := range config.Addrs {
		w, err := newWorker(addr, config, c.jitter)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.workers = append(c.workers, w)
	}
	if err := c.agree(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// agree asks all workers, and settles on their model.
func (c *Client) agree(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	answers, errs := make([]*limits, len(c.workers)), make([]error, len(c.workers))
	var asked sync.WaitGroup
	for i, w := range c.workers {
		asked.Go(func() {
			answers[i], errs[i] = w.ask(bounded)
			w.report(ctx, errs[i])
		})
	}
	asked.Wait()
	first := -1
	for i, answer := range answers {
		if answer == nil {
			continue
		}
		if first < 0 {
			first, c.info, c.backend, c.window = i, answer.info, answer.backend, answer.window
			c.maxTexts.Store(int64(answer.texts))
			c.maxBytes.Store(int64(answer.bytes))
		}
		if err := c.same(c.workers[first].addr, answers[first].info, c.workers[i].addr, answer.info); err != nil {
			return err
		}
		c.lower(answer)
	}
	if first >= 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("remote: no worker answered: %w", err)
	}
	for i, w := range c.workers {
		errs[i] = errorOf(w.addr, errs[i])
	}
	return fmt.Errorf("remote: no worker answered: %w", errors.Join(errs...))
}

// same is the error of two workers, or of one and the configuration, that differ.
func (c *Client) same(addrA string, a embed.Info, addrB string, b embed.Info) error {
	if c.config.Model != "" && b.Model != c.config.Model {
		return fmt.Errorf("%w: %s serves %q, expected is %q", ErrModelMismatch, addrB, b.Model, c.config.Model)
	}
	if a != b {
		return fmt.Errorf("%w: %s serves %q of dimension %d, %s serves %q of dimension %d; bounds %d/%d and %d/%d tokens/bytes",
			ErrModelMismatch, addrA, a.Model, a.Dim, addrB, b.Model, b.Dim, a.MaxTokens, a.MaxBytes, b.MaxTokens, b.MaxBytes)
	}
	return nil
}

// Info describes the workers' model. MaxBytes is always set: a worker reads a bounded part
// of a text.
func (c *Client) Info() embed.Info { return c.info }

// Backend is what computes in the worker that answered first, such as "xla:cuda".
func (c *Client) Backend() string { return c.backend }

// Queries returns an encoder of queries, which go before documents and may be read
// differently by the model.
func (c *Client) Queries() embed.Encoder { return queries{c} }

type queries struct{ client *Client }

func (q queries) Info() embed.Info { return q.client.Info() }

func (q queries) Encode(ctx context.Context, texts []string, out []float32) error {
	return q.client.encode(ctx, kindredv1.EmbedKind_EMBED_KIND_QUERY, texts, out)
}

// Stats are what a client did, and the state of its workers.
type Stats struct {
	// Requests sent, and those of them that were sent again.
	Requests, Retries uint64
	// Truncated counts texts whose end the model did not read, by the workers' count.
	Truncated uint64
	Workers   []WorkerStats
}

// WorkerStats are those of one worker.
type WorkerStats struct {
	Addr string
	// Outstanding texts were sent and are not answered; Sent is their total.
	Outstanding int
	Sent        uint64
	// Breaker is closed, open or half-open; Opened is how often it opened, and Cause its
	// last failure.
	Breaker string
	Opened  uint64
	Cause   error
}

// Stats returns what happened so far.
func (c *Client) Stats() Stats {
	s := Stats{Requests: c.requests.Load(), Retries: c.retries.Load(), Truncated: c.truncated.Load()}
	for _, w := range c.workers {
		state, opened, cause := w.breaker.snapshot()
		s.Workers = append(s.Workers, WorkerStats{
			Addr: w.addr, Outstanding: int(w.outstanding.Load()), Sent: w.sent.Load(),
			Breaker: state.String(), Opened: opened, Cause: cause,
		})
	}
	return s
}

// Close closes the connections. Calls under way fail with [embed.ErrUnavailable].
func (c *Client) Close() error {
	var errs []error
	for _, w := range c.workers {
		errs = append(errs, w.conn.Close())
	}
	return errors.Join(errs...)
}

// sleep waits, unless the context ends or would end first: then it returns at once.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
