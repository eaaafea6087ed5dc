// Package auth says who calls: it makes, keeps and checks API keys.
//
// A key's secret is "kd_ID_RANDOM": a public handle of 16 characters and 256 random
// bits. It is shown once, when it is made; only its SHA-256 is kept. A hash
// without salt or stretching is right here because the secret is random and
// long: there is nothing to guess. Comparison takes constant time.
//
// A key can be given a new secret ([Keyring.Rotate]); the one before is valid for an
// overlap, so that callers can be moved one by one. A key of record.RoleBrowser stands in
// web pages where all can read it: it is bound to web origins, names no users, and what it
// may ask for is one session's (package server/api refuses the rest).
//
// A [Keyring] holds all keys in memory, since every call is checked, and writes
// through to a [Keystore]. Use [Keyring.Authenticate] with the metadata of a
// call; [Open] is the principal of a server that runs without keys on
// loopback.
//
// All methods of Keyring are safe for concurrent use.
package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

var (
	// ErrNoKey: the call carries no key, and the server requires one.
	ErrNoKey = errors.New("no API key: send metadata \"authorization: Bearer KEY\"")
	// ErrBadKey: the key is malformed, unknown or revoked. Which of these is not
	// said, so that nobody learns which handles exist.
	ErrBadKey = errors.New("API key not valid: make one with the keys command, or check that it was not revoked")
)

// Principal is who calls: a tenant and what the call may do there.
type Principal struct {
	Tenant string
	Role   record.Role
	KeyID  string // empty: no key was asked for
	// Quota is the key's own; zero: what the service has for keys of its role.
	Quota record.Quota
	// Origins are the web origins that a key of record.RoleBrowser is bound to. Not to be
	// changed.
	Origins []string
}

// Open is the principal of every call to a server without keys.
var Open = Principal{Tenant: DefaultTenant, Role: record.RoleAdmin}

// DefaultTenant is the tenant of calls without a key; its admins also create tenants.
const DefaultTenant = "default"

// Keystore keeps keys on disk.
type Keystore interface {
	// PutKey writes a key, replacing one of the same id.
	PutKey(context.Context, record.Key) error
	// Keys returns all keys of a tenant; all tenants' for "".
	Keys(ctx context.Context, tenant string) ([]record.Key, error)
}

// Keyring checks and makes keys.
type Keyring struct {
	store Keystore
	now   func() time.Time

	change sync.Mutex // held while a key changes, over the write
	mu     sync.RWMutex
	keys   map[string]record.Key // by id
	lent   map[string]loan       // by id; see Lend
}

// Load reads all keys of the store.
func Load(ctx context.Context, store Keystore) (*Keyring, error) {
	keys, err := store.Keys(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("reading API keys: %w", err)
	}
	ring := &Keyring{store: store, now: time.Now, keys: make(map[string]record.Key, len(keys))}
	for _, k := range keys {
		ring.keys[k.ID] = k
	}
	return ring, nil
}

// Active returns the number of keys in force.
func (r *Keyring) Active() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n := 0
	for _, k := range r.keys {
		if k.Revoked.IsZero() {
			n++
		}
	}
	return n
}

// Authenticate returns whose key the value of an "authorization" header is.
func (r *Keyring) Authenticate(header string) (Principal, error) {
	if header == "" {
		return Principal{}, ErrNoKey
	}
	scheme, secret, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return Principal{}, ErrBadKey
	}
	id, ok := handle(secret)
	if !ok {
		return Principal{}, ErrBadKey
	}
	r.mu.RLock()
	key, known := r.keys[id]
	lent, isLent := r.lent[id]
	r.mu.RUnlock()
	if isLent {
		key, known = record.Key{Hash: lent.hash}, true
	}
	// The hash is computed and compared for unknown handles too, so that the time
	// of an answer does not tell which exist.
	hash := sha256.Sum256([]byte(secret))
	same := subtle.ConstantTimeCompare(hash[:], key.Hash[:])
	prior := subtle.ConstantTimeCompare(hash[:], key.Prior[:])
	if prior == 1 && !r.now().Before(key.PriorUntil) {
		prior = 0
	}
	if !known || same|prior == 0 || !key.Revoked.IsZero() {
		return Principal{}, ErrBadKey
	}
	if isLent {
		return lent.principal, nil
	}
	return Principal{Tenant: key.Tenant, Role: key.Role, KeyID: key.ID, Quota: key.Quota, Origins: key.Origins}, nil
}

// Get returns the key of an id.
func (r *Keyring) Get(id string) (record.Key, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	key, ok := r.keys[id]
	return key, ok
}

// List returns a tenant's keys by time of creation; all tenants' for "".
func (r *Keyring) List(tenant string) []record.Key {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var list []record.Key
	for _, k := range r.keys {
		if tenant == "" || k.Tenant == tenant {
			list = append(list, k)
		}
	}
	sort.Slice(list, func(i, j int) bool {
		if !list[i].Created.Equal(list[j].Created) {
			return list[i].Created.Before(list[j].Created)
		}
		return list[i].ID < list[j].ID
	})
	return list
}
