package store

import (
	"sync/atomic"
	"time"
)

// Stats counts what the committer did since the store was opened.
type Stats struct {
	Groups    uint64        // groups written; each is one sync or, if large, some more
	Mutations uint64        // mutations decided, whatever became of them
	Syncs     uint64        // syncs to the disk
	SyncTime  time.Duration // time in them, all together
	// Waiting is how many mutations are in the queue now, and WaitingBytes their size.
	Waiting      int
	WaitingBytes int64
}

// counters are the running counts behind Stats.
type counters struct {
	groups, mutations, syncs, syncNanos atomic.Uint64
}

// Stats returns the counts. It is cheap.
func (s *Store) Stats() Stats {
	waiting, bytes := s.queue.size()
	return Stats{
		Groups: s.counters.groups.Load(), Mutations: s.counters.mutations.Load(),
		Syncs: s.counters.syncs.Load(), SyncTime: time.Duration(s.counters.syncNanos.Load()),
		Waiting: waiting, WaitingBytes: bytes,
	}
}
