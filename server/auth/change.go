package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// MaxOverlap bounds how long the secret before stays valid after a rotation.
const MaxOverlap = 90 * 24 * time.Hour

// Create makes a key of what the draft says of tenant, role, name, origins and quota, and
// returns it with its secret, which is not kept. A draft that Check refuses is
// record.ErrInvalid.
func (r *Keyring) Create(ctx context.Context, draft record.Key, now time.Time) (record.Key, string, error) {
	if faults := Check(draft); len(faults) > 0 {
		return record.Key{}, "", fmt.Errorf("%s %s: %w", faults[0].Field, faults[0].Description, record.ErrInvalid)
	}
	id, secret := mint()
	key := record.Key{
		ID: id, Tenant: draft.Tenant, Role: draft.Role, Name: draft.Name, Origins: draft.Origins, Quota: draft.Quota,
		Hash: sha256.Sum256([]byte(secret)), Created: now,
	}
	r.change.Lock()
	defer r.change.Unlock()
	if err := r.put(ctx, key); err != nil {
		return record.Key{}, "", err
	}
	return key, secret, nil
}

// Rotate gives a key a new secret and returns it; it is not kept. The present secret stays
// valid for overlap, 0 to MaxOverlap, and the one before it ends now. record.ErrNotFound: no
// key has this id. record.ErrInvalid: the overlap is out of bounds, or the key is revoked.
func (r *Keyring) Rotate(ctx context.Context, id string, overlap time.Duration, now time.Time) (record.Key, string, error) {
	if overlap < 0 || overlap > MaxOverlap {
		return record.Key{}, "", fmt.Errorf("an overlap of %v, 0 to %v are possible: %w", overlap, MaxOverlap, record.ErrInvalid)
	}
	r.change.Lock()
	defer r.change.Unlock()
	key, ok := r.Get(id)
	if !ok {
		return record.Key{}, "", fmt.Errorf("key %.80q: %w", id, record.ErrNotFound)
	}
	if !key.Revoked.IsZero() {
		return record.Key{}, "", fmt.Errorf("key %q is revoked, make a new one: %w", id, record.ErrInvalid)
	}
	key.Prior, key.PriorUntil = [32]byte{}, time.Time{}
	if overlap > 0 {
		key.Prior, key.PriorUntil = key.Hash, now.Add(overlap)
	}
	secret := mintFor(id)
	key.Hash, key.Rotated = sha256.Sum256([]byte(secret)), now
	if err := r.put(ctx, key); err != nil {
		return record.Key{}, "", err
	}
	return key, secret, nil
}

// Revoke ends a key with all its secrets. Revoking twice keeps the first time. An unknown id
// is record.ErrNotFound.
func (r *Keyring) Revoke(ctx context.Context, id string, now time.Time) (record.Key, error) {
	r.change.Lock()
	defer r.change.Unlock()
	key, ok := r.Get(id)
	if !ok {
		return record.Key{}, fmt.Errorf("key %.80q: %w", id, record.ErrNotFound)
	}
	if !key.Revoked.IsZero() {
		return key, nil
	}
	key.Revoked = now
	return key, r.put(ctx, key)
}

// put writes a key and then puts it in force; r.change is held.
func (r *Keyring) put(ctx context.Context, key record.Key) error {
	if err := r.store.PutKey(ctx, key); err != nil {
		return fmt.Errorf("writing key %q: %w", key.ID, err)
	}
	r.mu.Lock()
	r.keys[key.ID] = key
	r.mu.Unlock()
	return nil
}
