package schedule

import (
	"context"
	"sort"
	"sync"
	"time"

	"github.com/kindred-rec/kindred/server/auth"
	"github.com/kindred-rec/kindred/server/shop"
	"github.com/kindred-rec/kindred/server/training"
)

// maxBackoff bounds the wait after failures.
const maxBackoff = 6 * time.Hour

// Scheduler trains tenants. A nil one trains nothing.
type Scheduler struct {
	config  Config
	tenants *shop.Registry
	keys    *auth.Keyring
	addr    string // where a child reaches the service

	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	known map[string]*tenant
}

// tenant is what is known of one. The scheduler's goroutine alone changes it, under the lock.
type tenant struct {
	status Status
	last   time.Time // when the last training began that made a model; zero: none did
	events int64     // in the log then
	enough int64     // there was too little: so many events are waited for
}

// Start begins to look after the tenants of a service. Children reach it at an address, with
// keys that are lent by the keyring. Errors wrap [ErrConfig].
func Start(c Config, tenants *shop.Registry, keys *auth.Keyring, addr string) (*Scheduler, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if addr, err = reachable(addr); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Scheduler{
		config: c, tenants: tenants, keys: keys, addr: addr, cancel: cancel, done: make(chan struct{}), known: map[string]*tenant{},
	}
	go s.loop(ctx)
	return s, nil
}

// Stop ends the child that runs, if one does, and waits for it. Further calls do nothing.
func (s *Scheduler) Stop() {
	if s == nil {
		return
	}
	s.cancel()
	<-s.done
}

// Status says how training of a tenant goes. false: nothing is trained.
func (s *Scheduler) Status(name string) (Status, bool) {
	if s == nil {
		return Status{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.known[name]; t != nil {
		return t.status, true
	}
	return Status{}, true
}

func (s *Scheduler) loop(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(s.config.Poll)
	defer tick.Stop()
	for {
		if name, sh := s.first(time.Now()); sh != nil {
			s.train(ctx, name, sh)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// first is the tenant that is due and waited longest; nil: none is due.
func (s *Scheduler) first(now time.Time) (string, *shop.Shop) {
	type waiting struct {
		name  string
		shop  *shop.Shop
		since time.Time
	}
	var list []waiting
	s.tenants.Each(func(name string, sh *shop.Shop) {
		t := s.of(name, sh)
		if t.due(s.config, now, sh.Status().Events) {
			list = append(list, waiting{name, sh, t.status.Start})
		}
	})
	if len(list) == 0 {
		return "", nil
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].since.Before(list[j].since) })
	return list[0].name, list[0].shop
}

// of is what is known of a tenant; at first, what its bundles tell.
func (s *Scheduler) of(name string, sh *shop.Shop) *tenant {
	s.mu.Lock()
	t := s.known[name]
	s.mu.Unlock()
	if t != nil {
		return t
	}
	t = &tenant{}
	kept, err := sh.Models(1)
	if err != nil {
		s.config.Log.Warn("what was trained before is not known", "tenant", name, "error", err)
	}
	for _, m := range kept.Models { // the newest first
		if d := m.Manifest.Data; d.LogHead > 0 {
			t.last, t.events = m.Manifest.Created, d.Events+d.SetAside
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[name] = t
	return t
}

// due reports whether a tenant with so many events in its log is to be trained.
func (t *tenant) due(c Config, now time.Time, events int64) bool {
	switch {
	case events < training.MinEvents || events < t.enough || now.Before(t.status.Next):
		return false
	case t.last.IsZero():
		return c.Every > 0 || events >= c.After
	case c.Every > 0 && now.Sub(t.last) >= c.Every:
		return true
	}
	return c.After > 0 && events-t.events >= c.After
}

// train trains one tenant and notes how that went.
func (s *Scheduler) train(ctx context.Context, name string, sh *shop.Shop) {
	start, events := time.Now(), sh.Status().Events
	s.change(name, func(t *tenant) { t.status.Running, t.status.Start = true, start })
	s.config.Log.Info("training begins", "tenant", name, "events", events, "cores", s.config.Cores)
	end := s.child(ctx, name, sh)
	now := time.Now()
	s.change(name, func(t *tenant) { t.note(s.config, end, start, now, events) })
	if ctx.Err() != nil {
		return // the service stops
	}
	st, _ := s.Status(name)
	log := s.config.Log.Info
	if st.Outcome == Failed {
		log = s.config.Log.Warn
	}
	log("training ended", "tenant", name, "outcome", st.Outcome.String(), "model", st.Model, "seconds", now.Sub(start).Seconds(),
		"reason", st.Reason, "next", st.Next, "failures", st.Failures)
}

func (s *Scheduler) change(name string, fn func(*tenant)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn(s.known[name])
}

// note takes in how a training ended.
func (t *tenant) note(c Config, e ended, start, now time.Time, events int64) {
	failures := t.status.Failures
	t.status = Status{Start: start, End: now, Outcome: e.outcome, Reason: e.reason, Model: e.model}
	switch e.outcome {
	case Promoted, Kept:
		t.last, t.events, t.enough = start, events, 0
	case TooLittle:
		t.enough = events + max(1, events/10)
	default:
		t.status.Failures = failures + 1
		t.status.Next = now.Add(backoff(c.Backoff, failures))
	}
}

// backoff is the wait after a failure that so many came before.
func backoff(first time.Duration, failures int) time.Duration {
	wait := first
	for range failures {
		if wait *= 2; wait >= maxBackoff {
			return maxBackoff
		}
	}
	return wait
}
