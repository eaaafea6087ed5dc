package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/kindred-rec/kindred/server/audit"
	"github.com/kindred-rec/kindred/server/auth"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/service"
	"github.com/kindred-rec/kindred/server/store"
)

// localKeys works on a store that no service has open. What it does stands in the audit log
// as done by the user of this machine.
type localKeys struct {
	store *store.Store
	ring  *auth.Keyring
	acts  *audit.Log
}

func openLocalKeys(ctx context.Context, data string) (*localKeys, error) {
	s, err := store.Open(data, store.DefaultOptions())
	if errors.Is(err, record.ErrHeld) {
		return nil, fmt.Errorf("%w; use --addr for a running service", err)
	}
	if err != nil {
		return nil, err
	}
	ring, err := auth.Load(ctx, s)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	acts, err := audit.Open(service.AuditDir(data), audit.Options{})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &localKeys{store: s, ring: ring, acts: acts}, nil
}

// audited does an act and writes it into the tenant's audit log.
func (l *localKeys) audited(tenant, method, target string, act func() error) error {
	who := "local:unknown"
	if u, err := user.Current(); err == nil {
		who = "local:" + u.Username
	}
	begin := time.Now()
	id, err := l.acts.Begin(audit.Entry{Time: begin, Tenant: tenant, KeyID: who, Method: "keys " + method, Target: target})
	if err != nil {
		return err
	}
	code := codes.OK.String()
	if err = act(); err != nil {
		code = codes.Unknown.String()
	}
	return errors.Join(err, l.acts.End(tenant, id, code, time.Since(begin)))
}

func (l *localKeys) create(ctx context.Context, draft record.Key) (key record.Key, secret string, err error) {
	if draft.Tenant == auth.DefaultTenant { // a new store has no tenant yet
		_, err := l.store.CreateTenant(ctx, record.Tenant{Name: draft.Tenant, Created: time.Now()})
		if err != nil && !errors.Is(err, record.ErrExists) {
			return record.Key{}, "", err
		}
	}
	if _, err := l.store.Tenant(draft.Tenant); err != nil {
		return record.Key{}, "", err
	}
	err = l.audited(draft.Tenant, "create", fmt.Sprintf("key %q of role %s", draft.Name, draft.Role), func() error {
		key, secret, err = l.ring.Create(ctx, draft, time.Now())
		return err
	})
	return key, secret, err
}

func (l *localKeys) list(_ context.Context, tenant string) ([]record.Key, error) {
	return l.ring.List(tenant), nil
}

func (l *localKeys) rotate(ctx context.Context, id string, overlap time.Duration) (key record.Key, secret string, err error) {
	key, ok := l.ring.Get(id)
	if !ok {
		return record.Key{}, "", fmt.Errorf("key %.80q: %w", id, record.ErrNotFound)
	}
	err = l.audited(key.Tenant, "rotate", fmt.Sprintf("key %s, overlap %v", id, overlap), func() error {
		key, secret, err = l.ring.Rotate(ctx, id, overlap, time.Now())
		return err
	})
	return key, secret, err
}

func (l *localKeys) revoke(ctx context.Context, id string) (key record.Key, err error) {
	key, ok := l.ring.Get(id)
	if !ok {
		return record.Key{}, fmt.Errorf("key %.80q: %w", id, record.ErrNotFound)
	}
	err = l.audited(key.Tenant, "revoke", "key "+id, func() error {
		key, err = l.ring.Revoke(ctx, id, time.Now())
		return err
	})
	return key, err
}

func (l *localKeys) audit(_ context.Context, tenant string, before int64, limit int) ([]audit.Entry, int64, error) {
	if tenant == "" {
		tenant = auth.DefaultTenant
	}
	if _, err := l.store.Tenant(tenant); err != nil {
		return nil, 0, err
	}
	return l.acts.List(tenant, before, limit)
}

func (l *localKeys) Close() error { return l.store.Close() }
