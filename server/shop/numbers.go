package shop

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
)

// numbers remembers the numbers of users and sessions. A read of the store waits for
// writes that are under way, some milliseconds under load, and most requests are of
// people who were here a moment ago. Who has no number yet is asked for every time.
//
// A number changes when a session is merged or a person erased. Then all is
// forgotten, and what was read before is not taken in any more.
type numbers struct {
	seed   maphash.Seed
	limit  int // of a shard; one that is full is forgotten
	epoch  atomic.Uint64
	shards [numberShards]numberShard
}

const numberShards = 32

type numberShard struct {
	mu              sync.RWMutex
	users, sessions map[string]uint64
}

// bytesPerNumber is how many bytes of profiles there are for each person whose number is
// remembered: that of a small profile, so that who is in memory needs no look into the store.
const bytesPerNumber = 2048

// newNumbers remembers at most limit people.
func newNumbers(limit int) *numbers {
	n := &numbers{seed: maphash.MakeSeed(), limit: max(1, limit/numberShards)}
	for i := range n.shards {
		n.shards[i].clear()
	}
	return n
}

func (s *numberShard) clear() { s.users, s.sessions = map[string]uint64{}, map[string]uint64{} }

// of says where a person stands: in users, or in sessions where user is empty.
func (s *numberShard) of(user, session string) (map[string]uint64, string) {
	if user != "" {
		return s.users, user
	}
	return s.sessions, session
}

// userNumber returns the number of a user, or of a session where user is empty.
func (s *Shop) userNumber(user, session string) (uint64, bool) {
	n := s.numbers
	key := user
	if user == "" {
		key = session
	}
	shard := &n.shards[maphash.String(n.seed, key)%numberShards]
	shard.mu.RLock()
	people, id := shard.of(user, session)
	number, known := people[id]
	shard.mu.RUnlock()
	if known {
		return number, true
	}
	epoch := n.epoch.Load() // before the store is read
	if number, known = s.log.UserNumber(user, session); !known {
		return 0, false
	}
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if n.epoch.Load() != epoch {
		return number, true
	}
	if len(shard.users)+len(shard.sessions) >= n.limit {
		shard.clear()
	}
	people, id = shard.of(user, session)
	people[strings.Clone(id)] = number
	return number, true
}

// forget drops all. The applier calls it when a merge or an erase is applied.
func (n *numbers) forget() {
	n.epoch.Add(1)
	for i := range n.shards {
		s := &n.shards[i]
		s.mu.Lock()
		s.clear()
		s.mu.Unlock()
	}
}
