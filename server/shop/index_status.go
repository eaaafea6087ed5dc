package shop

import "time"

// IndexStatus says what finds the nearest vectors, and how well.
type IndexStatus struct {
	Engine  Engine
	Storage string // how vectors are kept: float32, int8
	Items   int64
	// Bytes are resident memory, MappedBytes files that the system may drop from
	// memory and read again.
	Bytes, MappedBytes int64
	Effort             int // of a search (efSearch); 0 for Flat, which has none

	// Recall is what the last self-check found of the exact nearest, 0 to 1, at RecallK;
	// RecallTime is when, zero if there was none. Flat is exact: 1, and never checked.
	Recall     float64
	RecallK    int
	RecallTime time.Time
	// RecallLow: recall is below what it should be with the largest effort.
	RecallLow bool

	// SnapshotTime is when the snapshot on disk was written; zero: there is none.
	SnapshotTime time.Time
	// RestoredTime is when the snapshot was written that this generation was loaded
	// from; zero: it was built. Repaired counts the items that had changed since.
	RestoredTime time.Time
	Repaired     int64

	// Building is the engine of an index that is being built; empty: none is.
	// Progress is how much of it is done, 0 to 1.
	Building Engine
	Progress float64
}

// indexStatus describes the index of a generation, and the one being built.
func (s *Shop) indexStatus(g *generation) IndexStatus {
	stats := g.index.Stats()
	st := IndexStatus{
		Engine: g.engine, Storage: stats.Storage, Items: int64(stats.Items),
		Bytes: stats.VectorBytes + stats.LinkBytes + stats.OtherBytes, MappedBytes: stats.MappedBytes,
		Effort: int(g.nearest.effort.Load()), RestoredTime: g.restored.from,
		Repaired: g.restored.added + g.restored.changed + g.restored.removed,
	}
	if g.engine == Flat {
		st.Recall = 1
	}
	if c := g.check.Load(); c != nil {
		st.Recall, st.RecallK, st.RecallTime, st.RecallLow = c.recall, c.k, c.at, c.low
	}
	if at := s.snapshotTime.Load(); at != 0 {
		st.SnapshotTime = time.Unix(0, at)
	}
	if p := s.building.Load(); p != nil {
		st.Building, st.Progress = p.engine, p.share()
	}
	return st
}
