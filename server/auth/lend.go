package auth

import (
	"crypto/sha256"

	"github.com/kindred-rec/kindred/server/record"
)

// Lend makes a key for a child of this process. It is nowhere but in memory, is not
// listed, and is void after end or with the process. What it does stands in the log as done
// by name.
func (r *Keyring) Lend(tenant string, role record.Role, name string) (secret string, end func()) {
	id, secret := mint()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lent == nil {
		r.lent = map[string]loan{}
	}
	r.lent[id] = loan{hash: sha256.Sum256([]byte(secret)), principal: Principal{Tenant: tenant, Role: role, KeyID: name}}
	return secret, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.lent, id)
	}
}

// loan is a lent key.
type loan struct {
	hash      [32]byte
	principal Principal
}
