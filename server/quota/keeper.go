package quota

import (
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
	// KeyCalls is how many calls of one key may be under way at once, streams included.
	KeyCalls int
}

// Cost is what one message takes.
type Cost struct{ Requests, Events, Bytes int }

// Names are the quotas, in the order in which they are asked.
var Names = [...]string{"requests", "events", "bytes"}

// Keeper counts.
type Keeper struct {
	settings atomic.Pointer[Settings]
	now      func() time.Time
	began    time.Time
	tenants  sync.Map // of *meter, by name
	keys     sync.Map // of *meter, by id
}

// New returns a Keeper that has counted nothing.
func New(settings Settings) *Keeper {
	k := &Keeper{now: time.Now, began: time.Now()}
	k.Change(settings)
	return k
}

// elapsed is the time since the Keeper was made, in nanoseconds, by the clock that nobody sets: a wall
// clock that is set back by an hour would refuse for an hour.
func (k *Keeper) elapsed() int64 { return int64(k.now().Sub(k.began)) }

// Change has further calls counted by other settings. What was counted stays.
func (k *Keeper) Change(settings Settings) { k.settings.Store(&settings) }

// meter counts what one tenant or one key takes.
type meter struct {
	buckets [len(Names)]bucket
	refused [len(Names)]atomic.Uint64 // of a tenant: calls past its quotas and its keys'
	told    [len(Names)]atomic.Pointer[Exceeded]

	underWay atomic.Int64  // calls of a key
	over     atomic.Uint64 // of a tenant: calls past its keys' KeyCalls
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

// demand is what a message asks of the two meters that count it.
type demand struct {
	n                [len(Names)]float64
	ofKey, ofTenant  [len(Names)]float64 // bounds; 0: none
	key, tenant      *meter              // key is nil where no key was asked for
	keyID, tenantTag string
}

func (k *Keeper) demand(p auth.Principal, cost Cost) demand {
	d := demand{
		n:     [...]float64{float64(cost.Requests), float64(cost.Events), float64(cost.Bytes)},
		ofKey: rates(k.ofKey(p)), ofTenant: rates(k.ofTenant(p.Tenant)), tenant: meterOf(&k.tenants, p.Tenant), keyID: p.KeyID, tenantTag: p.Tenant,
	}
	if p.KeyID != "" {
		d.key = meterOf(&k.keys, p.KeyID)
	}
	return d
}

// past is the first quota that has nothing left; nil: none.
func (d *demand) past(now int64) *Exceeded {
	for i := range Names {
		if d.n[i] == 0 {
			continue
		}
		if d.ofKey[i] > 0 {
			if wait := d.key.buckets[i].wait(now); wait > 0 {
				d.tenant.refused[i].Add(1)
				return d.key.tell(i, "key", d.keyID, d.ofKey[i], now, wait)
			}
		}
		if d.ofTenant[i] > 0 {
			if wait := d.tenant.buckets[i].wait(now); wait > 0 {
				d.tenant.refused[i].Add(1)
				return d.tenant.tell(i, "tenant", d.tenantTag, d.ofTenant[i], now, wait)
			}
		}
	}
	return nil
}

// Ahead returns the first quota that has nothing left for a message of such a cost, and takes nothing. Nil: Take may still
// refuse it, for it is asked later and knows the whole message.
func (k *Keeper) Ahead(p auth.Principal, cost Cost) *Exceeded {
	d := k.demand(p, cost)
	return d.past(k.elapsed())
}

// Take takes what a message costs from the quotas of its key and its tenant, or returns the
// first that has nothing left and takes nothing.
func (k *Keeper) Take(p auth.Principal, cost Cost) *Exceeded {
	d, now := k.demand(p, cost), k.elapsed()
	if over := d.past(now); over != nil {
		return over
	}
	for i := range Names {
		if d.ofKey[i] > 0 && d.n[i] > 0 {
			d.key.buckets[i].take(now, d.n[i], d.ofKey[i])
		}
		if d.ofTenant[i] > 0 && d.n[i] > 0 {
			d.tenant.buckets[i].take(now, d.n[i], d.ofTenant[i])
		}
	}
	return nil
}

// Refused gives, for each tenant that has called, how many messages were past each quota of Names, and calls past Calls. A
// message of a stream counts each time that it is held back.
func (k *Keeper) Refused(each func(tenant, quota string, refused uint64)) {
	k.tenants.Range(func(name, v any) bool {
		m := v.(*meter)
		for i, quota := range Names {
			each(name.(string), quota, m.refused[i].Load())
		}
		each(name.(string), Calls, m.over.Load())
		return true
	})
}
