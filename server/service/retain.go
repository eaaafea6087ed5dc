package service

import (
	"context"
	"errors"
	"time"

	"github.com/kindred-rec/kindred/server/audit"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// retainEvery is how often a tenant is looked through for what is older than it is kept,
// where its settings do not change: rows expire by themselves as they were written, so that
// there is something to remove only after a time was shortened.
const retainEvery = 6 * time.Hour

// retainer removes what is older than tenants keep it. One goroutine, ended by stop, after
// the tenants were closed.
type retainer struct {
	tenants *shop.Registry
	audit   *audit.Log
	config  Config
	looked  map[string]look
	quit    chan struct{}
	ended   chan struct{}
}

// look is when a tenant was last looked through, and by which settings.
type look struct {
	at     time.Time
	events time.Duration
	clock  record.Clock
	kept   record.Kept
}

func (s *Service) beginRetainer() *retainer {
	r := &retainer{tenants: s.tenants, audit: s.audit, config: s.config, looked: map[string]look{}, quit: make(chan struct{}), ended: make(chan struct{})}
	go r.run()
	return r
}

func (r *retainer) run() {
	defer close(r.ended)
	tick := time.NewTicker(upkeepTick(r.config.EraseWithin))
	defer tick.Stop()
	for {
		select {
		case <-r.quit:
			return
		case <-tick.C:
			r.tenants.Each(func(name string, s *shop.Shop) { r.retain(name, s) })
		}
	}
}

// retain looks through a tenant, if it is time or its settings have changed.
func (r *retainer) retain(name string, s *shop.Shop) {
	t, was := s.Settings(), r.looked[name]
	now := look{time.Now(), t.Retention, t.Clock, t.Kept}
	if now.at.Sub(was.at) < retainEvery && was == (look{was.at, now.events, now.clock, now.kept}) {
		return
	}
	if err := s.Expire(r.audit.Forget); err != nil {
		if !errors.Is(err, context.Canceled) { // the shop ends
			r.config.Log.Error("what is older than it is kept is not all removed; tried again soon", "tenant", name, "error", err)
		}
		return
	}
	r.looked[name] = now
}

func (r *retainer) stop() {
	close(r.quit)
	<-r.ended
}

// ExpireEvents implements shop.Expiring.
func (t tenantLog) ExpireEvents(ctx context.Context, gone func(owner uint64)) (int64, time.Time, error) {
	e, err := t.Tenant.ExpireEvents(ctx, gone)
	return e.Removed, e.Oldest, err
}

// ExpireDecisions implements shop.Expiring.
func (t tenantLog) ExpireDecisions(ctx context.Context) (int64, time.Time, error) {
	e, err := t.Tenant.ExpireDecisions(ctx)
	return e.Removed, e.Oldest, err
}
