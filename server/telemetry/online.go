package telemetry

import (
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// Online counts what came of lists that were served: how many were clicked, put into a
// cart, bought from, by policy. A list counts once for each outcome, so that clicked by
// served is a share.
//
// Events name the list by its recommendation id. Lists are remembered for a window of
// time and up to a number of them, in a table of a fixed size; one that is overwritten
// within the window, because more are served than it holds, is counted as such, and what
// came of it later is not told. It is a measure to watch, not to judge policies by:
// experiments and the decision log are for that.
type Online struct {
	window time.Duration
	since  time.Time
	shards [onlineShards]onlineShard

	mu     sync.RWMutex
	series map[onlineKey]*onlineSeries
	list   []*onlineSeries // by number

	lists                  *prometheus.CounterVec
	unmatched, overwritten prometheus.Counter
}

const (
	onlineShards = 64 // a power of two
	onlineWays   = 4  // places that one list may stand in
	// maxOnlineSeries bounds tenants and policies together; further ones share one series.
	maxOnlineSeries = 1024
)

type onlineKey struct{ tenant, policy string }

// onlineSeries counts one tenant's policy.
type onlineSeries struct {
	number   uint32
	outcomes [outcomeCount]prometheus.Counter
}

// outcome is what came of a list.
type outcome int

const (
	served outcome = iota
	clicked
	carted
	purchased
	outcomeCount
)

var outcomeNames = [outcomeCount]string{"served", "clicked", "carted", "purchased"}

// outcomeOf is what an event type says of a list; false for those that say nothing.
func outcomeOf(event string) (outcome, bool) {
	switch event {
	case "click":
		return clicked, true
	case "add_to_cart":
		return carted, true
	case "purchase":
		return purchased, true
	}
	return 0, false
}

type onlineShard struct {
	mu    sync.Mutex
	slots []onlineSlot
}

// onlineSlot is one list: 24 bytes.
type onlineSlot struct {
	id     uint64 // hash of tenant and recommendation id; 0: empty
	at     int64  // unix seconds
	series uint32
	seen   uint8 // bits by outcome
}

// NewOnline remembers lists for a window, at most about so many, and registers
// kindred_online_*. Memory is 24 bytes a list.
func NewOnline(r prometheus.Registerer, window time.Duration, lists int, now time.Time) *Online {
	o := &Online{
		window: window, since: now, series: map[onlineKey]*onlineSeries{},
		lists: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kindred_online_lists_total", Help: "Lists served, and those of them that an event by their recommendation id came of within the window; each once an outcome.",
		}, []string{"tenant", "policy", "outcome"}),
		unmatched: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kindred_online_unmatched_total", Help: "Clicks, carts and purchases whose recommendation id is not remembered (any more).",
		}),
		overwritten: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kindred_online_overwritten_total", Help: "Lists that were forgotten within the window, for want of space.",
		}),
	}
	sets := 1
	for sets*onlineShards*onlineWays < lists {
		sets *= 2
	}
	for i := range o.shards {
		o.shards[i].slots = make([]onlineSlot, sets*onlineWays)
	}
	r.MustRegister(o.lists, o.unmatched, o.overwritten)
	return o
}

// Served notes a list that was served by a policy, "name/version".
func (o *Online) Served(tenant, id, policy string, at time.Time) {
	s := o.seriesOf(tenant, policy)
	s.outcomes[served].Inc()
	hash := onlineHash(tenant, id)
	shard, set := o.place(hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	oldest := &set[0]
	for i := range set {
		if set[i].at < oldest.at {
			oldest = &set[i]
		}
	}
	if oldest.id != 0 && at.Unix()-oldest.at <= int64(o.window.Seconds()) {
		o.overwritten.Inc()
	}
	*oldest = onlineSlot{id: hash, at: at.Unix(), series: s.number}
}

// Acted notes an event that names the list it came of. Events from before the start say
// nothing: their lists are not remembered.
func (o *Online) Acted(tenant, id, event string, at time.Time) {
	what, ok := outcomeOf(event)
	if !ok || id == "" || at.Before(o.since) {
		return
	}
	hash := onlineHash(tenant, id)
	shard, set := o.place(hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	for i := range set {
		slot := &set[i]
		if slot.id != hash || at.Unix()-slot.at > int64(o.window.Seconds()) {
			continue
		}
		if bit := uint8(1) << what; slot.seen&bit == 0 {
			slot.seen |= bit
			o.numbered(slot.series).outcomes[what].Inc()
		}
		return
	}
	o.unmatched.Inc()
}

// place returns the shard of a list and the slots that it may stand in.
func (o *Online) place(hash uint64) (*onlineShard, []onlineSlot) {
	shard := &o.shards[hash%onlineShards]
	set := int(hash/onlineShards) & (len(shard.slots)/onlineWays - 1)
	return shard, shard.slots[set*onlineWays : (set+1)*onlineWays]
}

// onlineHash is never 0. One tenant's id says nothing of another's list.
func onlineHash(tenant, id string) uint64 {
	return max(1, xxhash.Sum64String(id)^xxhash.Sum64String(tenant)*0x9e3779b97f4a7c15)
}

// seriesOf returns the counters of a policy, whatever its version.
func (o *Online) seriesOf(tenant, policy string) *onlineSeries {
	name, _, _ := strings.Cut(policy, "/")
	key := onlineKey{tenant, name}
	o.mu.RLock()
	s := o.series[key]
	o.mu.RUnlock()
	if s != nil {
		return s
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.series[key]; s != nil {
		return s
	}
	if len(o.list) >= maxOnlineSeries-1 {
		key = onlineKey{"other", "other"}
		if s := o.series[key]; s != nil {
			return s
		}
	}
	s = &onlineSeries{number: uint32(len(o.list))}
	for i := range s.outcomes {
		s.outcomes[i] = o.lists.WithLabelValues(key.tenant, key.policy, outcomeNames[i])
	}
	o.series[key] = s
	o.list = append(o.list, s)
	return s
}

func (o *Online) numbered(n uint32) *onlineSeries {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.list[n]
}
