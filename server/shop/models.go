package shop

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/bundle/registry"
	"github.com/kindred-rec/kindred/server/record"
)

// ModelsConfig says where trained models are kept and how they are read.
type ModelsConfig struct {
	// Dir holds a folder of bundles for each tenant, named by its number. Empty: no models
	// are kept, and none can be promoted.
	Dir string
	// Keep is how many bundles a tenant keeps beside what is promoted, what serves and
	// what a rollback goes to. Default 10.
	Keep int
	// Bytes bounds the files of one bundle. Default 4 GiB.
	Bytes int64
	// Load reads the behaviour encoder of a verified bundle; what it returns must not need
	// the bundle's files any more. nil: bundles are kept but do not serve.
	Load func(*bundle.Bundle) (Behaviour, error)
	// Users makes the vectors of cached profiles when another model serves. Where it fails,
	// or is nil, they are made in process, which takes its time.
	Users UserEncoder
}

// ModelsFolder is where a tenant's bundles are, under ModelsConfig.Dir.
func ModelsFolder(dir string, tenantNumber uint32) string {
	return filepath.Join(dir, strconv.FormatUint(uint64(tenantNumber), 10))
}

// models is what a tenant has of trained models: its bundles, and which of them should
// serve. Which one does is the generation's to say.
type models struct {
	registry    *registry.Registry
	graphFailed atomic.Int64 // items when a graph of user space last found too little; 0: never

	target atomic.Pointer[target] // never nil
	moved  signal                 // the target, or what serves, has changed

	promoting  sync.Mutex // held by one promotion or rollback
	evaluating sync.Mutex // held by one comparison

	mu     sync.Mutex
	cancel context.CancelCauseFunc // ends the change under way; nil: none is
}

// target is the bundle that is promoted. Immutable.
type target struct {
	hash  bundle.Hash // empty: none
	seq   uint64      // of its promotion
	fault string      // why it cannot serve; empty: it can, as far as is known
}

// errSuperseded ends the making of a generation when another model is promoted.
var errSuperseded = errors.New("another model is promoted")

// prepareModels opens the directory of bundles.
func (s *Shop) prepareModels() error {
	c := s.config.Models
	if c.Dir == "" {
		return nil
	}
	r, err := registry.Open(ModelsFolder(c.Dir, s.tenantNumber), registry.Options{Keep: c.Keep, Limits: bundle.Limits{Bytes: c.Bytes}})
	if err != nil {
		return err
	}
	s.models = &models{registry: r}
	s.models.moved.init()
	s.models.target.Store(&target{})
	return nil
}

// goodOnes bounds how far back a start looks for a bundle that can serve.
const goodOnes = 16

// beginModel has the first generation serve the promoted bundle or, if that cannot be
// used, the last one before it that can. A scan finds the nearest in its space until the
// upkeep has built a graph, where there should be one: a start does not wait for it. Only
// the store's faults are errors.
func (s *Shop) beginModel(ctx context.Context, g *generation) error {
	if s.models == nil {
		return nil
	}
	history, err := s.log.Promotions(goodOnes)
	if err != nil {
		return fmt.Errorf("reading promotions: %w", err)
	}
	if len(history) == 0 {
		return nil
	}
	s.models.target.Store(&target{hash: bundle.Hash(history[0].Bundle), seq: history[0].Seq})
	for _, p := range history {
		if p.Bundle == "" || g.bridge {
			return nil // nothing was to serve; after a bridge the upkeep sees to it
		}
		m, err := s.openModel(bundle.Hash(p.Bundle))
		if err != nil {
			s.failTarget(s.models.target.Load(), err)
			continue
		}
		if m.hash != s.models.target.Load().hash {
			s.config.Log.Warn("an earlier bundle serves in place of the promoted one", "tenant", s.tenant, "bundle", string(m.hash))
		}
		if err := s.fillModel(ctx, g, m, allCores()); err != nil {
			return err
		}
		if err := s.build(ctx, m.space, Flat, allCores()); err != nil {
			return err
		}
		m.following = true
		return s.assemble(g, m)
	}
	return nil
}

// aim makes another bundle the one that should serve. The applier calls it, and the
// upkeep makes it so.
func (s *Shop) aim(t *target) {
	if s.models == nil || t.seq <= s.models.target.Load().seq {
		return
	}
	s.models.target.Store(t)
	s.models.moved.tell()
	s.models.mu.Lock()
	defer s.models.mu.Unlock()
	if s.models.cancel != nil {
		s.models.cancel(errSuperseded)
	}
}

// failTarget notes that the promoted bundle cannot serve, and why.
func (s *Shop) failTarget(t *target, err error) {
	s.config.Log.Error("the promoted bundle does not serve; what served before goes on", "tenant", s.tenant, "bundle", string(t.hash), "error", err)
	if t.fault == "" {
		s.models.target.CompareAndSwap(t, &target{hash: t.hash, seq: t.seq, fault: err.Error()})
		s.models.moved.tell()
	}
}

// retryTarget tries a bundle again that could not serve.
func (s *Shop) retryTarget() {
	if s.models == nil {
		return
	}
	if t := s.models.target.Load(); t.fault != "" && s.models.target.CompareAndSwap(t, &target{hash: t.hash, seq: t.seq}) {
		s.models.moved.tell()
		s.notice()
	}
}

