package quota

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kindred-rec/kindred/server/auth"
	"github.com/kindred-rec/kindred/server/record"
)

// Settings are the bounds, each a second; 0: none.
type Settings struct {
	// Tenant holds for each tenant that Tenants does not name.
	Tenant  record.Quota
	Tenants map[string]record.Quota
	// Key holds for each key that has no quota of its own, Browser for those of role browser.
	Key     record.Quota
	Browser record.Quota
}

// Cost is what one message takes.
type Cost struct{ Requests, Events, Bytes int }

// Names are the quotas, in the order in which they are asked.
var Names = [...]string{"requests", "events", "bytes"}

// Exceeded says which quota a call is past.
type Exceeded struct {
	// Subject is "tenant NAME" or "key ID".
	Subject string
	// Name is one of Names.
	Name string
	// Rate is the bound, a second.
	Rate float64
	// Wait is when to come again.
	Wait time.Duration
}

// Error implements error.
func (e *Exceeded) Error() string {
	return fmt.Sprintf("the quota of %s of the %s is used up: %g a second; come again in %v",
		e.Name, e.Subject, e.Rate, e.Wait.Round(time.Millisecond))
}

// Keeper counts.
type Keeper struct {
	settings atomic.Pointer[Settings]
	now      func() time.Time
	tenants  sync.Map // of *meter, by name
	keys     sync.Map // of *meter, by id
}

// New returns a Keeper that has counted nothing.
func New(settings Settings) *Keeper {
	k := &Keeper{now: time.Now}
	k.Change(settings)
	return k
}

// Change has further calls counted by other settings. What was counted stays.
func (k *Keeper) Change(settings Settings) { k.settings.Store(&settings) }

// meter counts what one tenant or one key takes.
type meter struct {
	buckets [len(Names)]bucket
	refused [len(Names)]atomic.Uint64 // of a tenant: calls past its quotas and its keys'
}

func meterOf(m *sync.Map, name string) *meter {
	if v, ok := m.Load(name); ok {
		return v.(*meter)
	}
	v, _ := m.LoadOrStore(name, &meter{})
	return v.(*meter)
}

// rates are the bounds of a quota in the order of Names.
func rates(q record.Quota) [len(Names)]float64 { return [...]float64{q.Requests, q.Events, q.Bytes} }

// orElse takes what a quota leaves open from another one.
func orElse(q, other record.Quota) record.Quota {
	if q.Requests == 0 {
		q.Requests = other.Requests
	}
	if q.Events == 0 {
		q.Events = other.Events
	}
	if q.Bytes == 0 {
		q.Bytes = other.Bytes
	}
	return q
}

func (k *Keeper) ofTenant(name string) record.Quota {
	s := k.settings.Load()
	return orElse(s.Tenants[name], s.Tenant)
}

func (k *Keeper) ofKey(p auth.Principal) record.Quota {
	if p.KeyID == "" {
		return record.Quota{}
	}
	if p.Role == record.RoleBrowser {
		return orElse(p.Quota, k.settings.Load().Browser)
	}
	return orElse(p.Quota, k.settings.Load().Key)
}

// CountsBytes reports whether the bytes of a caller are bounded, which take time to count.
func (k *Keeper) CountsBytes(p auth.Principal) bool {
	return k.ofTenant(p.Tenant).Bytes > 0 || k.ofKey(p).Bytes > 0
}

// Take takes what a message costs from the quotas of its key and its tenant, or returns the
// first that has nothing left and takes nothing.
func (k *Keeper) Take(p auth.Principal, cost Cost) *Exceeded {
	now := k.now().UnixNano()
	n := [...]float64{float64(cost.Requests), float64(cost.Events), float64(cost.Bytes)}
	ofKey, ofTenant := rates(k.ofKey(p)), rates(k.ofTenant(p.Tenant))
	tenant := meterOf(&k.tenants, p.Tenant)
	var key *meter
	if p.KeyID != "" {
		key = meterOf(&k.keys, p.KeyID)
	}
	for i := range Names {
		if n[i] == 0 {
			continue
		}
		if ofKey[i] > 0 {
			if wait := key.buckets[i].wait(now); wait > 0 {
				tenant.refused[i].Add(1)
				return &Exceeded{Subject: "key " + p.KeyID, Name: Names[i], Rate: ofKey[i], Wait: wait}
			}
		}
		if ofTenant[i] > 0 {
			if wait := tenant.buckets[i].wait(now); wait > 0 {
				tenant.refused[i].Add(1)
				return &Exceeded{Subject: "tenant " + p.Tenant, Name: Names[i], Rate: ofTenant[i], Wait: wait}
			}
		}
	}
	for i := range Names {
		if ofKey[i] > 0 && n[i] > 0 {
			key.buckets[i].take(now, n[i], ofKey[i])
		}
		if ofTenant[i] > 0 && n[i] > 0 {
			tenant.buckets[i].take(now, n[i], ofTenant[i])
		}
	}
	return nil
}

// Refused gives, for each tenant that has called, how many messages were past each quota, in
// the order of Names. A message of a stream counts each time that it is held back.
func (k *Keeper) Refused(each func(tenant string, refused [len(Names)]uint64)) {
	k.tenants.Range(func(name, v any) bool {
		var n [len(Names)]uint64
		for i := range n {
			n[i] = v.(*meter).refused[i].Load()
		}
		each(name.(string), n)
		return true
	})
}
