package store

import (
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// A list that is shown again within seconds is most of what a busy shop shows. What it
// showed stands once, in the decision of the first time, and the others name that: a tenth
// of the bytes. A decision is put so only after the other is on disk, is of the same person
// and expires no earlier, so that what it names is there as long as it is but for moments: at
// the end of their life, or after a power cut, which may take the last decisions of one log
// and not those of the next. Such a decision is gone with the other.

// repeats finds what decisions that repeat others showed. It holds for one transaction.
type repeats struct {
	t     *Tenant
	txn   *badger.Txn
	known map[string]shownIn
	kept  []decisionBatch // whose decisions are known, as they were read
	bytes int             // of kept
}

// shownIn is a decision that holds what it showed.
type shownIn struct {
	batch *storepb.DecisionBatch
	at    int
}

// repeatsKept bounds the values of the batches that are kept, which take some three times as much in
// memory. Those of five seconds at ten thousand a second fit.
const repeatsKept = 16 << 20

// decision returns decision i of a batch, whole; false: what it repeats is gone.
func (r *repeats) decision(b decisionBatch, i int) (d record.Decision, there bool, err error) {
	if d, err = fromBatch(b.DecisionBatch, i); err != nil {
		return d, false, err
	}
	id := b.Decision[i].Again
	if id == "" {
		return d, true, nil
	}
	first, there, err := r.find(id)
	if err != nil || !there {
		return d, false, err
	}
	showed, err := fromBatch(first.batch, first.at)
	d.Items, d.Losers, d.FeatureNames = showed.Items, showed.Losers, showed.FeatureNames
	return d, err == nil, err
}

func (r *repeats) find(id string) (shownIn, bool, error) {
	if s, known := r.known[id]; known {
		return s, true, nil
	}
	at, ok := record.DecisionTime(id)
	if !ok {
		return shownIn{}, false, nil
	}
	err := r.t.scanBatches(r.txn, at, at.Add(time.Microsecond), func(b decisionBatch) error {
		r.keep(b)
		return nil
	})
	s, known := r.known[id]
	return s, known, err
}

// keep remembers the decisions of a batch, and forgets those of the batches that were read
// first where they are too many.
func (r *repeats) keep(b decisionBatch) {
	if r.known == nil {
		r.known = make(map[string]shownIn)
	}
	b.key = nil
	r.kept, r.bytes = append(r.kept, b), r.bytes+b.bytes
	for i, m := range b.Decision {
		if m.Again == "" {
			r.known[m.Id] = shownIn{b.DecisionBatch, i}
		}
	}
	for r.bytes > repeatsKept && len(r.kept) > 1 {
		oldest := r.kept[0]
		r.kept, r.bytes = r.kept[1:], r.bytes-oldest.bytes
		for _, m := range oldest.Decision {
			if s, known := r.known[m.Id]; known && s.batch == oldest.DecisionBatch {
				delete(r.known, m.Id)
			}
		}
	}
}
