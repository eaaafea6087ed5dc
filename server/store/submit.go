package store

import (
	"context"

	"github.com/kindred-rec/kindred/server/record"
)

// Pending is a batch on its way to the disk.
type Pending struct {
	store   *Store
	request *request // nil: an empty batch
	token   record.Token
}

// Submit hands a batch over without waiting for the disk, for writers that keep
// several under way. Batches that one goroutine submits are written in that order.
// Its errors are those of Append that come before the disk.
func (t *Tenant) Submit(ctx context.Context, batch []record.Mutation) (*Pending, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(batch) == 0 {
		return &Pending{token: t.Head()}, nil
	}
	r := &request{tenant: t, done: make(chan struct{})}
	r.batch, r.bytes = t.store.prepare(batch)
	if err := t.store.queue.put(r); err != nil {
		return nil, err
	}
	return &Pending{store: t.store, request: r}, nil
}

// Wait returns when the batch is durable, as Append does. When ctx ends first, a
// batch that was not taken up yet is withdrawn.
func (p *Pending) Wait(ctx context.Context) ([]record.Outcome, record.Token, error) {
	if p.request == nil {
		return nil, p.token, nil
	}
	if err := p.store.answered(ctx, p.request); err != nil {
		return nil, record.Token{}, err
	}
	return p.request.outcomes, p.request.token, nil
}