// modelMisfit reports whether another model, or another engine for it, should serve.
func (s *Shop) modelMisfit(g *generation) bool {
	if s.models == nil || g.bridge {
		return false
	}
	if t := s.models.target.Load(); t.fault == "" && t.hash != g.modelHash() {
		return true
	}
	return g.model != nil && s.chooseFor(g.model.failed, g.model.engine, int(g.model.encoded.Load())) != g.model.engine
}

// modelHash is the bundle that a generation is of; empty: none.
func (g *generation) modelHash() bundle.Hash {
	if g.model == nil {
		return ""
	}
	return g.model.hash
}

// changeUnlessOutdated makes the generation that should serve. A promotion meanwhile ends
// it with errSuperseded.
func (s *Shop) changeUnlessOutdated(ctx context.Context) error {
	m := s.models
	if m == nil {
		return s.change(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m.mu.Lock()
	m.cancel = cancel
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.cancel = nil
		m.mu.Unlock()
	}()
	return s.change(ctx)
}

// awaitModel waits until a promoted bundle serves, cannot, or another one is promoted. It
// reports whether it serves.
func (s *Shop) awaitModel(ctx context.Context, hash bundle.Hash, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		moved := s.models.moved.next()
		t := s.models.target.Load()
		switch {
		case s.gen.Load().modelHash() == hash:
			return true
		case t.hash != hash || t.fault != "" || wait <= 0:
			return false
		}
		select {
		case <-moved:
		case <-timer.C:
			return s.gen.Load().modelHash() == hash
		case <-ctx.Done():
			return false
		case <-s.life.Done():
			return false
		}
	}
}

// signal wakes all that wait for its next telling.
type signal struct {
	mu   sync.Mutex
	tick chan struct{}
}

func (s *signal) init() { s.tick = make(chan struct{}) }

// next is closed by the next tell.
func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tick
}

func (s *signal) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.tick)
	s.tick = make(chan struct{})
}

// ModelState says what a bundle is to the tenant.
type ModelState uint8

// The states of a bundle.
const (
	ModelStored   ModelState = iota
	ModelBuilding            // promoted, and not served yet
	ModelServing
	ModelFailed // promoted, and cannot serve
)

// Model is a bundle that the tenant keeps.
type Model struct {
	Hash     bundle.Hash
	Manifest bundle.Manifest // zero where it cannot be read
	State    ModelState
	Fault    string // why it cannot be used; empty: nothing is known against it
}

// ModelsStatus says which models there are and what is promoted.
type ModelsStatus struct {
	Models            []Model // newest first
	Promotions        []record.Promoted
	Serving, Promoted bundle.Hash
	Fault             string // why Promoted does not serve; empty: it does, or is being built
}

// Models lists the tenant's bundles with its last promotions, at most so many.
func (s *Shop) Models(promotions int) (ModelsStatus, error) {
	if s.models == nil {
		return ModelsStatus{}, errNoModels
	}
	entries, err := s.models.registry.List()
	if err != nil {
		return ModelsStatus{}, err
	}
	st := s.modelsStatus()
	if st.Promotions, err = s.log.Promotions(promotions); err != nil {
		return st, err
	}
	for _, e := range entries {
		st.Models = append(st.Models, st.model(e.Hash, e.Manifest, e.Err))
	}
	return st, nil
}

// modelsStatus is what serves and what is promoted.
func (s *Shop) modelsStatus() ModelsStatus {
	if s.models == nil {
		return ModelsStatus{}
	}
	t := s.models.target.Load()
	return ModelsStatus{Serving: s.gen.Load().modelHash(), Promoted: t.hash, Fault: t.fault}
}

func (st *ModelsStatus) model(h bundle.Hash, m bundle.Manifest, err error) Model {
	out := Model{Hash: h, Manifest: m}
	switch {
	case h == st.Serving:
		out.State = ModelServing
	case h == st.Promoted && st.Fault != "":
		out.State, out.Fault = ModelFailed, st.Fault
	case h == st.Promoted:
		out.State = ModelBuilding
	}
	if err != nil {
		out.Fault = err.Error()
	}
	return out
}

// errNoModels: the service keeps no models.
var errNoModels = fmt.Errorf("%w: the service keeps no trained models: set shop.Config.Models.Dir", ErrPrecondition)

// findModel returns the bundle whose hash begins with some digits.
func (s *Shop) findModel(digits string) (bundle.Hash, error) {
	if s.models == nil {
		return "", errNoModels
	}
	h, err := s.models.registry.Find(digits)
	switch {
	case errors.Is(err, bundle.ErrInvalid), errors.Is(err, registry.ErrAmbiguous):
		return "", &InputError{Field: "hash", Description: err.Error()}
	case errors.Is(err, bundle.ErrNotFound):
		return "", fmt.Errorf("model %s: %w", digits, record.ErrNotFound)
	}
	return h, err
}

// Model describes the bundle whose hash begins with some digits.
func (s *Shop) Model(digits string) (Model, error) {
	h, err := s.findModel(digits)
	if err != nil {
		return Model{}, err
	}
	m, err := s.models.registry.Manifest(h)
	st := s.modelsStatus()
	return st.model(h, m, err), nil
}
