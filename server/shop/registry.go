package shop

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"

	"github.com/kindred-rec/kindred/server/record"
)

// Tenants is the store as the registry needs it.
type Tenants interface {
	// CreateTenant gives a tenant its number; record.ErrExists if the name is taken.
	CreateTenant(context.Context, record.Tenant) (record.Tenant, error)
	UpdateTenant(context.Context, record.Tenant) (record.Tenant, error)
	Tenants(context.Context) ([]record.Tenant, error)
	// Log returns a tenant's part of the store.
	Log(name string) (Log, error)
	// Secret signs page tokens; it stays the same for the life of the store.
	Secret() [32]byte
}

// Registry holds the shops of all tenants of a store. All methods are safe for
// concurrent use.
type Registry struct {
	store  Tenants
	config Config

	creating sync.Mutex // serializes Create
	mu       sync.RWMutex
	shops    map[string]*Shop
}

// OpenAll opens every tenant of a store. On an error those already open are closed.
func OpenAll(ctx context.Context, store Tenants, config Config) (*Registry, error) {
	tenants, err := store.Tenants(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading tenants: %w", err)
	}
	if err := removeStraySnapshots(config, tenants); err != nil {
		config.withDefaults().Log.Warn("index snapshots of tenants that are no more stay", "error", err)
	}
	r := &Registry{store: store, config: config, shops: map[string]*Shop{}}
	for _, t := range tenants {
		if err := r.open(ctx, t); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	return r, nil
}

func removeStraySnapshots(c Config, tenants []record.Tenant) error {
	if c.Index.Dir == "" {
		return nil
	}
	numbers := make(map[uint32]bool, len(tenants))
	for _, t := range tenants {
		numbers[t.Number] = true
	}
	return removeStrays(c.Index.Dir, numbers)
}

func (r *Registry) open(ctx context.Context, t record.Tenant) error {
	log, err := r.store.Log(t.Name)
	if err != nil {
		return err
	}
	persist := func(ctx context.Context, t record.Tenant) error {
		_, err := r.store.UpdateTenant(ctx, t)
		return err
	}
	s, err := Open(ctx, r.config, t, log, r.store.Secret(), persist)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.shops[t.Name] = s
	r.mu.Unlock()
	return nil
}

// Get returns the shop of a tenant, or record.ErrNotFound.
func (r *Registry) Get(name string) (*Shop, error) {
	r.mu.RLock()
	s, ok := r.shops[name]
	r.mu.RUnlock()
	if !ok {
		return nil, fmt.Errorf("tenant %q: %w", name, record.ErrNotFound)
	}
	return s, nil
}

// Create makes a tenant and opens it; record.ErrExists if the name is taken.
func (r *Registry) Create(ctx context.Context, t record.Tenant) (record.Tenant, error) {
	if err := checkSurfaces(t.Surfaces, &t, r.config.Filters); err != nil {
		return record.Tenant{}, err
	}
	r.creating.Lock()
	defer r.creating.Unlock()
	t.Created = r.config.withDefaults().Now()
	made, err := r.store.CreateTenant(ctx, t)
	if err != nil {
		return made, fmt.Errorf("tenant %q: %w", t.Name, err)
	}
	return made, r.open(ctx, made)
}

// Update changes a tenant's settings, as Shop.Amend does.
func (r *Registry) Update(ctx context.Context, change record.Tenant) (record.Tenant, error) {
	s, err := r.Get(change.Name)
	if err != nil {
		return record.Tenant{}, err
	}
	if err := s.Amend(ctx, change); err != nil {
		return record.Tenant{}, err
	}
	return s.Settings(), nil
}

// List returns the settings of all tenants by name.
func (r *Registry) List() []record.Tenant {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]record.Tenant, 0, len(r.shops))
	for _, s := range r.shops {
		list = append(list, s.Settings())
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// Each calls fn for every shop.
func (r *Registry) Each(fn func(name string, s *Shop)) {
	r.mu.RLock()
	shops := make(map[string]*Shop, len(r.shops))
	for name, s := range r.shops {
		shops[name] = s
	}
	r.mu.RUnlock()
	for _, name := range sortedKeys(shops) {
		fn(name, shops[name])
	}
}

// Close closes every shop.
func (r *Registry) Close() error {
	var errs []error
	r.Each(func(name string, s *Shop) {
		if err := s.Close(); err != nil {
			errs = append(errs, fmt.Errorf("tenant %q: %w", name, err))
		}
	})
	return errors.Join(errs...)
}
