package dataset

import (
	"fmt"

	"github.com/kindred-rec/kindred/loadtest/dataset/internal/mt19937"
)

// LeaveOneOut cuts each user's events in time order: the last item is the test, asked after all before it; the one before
// it the validation, asked after all before that; the rest is for training. A user with fewer than three events is for
// training alone: there would be no history to ask with.
func LeaveOneOut(src Source, opts SplitOptions) (*Split, error) {
	s, err := gather(src, opts)
	if err != nil {
		return nil, err
	}
	var whole []Sequence
	for i, seq := range s.Train {
		n := len(seq.Events)
		if n < 3 {
			continue
		}
		whole = append(whole, seq)
		s.Train[i].Events = seq.Events[: n-2 : n-2]
		s.Valid = append(s.Valid, last(seq.User, seq.Events[:n-1]))
	}
	s.test = func() ([]Query, error) {
		queries := make([]Query, len(whole))
		for i, seq := range whole {
			queries[i] = last(seq.User, seq.Events)
		}
		return queries, nil
	}
	return s, nil
}

// last asks for the last event, given those before it.
func last(user string, events []Interaction) Query {
	n := len(events) - 1
	return Query{User: user, History: events[:n:n], Target: events[n].Item}
}

// The published amazon protocol: which sequences validation is drawn from.
const (
	validationSeed      = 1
	validationSequences = 600
)

// Published takes the test from the source's own test rows. Validation is the last item of up to 600 sequences, those of
// numpy.random.RandomState(1).permutation(sequences)[:600] with more than two events, and that item is taken out of
// training. The histories of test rows have no times: their events are purchases, synthetic, one second apart from 1970 on.
// Targets may repeat what is in their history. The log must not hold the test rows.
func Published(src TestSource, opts SplitOptions) (*Split, error) {
	s, err := gather(src, opts)
	if err != nil {
		return nil, err
	}
	s.Repeats = true
	held := make([]bool, len(s.Train))
	order := mt19937.New(validationSeed).Permutation(len(s.Train))
	for _, i := range order[:min(validationSequences, len(order))] {
		held[i] = true
	}
	for i, seq := range s.Train {
		if n := len(seq.Events); held[i] && n > 2 {
			s.Valid = append(s.Valid, last(seq.User, seq.Events))
			s.Train[i].Events = seq.Events[: n-1 : n-1]
		}
	}
	s.test = func() ([]Query, error) { return publishedTest(src, s, opts) }
	return s, nil
}

func publishedTest(src TestSource, s *Split, opts SplitOptions) ([]Query, error) {
	g := &gatherer{opts: opts}
	var queries []Query
	for c, err := range src.Cases() {
		var q Query
		if err == nil {
			q, err = s.query(c)
		}
		if err != nil {
			if err = g.tolerate(err); err != nil {
				return nil, err
			}
			continue
		}
		queries = append(queries, q)
	}
	return queries, nil
}

// query numbers the items of a test row. Its events have no times and no types: they are purchases in order.
func (s *Split) query(c Case) (Query, error) {
	q := Query{User: c.User, History: make([]Interaction, len(c.History))}
	var ok bool
	for i, id := range c.History {
		n, ok := s.index[id]
		if !ok {
			return Query{}, unknownItem(c, "history", id)
		}
		q.History[i] = Interaction{Item: n, Type: TypePurchase, Time: int64(i) * 1000, Synthetic: true}
	}
	if q.Target, ok = s.index[c.Target]; !ok {
		return Query{}, unknownItem(c, "target", c.Target)
	}
	return q, nil
}

func unknownItem(c Case, column, id string) error {
	return fmt.Errorf("dataset: test row of user %s: %w", c.User, bad(column, id, "item stands neither in the catalog nor in the log"))
}
