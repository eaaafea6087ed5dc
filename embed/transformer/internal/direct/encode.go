package direct

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/kindred-rec/kindred/embed/transformer/internal/batch"
)

// groupTokens is how many tokens one goroutine computes at a time: enough to pay for
// the weights' way from memory, few enough for the cache.
const groupTokens = 256

// aloneTokens is how many tokens each worker must have for groups to be worth their
// while: below, each reads all weights for too little.
const aloneTokens = 48

// Encode writes the pooled vectors of texts to out, [texts, hidden], not yet of unit
// length. It waits for a call that is under way, or for the context.
func (n *Network) Encode(ctx context.Context, texts batch.Texts, out []float32) error {
	if texts.Len() == 0 {
		return ctx.Err()
	}
	select {
	case n.permit <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-n.permit }()
	if texts.Len() < n.workers || texts.Tokens() < n.workers*aloneTokens {
		return n.together(ctx, texts, out)
	}
	return n.groups(ctx, texts, out)
}

// together computes all texts with all workers, some texts at a time where they are
// many.
func (n *Network) together(ctx context.Context, texts batch.Texts, out []float32) error {
	hidden := n.config.Hidden
	for from := 0; from < texts.Len(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := from + 1
		for to < texts.Len() && texts.Part(from, to+1).Tokens() <= n.workers*groupTokens {
			to++
		}
		t := &team{size: n.workers}
		err := n.each(func(m *member) {
			m.team, m.place = t, m.rank
			m.run(n, texts.Part(from, to), out[from*hidden:to*hidden])
		}, t.abandon)
		if err != nil {
			return err
		}
		from = to
	}
	return nil
}

// groups hands out groups of texts, each to one worker.
func (n *Network) groups(ctx context.Context, texts batch.Texts, out []float32) error {
	bounds := split(texts, min(groupTokens, max(1, texts.Tokens()/n.workers)))
	var next atomic.Int64
	hidden := n.config.Hidden
	err := n.each(func(m *member) {
		m.team, m.place = &team{size: 1}, 0
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(bounds)-1 {
				return
			}
			from, to := bounds[i], bounds[i+1]
			m.run(n, texts.Part(from, to), out[from*hidden:to*hidden])
		}
	}, func() {})
	if err != nil {
		return err
	}
	return ctx.Err()
}

// split gives the first texts of groups of at most so many tokens, or of one text,
// and the number of texts.
func split(texts batch.Texts, tokens int) []int {
	bounds := []int{0}
	first := 0
	for i := range texts.Len() {
		if i > first && texts.Starts[i+1]-texts.Starts[first] > tokens {
			bounds = append(bounds, i)
			first = i
		}
	}
	return append(bounds, texts.Len())
}

// each runs work on every worker and waits for all. A panic in one becomes an error;
// abandon then lets the others go.
func (n *Network) each(work func(*member), abandon func()) error {
	errs := make([]error, n.workers)
	one := func(m *member) {
		defer func() {
			if r := recover(); r != nil {
				errs[m.rank] = fmt.Errorf("direct: forward pass broke: %v\n%s", r, debug.Stack())
				abandon()
			}
		}()
		work(m)
	}
	var wg sync.WaitGroup
	for _, m := range n.members[1:] {
		wg.Go(func() { one(m) })
	}
	one(n.members[0])
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
