package store

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// Tenant is the part of a store that belongs to one shop. All methods are safe
// for concurrent use.
type Tenant struct {
	store    *Store
	number   uint32
	settings atomic.Pointer[record.Tenant]
	head     head          // the committer's alone once the store is open
	durable  atomic.Uint64 // last place that survives a power cut
	owners   owners

	mu        sync.Mutex
	followers map[*follower]bool // true: joined, it gets live groups
	delivered uint64             // last place that was offered to the joined
	ended     bool               // no follower may start any more
}

// loadTenants reads the registry.
func (s *Store) loadTenants() error {
	if err := s.readTenants(); err != nil || !s.options.Repair {
		return err
	}
	for _, t := range s.tenants {
		if err := s.mendRows(t); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) readTenants() error {
	return s.view(func(txn *badger.Txn) error {
		return scan(txn, prefixKey(0, kindTenant), nil, func(_, v []byte) error {
			var m storepb.Tenant
			if err := decode(v, valueOther, &m); err != nil {
				return err
			}
			t, err := s.openTenant(txn, fromTenantMessage(&m))
			if err != nil {
				return err
			}
			s.tenants[m.Name] = t
			s.numbers = max(s.numbers, m.Number)
			return nil
		})
	})
}

func (s *Store) openTenant(txn *badger.Txn, settings record.Tenant) (*Tenant, error) {
	t := &Tenant{store: s, number: settings.Number, followers: make(map[*follower]bool)}
	t.settings.Store(&settings)
	var h storepb.Head
	if _, err := fetch(reader{txn}, prefixKey(t.number, kindHead), &h); err != nil {
		return nil, fmt.Errorf("store: tenant %q: %w", settings.Name, err)
	}
	t.head = headOf(&h)
	return t, nil
}

// CreateTenant adds a tenant and returns it with the number it was given.
// record.ErrExists: there is one of that name.
func (s *Store) CreateTenant(ctx context.Context, tenant record.Tenant) (record.Tenant, error) {
	if !record.ValidTenantName(tenant.Name) {
		return record.Tenant{}, fmt.Errorf("store: %.80q is no tenant name: use a letter, then at most 62 of a-z, 0-9, '-': %w",
			tenant.Name, record.ErrInvalid)
	}
	if tenant.Created.IsZero() {
		tenant.Created = s.options.Now()
	}
	tenant.Created = tenant.Created.UTC()
	var created *Tenant
	err := s.submit(ctx, &request{control: func(w *writer) error {
		if _, err := s.Tenant(tenant.Name); err == nil {
			return fmt.Errorf("store: tenant %q: %w", tenant.Name, record.ErrExists)
		}
		s.mu.RLock()
		tenant.Number = s.numbers + 1
		s.mu.RUnlock()
		if err := place(w, textKey(0, kindTenant, tenant.Name), tenantMessage(tenant)); err != nil {
			return err
		}
		created = &Tenant{store: s, number: tenant.Number, followers: make(map[*follower]bool)}
		created.settings.Store(&tenant)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.numbers = tenant.Number
		s.tenants[tenant.Name] = created
		return nil
	}})
	if err != nil {
		return record.Tenant{}, err
	}
	return tenant, nil
}

// UpdateTenant replaces the settings of a tenant; number and creation stay.
// record.ErrNotFound: there is none of that name. record.ErrLimit: they are too large.
func (s *Store) UpdateTenant(ctx context.Context, tenant record.Tenant) (record.Tenant, error) {
	err := s.submit(ctx, &request{control: func(w *writer) error {
		t, err := s.Tenant(tenant.Name)
		if err != nil {
			return err
		}
		old := t.Settings()
		tenant.Number, tenant.Created = old.Number, old.Created
		m := tenantMessage(tenant)
		if n := proto.Size(m); n > s.options.MaxValue {
			return fmt.Errorf("store: the settings of tenant %q take %d bytes, at most %d are kept: delete policies or experiments, or shorten their conditions and lists: %w",
				tenant.Name, n, s.options.MaxValue, record.ErrLimit)
		}
		if err := place(w, textKey(0, kindTenant, tenant.Name), m); err != nil {
			return err
		}
		t.settings.Store(&tenant)
		return nil
	}})
	if err != nil {
		return record.Tenant{}, err
	}
	return tenant, nil
}

// Tenants returns all tenants by name.
func (s *Store) Tenants(ctx context.Context) ([]record.Tenant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]record.Tenant, 0, len(s.tenants))
	for _, t := range s.tenants {
		out = append(out, t.Settings())
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

// Tenant returns the tenant of a name, or record.ErrNotFound.
func (s *Store) Tenant(name string) (*Tenant, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, ok := s.tenants[name]
	if !ok {
		return nil, fmt.Errorf("store: tenant %.80q: %w", name, record.ErrNotFound)
	}
	return t, nil
}

// Settings returns what the tenant is set to.
func (t *Tenant) Settings() record.Tenant { return *t.settings.Load() }

// Head returns the last place in the log that survives a power cut.
func (t *Tenant) Head() record.Token {
	return record.Token{Epoch: t.store.epoch, Seq: t.durable.Load()}
}

// PutKey adds an API key, or replaces the one of its id.
func (s *Store) PutKey(ctx context.Context, key record.Key) error {
	if err := checkID("key", key.ID); err != nil {
		return err
	}
	return s.submit(ctx, &request{control: func(w *writer) error {
		if _, err := s.Tenant(key.Tenant); err != nil && key.Tenant != "" {
			return err
		}
		return place(w, textKey(0, kindAPIKey, key.ID), keyMessage(key))
	}})
}

// Keys returns the API keys of a tenant by id, of all tenants where it is empty.
func (s *Store) Keys(ctx context.Context, tenant string) ([]record.Key, error) {
	var keys []record.Key
	err := s.view(func(txn *badger.Txn) error {
		return scan(txn, prefixKey(0, kindAPIKey), nil, func(_, v []byte) error {
			var m storepb.Key
			if err := decode(v, valueOther, &m); err != nil {
				return err
			}
			if tenant == "" || m.Tenant == tenant {
				keys = append(keys, fromKeyMessage(&m))
			}
			return ctx.Err()
		})
	})
	return keys, err
}
