package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Interaction is an event of a sequence, with its item as a dense number.
type Interaction struct {
	Item      uint32 // index into Split.Items
	Type      string
	Time      int64 // Unix milliseconds
	Value     float64
	HasValue  bool
	Synthetic bool
}

// Sequence is what one user did, oldest first. It is only lent: sequences, histories and the splits made from one another
// share memory.
type Sequence struct {
	User   string
	Events []Interaction
}

// Query is one test question: after this history, which item comes next? There is one right answer.
type Query struct {
	User    string
	History []Interaction // oldest first; may be input to a model, never training data
	Target  uint32        // index into Split.Items
	Cold    bool          // the target was removed from training by Split.Cold
}

// Split is a dataset cut for evaluation. It does not change once made and may be read by many goroutines. Sequences in
// Train and histories of Valid hold nothing of the test.
type Split struct {
	Items    []Item     // dense: item i is Items[i], in catalog order
	Unlisted int        // the last Unlisted of Items stand in no catalog, only in the log: they have an ID and no more
	Train    []Sequence // in order of first appearance in the log; none is empty
	Valid    []Query    // for tuning and early stopping
	Repeats  bool       // true: a target may stand in its own history (amazon); false: seen items are hidden from the ranking
	ColdItem []bool     // [len(Items)]; nil but after Cold

	index map[string]uint32
	test  func() ([]Query, error)
}

// Test makes the test questions, anew at each call and not before: a program that tunes never needs to hold them.
func (s *Split) Test() ([]Query, error) {
	queries, err := s.test()
	if err != nil {
		return nil, err
	}
	s.flag(queries)
	return queries, nil
}

// Number is the dense number of an item.
func (s *Split) Number(id string) (uint32, bool) {
	n, ok := s.index[id]
	return n, ok
}

// Counts says how many events Train holds of each item: [len(Items)].
func (s *Split) Counts() []int {
	counts := make([]int, len(s.Items))
	for _, seq := range s.Train {
		for _, e := range seq.Events {
			counts[e.Item]++
		}
	}
	return counts
}

// SplitOptions bound and choose what a split is made of. The zero value is the protocol that figures are quoted for.
type SplitOptions struct {
	// Types are the event types that count; empty means all, but for movielens, where it means ratings.
	Types []string
	// MaxItems and MaxEvents bound memory, at roughly the text of an item and 64 bytes an event; 0 means 10 million and 100
	// million. A larger source ends in ErrLimit.
	MaxItems, MaxEvents int
	// OnRowError is told of each bad row and returns nil to go on without it. nil stops at the first.
	OnRowError func(*RowError) error
}

const (
	defaultMaxItems  = 10_000_000
	defaultMaxEvents = 100_000_000
)

// NewSplit cuts a source by the protocol that fits it: Published for a TestSource, LeaveOneOut for any other.
func NewSplit(src Source, opts SplitOptions) (*Split, error) {
	if tested, ok := src.(TestSource); ok {
		return Published(tested, opts)
	}
	return LeaveOneOut(src, opts)
}

// gather reads catalog and log into a split whose Train holds everything.
func gather(src Source, opts SplitOptions) (*Split, error) {
	if opts.MaxItems < 0 || int64(opts.MaxItems) > math.MaxUint32 || opts.MaxEvents < 0 {
		return nil, fmt.Errorf("dataset: MaxItems %d, MaxEvents %d: must not be negative, and MaxItems not beyond %d; 0 means the default",
			opts.MaxItems, opts.MaxEvents, uint32(math.MaxUint32))
	}
	if opts.MaxItems == 0 {
		opts.MaxItems = defaultMaxItems
	}
	if opts.MaxEvents == 0 {
		opts.MaxEvents = defaultMaxEvents
	}
	if _, ok := src.(*movieLens); ok && len(opts.Types) == 0 {
		opts.Types = []string{TypeRating}
	}
	g := &gatherer{opts: opts, split: &Split{index: map[string]uint32{}}, users: map[string]int{}, types: map[string]string{}}
	for item, err := range src.Items() {
		if err == nil {
			err = g.item(item)
		}
		if err = g.tolerate(err); err != nil {
			return nil, err
		}
	}
	for event, err := range src.Events() {
		if err == nil {
			err = g.event(event)
		}
		if err = g.tolerate(err); err != nil {
			return nil, err
		}
	}
	for _, seq := range g.split.Train {
		// Stable: on ties the order of the log stands.
		slices.SortStableFunc(seq.Events, func(a, b Interaction) int { return compareTime(a.Time, b.Time) })
	}
	return g.split, nil
}

func compareTime(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

type gatherer struct {
	opts   SplitOptions
	split  *Split
	users  map[string]int
	types  map[string]string
	events int
}

func (g *gatherer) tolerate(err error) error {
	var rowErr *RowError
	if err == nil || g.opts.OnRowError == nil || !errors.As(err, &rowErr) {
		return err
	}
	return g.opts.OnRowError(rowErr)
}

func (g *gatherer) item(item Item) error {
	if len(g.split.Items) == g.opts.MaxItems {
		return fmt.Errorf("dataset: %w: more than %d items; raise MaxItems", ErrLimit, g.opts.MaxItems)
	}
	if _, known := g.split.index[item.ID]; known {
		return bad("id", item.ID, "item stands in the catalog twice")
	}
	g.split.index[item.ID] = uint32(len(g.split.Items))
	g.split.Items = append(g.split.Items, item)
	return nil
}

func (g *gatherer) event(e Event) error {
	if len(g.opts.Types) > 0 && !slices.Contains(g.opts.Types, e.Type) {
		return nil
	}
	if g.events == g.opts.MaxEvents {
		return fmt.Errorf("dataset: %w: more than %d events; raise MaxEvents", ErrLimit, g.opts.MaxEvents)
	}
	g.events++
	if _, known := g.split.index[e.Item]; !known {
		if err := g.item(Item{ID: e.Item}); err != nil {
			return err
		}
		g.split.Unlisted++
	}
	who := e.User
	if who == "" {
		who = e.Session
	}
	at, known := g.users[who]
	if !known {
		at = len(g.split.Train)
		g.users[who] = at
		g.split.Train = append(g.split.Train, Sequence{User: who})
	}
	if _, known := g.types[e.Type]; !known {
		g.types[e.Type] = e.Type
	}
	seq := &g.split.Train[at]
	seq.Events = append(seq.Events, Interaction{Item: g.split.index[e.Item], Type: g.types[e.Type], Time: e.Time.UnixMilli(),
		Value: e.Value, HasValue: e.HasValue, Synthetic: e.Synthetic})
	return nil
}
