package shop

import (
	"container/list"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/kindred-rec/kindred/ranker"
)

// touch is one event of a user on an item, as small as ranking needs it.
type touch struct {
	seq       uint64
	at        int64 // unix microseconds
	item      uint32
	weight    float32 // negative: it speaks against the item
	kind      ranker.Kind
	hidden    bool // the user asked not to see the item again
	synthetic bool
}

// showing is one impression: an item that the user was shown.
type showing struct {
	seq  uint64
	at   int64 // unix microseconds
	item uint32
}

// profile is what is kept in memory of one user or session. mu guards all
// fields; it is held for a copy or a scan of the store, never while ranking.
type profile struct {
	number uint64

	mu      sync.Mutex
	loaded  bool
	seq     uint64  // log sequence that touches reflect
	touches []touch // oldest first, at most Config.HistoryEvents
	optOut  bool

	showings []showing // the last ones, oldest first, at most keptShowings
	shownSeq uint64    // log sequence that showings reflect

	taste *taste // made for an earlier request, perhaps old; nil: none

	cache   *profiles // that keeps it; nil: none does
	size    int       // bytes, as the cache was last told
	counted int       // bytes that its shard counts for it, guarded by the shard's mu
}

// weigh tells the cache what the profile takes. Whoever changes a profile calls it, and
// holds mu.
func (p *profile) weigh() {
	if p.cache == nil {
		return
	}
	size := profileBytes + cap(p.touches)*touchBytes + cap(p.showings)*showingBytes
	if p.taste != nil {
		size += p.cache.tasteBytes
	}
	if size != p.size {
		p.size = size
		p.cache.count(p, size)
	}
}

// add appends an event that the profile does not reflect yet. The oldest event
// goes when the history is full.
func (p *profile) add(t touch, limit int) {
	if t.seq <= p.seq {
		return
	}
	p.seq = t.seq
	if len(p.touches) == limit {
		copy(p.touches, p.touches[1:])
		p.touches = p.touches[:limit-1]
	}
	p.touches = append(p.touches, t)
}

// show appends an impression that the profile does not reflect yet. The oldest goes when
// there are keptShowings.
func (p *profile) show(x showing) {
	if x.seq <= p.shownSeq {
		return
	}
	p.shownSeq = x.seq
	if len(p.showings) == keptShowings {
		copy(p.showings, p.showings[1:])
		p.showings = p.showings[:keptShowings-1]
	}
	p.showings = append(p.showings, x)
}

// keptShowings is how many of a user's last impressions count.
const keptShowings = 200

// profileShards spreads lock contention; a power of two.
const profileShards = 32

const (
	// profileBytes is what an empty profile takes, with its places in map and list.
	profileBytes = 512
	touchBytes   = 32
	showingBytes = 24
	nearestBytes = 1024
	rankingBytes = (keptItems + losers) * int(unsafe.Sizeof(ranker.Ranked{}))
)

// profiles is a cache of profiles, least recently used out first, bounded by what they
// take: most people leave few traces, and few many. What it drops comes back from the store.
type profiles struct {
	hits, misses atomic.Int64 // profiles asked for that were in memory, and that were read

	tasteBytes int // of a profile's vector, the items nearest to it, and a ranking
	shards     [profileShards]profileShard
}

type profileShard struct {
	mu    sync.Mutex
	limit int // of bytes
	bytes int
	by    map[uint64]*list.Element
	order *list.List // of *profile, most recently used first
}

// newProfiles bounds the cache by bytes; vectors have dim components.
func newProfiles(bytes int64, dim int) *profiles {
	c := &profiles{tasteBytes: dim*4 + nearestBytes + rankingBytes}
	for i := range c.shards {
		c.shards[i] = profileShard{limit: int(bytes / profileShards), by: map[uint64]*list.Element{}, order: list.New()}
	}
	return c
}

// get returns the profile of a number, an empty unloaded one if it is not here.
func (c *profiles) get(number uint64) *profile {
	s := &c.shards[number%profileShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.by[number]; ok {
		s.order.MoveToFront(e)
		return e.Value.(*profile)
	}
	p := &profile{number: number, cache: c, size: profileBytes, counted: profileBytes}
	s.by[number] = s.order.PushFront(p)
	s.bytes += p.counted
	s.shrink()
	return p
}

// count corrects what is counted for a profile, if it is still here.
func (c *profiles) count(p *profile, size int) {
	s := &c.shards[p.number%profileShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.by[p.number]; !ok || e.Value.(*profile) != p {
		return
	}
	s.bytes += size - p.counted
	p.counted = size
	s.shrink()
}

// shrink drops the least recently used ones past the bound; the last used one stays.
func (s *profileShard) shrink() {
	for s.bytes > s.limit && s.order.Len() > 1 {
		s.remove(s.order.Back())
	}
}

func (s *profileShard) remove(e *list.Element) {
	p := s.order.Remove(e).(*profile)
	delete(s.by, p.number)
	s.bytes -= p.counted
}

// peek returns the profile of a number if it is in memory, else nil.
func (c *profiles) peek(number uint64) *profile {
	s := &c.shards[number%profileShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.by[number]; ok {
		return e.Value.(*profile)
	}
	return nil
}

// recent lists the profiles in memory, about the last used first.
func (c *profiles) recent() []*profile {
	var next [profileShards][]*profile
	longest := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for e := s.order.Front(); e != nil; e = e.Next() {
			next[i] = append(next[i], e.Value.(*profile))
		}
		s.mu.Unlock()
		longest = max(longest, len(next[i]))
	}
	var list []*profile
	for at := range longest {
		for i := range next {
			if at < len(next[i]) {
				list = append(list, next[i][at])
			}
		}
	}
	return list
}

// drop forgets a profile; it is read anew when it is next asked for.
func (c *profiles) drop(number uint64) {
	s := &c.shards[number%profileShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.by[number]; ok {
		s.remove(e)
	}
}

// held returns the number of profiles in memory, and the bytes that they take.
func (c *profiles) held() (count int, bytes int64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		count, bytes = count+s.order.Len(), bytes+int64(s.bytes)
		s.mu.Unlock()
	}
	return count, bytes
}
