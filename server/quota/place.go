package quota

import (
	"time"

	"github.com/kindred-rec/kindred/server/auth"
)

// Place is a call's among those of its key that are under way. The zero Place counts nothing.
type Place struct{ of *meter }

// Leave ends the call. Call it once.
func (p Place) Leave() {
	if p.of != nil {
		p.of.underWay.Add(-1)
	}
}

// Enter counts a call among those of its key that are under way, or says that there are as many as Settings.KeyCalls. A
// caller without a key is not counted.
func (k *Keeper) Enter(p auth.Principal) (Place, *Exceeded) {
	bound := int64(k.settings.Load().KeyCalls)
	if p.KeyID == "" {
		return Place{}, nil
	}
	m := meterOf(&k.keys, p.KeyID)
	if n := m.underWay.Add(1); bound == 0 || n <= bound {
		return Place{m}, nil
	}
	m.underWay.Add(-1)
	return Place{}, k.full(p, bound)
}

// Full says, before a call is begun, that Enter would refuse it as things are; nil: it would not.
func (k *Keeper) Full(p auth.Principal) *Exceeded {
	bound := int64(k.settings.Load().KeyCalls)
	if p.KeyID == "" || bound == 0 || meterOf(&k.keys, p.KeyID).underWay.Load() < bound {
		return nil
	}
	return k.full(p, bound)
}

// full counts and tells a call past KeyCalls.
func (k *Keeper) full(p auth.Principal, bound int64) *Exceeded {
	meterOf(&k.tenants, p.Tenant).over.Add(1)
	return &Exceeded{Subject: "key " + p.KeyID, Name: Calls, Rate: float64(bound), Wait: retry}
}

// retry is when somebody with too many calls under way may come again: when one of them ends, which nobody knows.
const retry = 100 * time.Millisecond
