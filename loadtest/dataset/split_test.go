package dataset

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// memory is a source whose rows are at hand.
type memory struct {
	items  []Item
	events []Event
	fault  error // yielded in the middle of the events
}

func (m memory) Items() iter.Seq2[Item, error] { return withFault(m.items, nil) }

func (m memory) Events() iter.Seq2[Event, error] { return withFault(m.events, m.fault) }

func withFault[T any](rows []T, fault error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for i, row := range rows {
			if fault != nil && i == len(rows)/2 {
				var zero T
				if !yield(zero, fault) {
					return
				}
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

type tested struct {
	memory
	cases []Case
}

func (m tested) Cases() iter.Seq2[Case, error] { return withFault(m.cases, nil) }

func at(user, item string, second int64) Event {
	return Event{User: user, Item: item, Type: TypeView, Time: time.Unix(second, 0)}
}

func named(ids ...string) (items []Item) {
	for _, id := range ids {
		items = append(items, Item{ID: id})
	}
	return items
}

// ids spells a sequence out.
func (s *Split) ids(events []Interaction) string {
	text := ""
	for _, e := range events {
		text += s.Items[e.Item].ID
	}
	return text
}

func (s *Split) trainText() (list []string) {
	for _, seq := range s.Train {
		list = append(list, seq.User+":"+s.ids(seq.Events))
	}
	return list
}

func (s *Split) queryText(queries []Query) (list []string) {
	for _, q := range queries {
		list = append(list, fmt.Sprintf("%s:%s>%s", q.User, s.ids(q.History), s.Items[q.Target].ID))
	}
	return list
}

func mustTest(t testing.TB, s *Split) []Query {
	t.Helper()
	queries, err := s.Test()
	if err != nil {
		t.Fatal(err)
	}
	return queries
}

func wantList(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s is %q, want %q", what, got, want)
	}
}

func TestLeaveOneOutCutsByTime(t *testing.T) {
	src := memory{items: named("a", "b", "c", "d"), events: []Event{
		at("u", "c", 30), at("v", "a", 1), at("u", "a", 10), at("u", "d", 40), at("u", "b", 20), at("v", "b", 2),
		at("w", "x", 5), at("w", "a", 5), at("w", "b", 5), // ties: the order of the log stands; x is in no catalog
	}}
	s, err := NewSplit(src, SplitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "train", s.trainText(), []string{"u:ab", "v:ab", "w:x"})
	wantList(t, "valid", s.queryText(s.Valid), []string{"u:ab>c", "w:x>a"})
	wantList(t, "test", s.queryText(mustTest(t, s)), []string{"u:abc>d", "w:xa>b"})
	if s.Repeats || s.Unlisted != 1 || s.Items[4].ID != "x" {
		t.Errorf("repeats %v, unlisted %d, items %v", s.Repeats, s.Unlisted, s.Items)
	}
	if n, ok := s.Number("d"); !ok || n != 3 {
		t.Errorf("number of d is %d, %v", n, ok)
	}
	if counts := s.Counts(); !slices.Equal(counts, []int{2, 2, 0, 0, 1}) {
		t.Errorf("counts of the train part are %v", counts)
	}
}

func TestAppendingToTrainLeavesTheTestAlone(t *testing.T) {
	s, err := LeaveOneOut(memory{events: []Event{at("u", "a", 1), at("u", "b", 2), at("u", "c", 3)}}, SplitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_ = append(s.Train[0].Events, Interaction{Item: 99})
	_ = append(s.Valid[0].History, Interaction{Item: 99})
	wantList(t, "test", s.queryText(mustTest(t, s)), []string{"u:ab>c"})
}

// No event of the test is in what training or validation sees, and every event of the log is somewhere.
func TestLeaveOneOutLosesAndLeaksNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var src memory
		per := map[string]int{}
		for second := range int64(rapid.IntRange(0, 40).Draw(t, "events")) {
			user := rapid.SampledFrom([]string{"u", "v", "w"}).Draw(t, "user")
			src.events = append(src.events, at(user, fmt.Sprint("i", second), second))
			per[user]++
		}
		s, err := LeaveOneOut(src, SplitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		test, err := s.Test()
		if err != nil {
			t.Fatal(err)
		}
		seen := make([]int, len(s.Items))
		for _, seq := range s.Train {
			for _, e := range seq.Events {
				seen[e.Item]++
			}
		}
		for _, q := range slices.Concat(s.Valid, test) {
			seen[q.Target]++
			if len(q.History) == 0 || len(q.History) >= per[q.User] {
				t.Fatalf("user %s has %d events and a history of %d", q.User, per[q.User], len(q.History))
			}
		}
		for item, n := range seen {
			if n != 1 {
				t.Fatalf("item %d of one event is in %d parts", item, n)
			}
		}
	})
}

func TestPublishedTakesTheTestFromItsRows(t *testing.T) {
	src := tested{memory{items: named("a", "b", "c"), events: []Event{
		at("u", "a", 1), at("u", "b", 2), at("u", "c", 3), at("v", "a", 1), at("v", "b", 2),
	}}, []Case{{User: "u", History: []string{"a", "a"}, Target: "b"}}}
	s, err := NewSplit(src, SplitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "train", s.trainText(), []string{"u:ab", "v:ab"}) // v is too short to hold its last item back
	wantList(t, "valid", s.queryText(s.Valid), []string{"u:ab>c"})
	wantList(t, "test", s.queryText(mustTest(t, s)), []string{"u:aa>b"})
	if !s.Repeats {
		t.Error("published rows allow repeats")
	}
}

func TestTestRowOfAnUnknownItemIsReportedAndMayBePassedOver(t *testing.T) {
	src := tested{memory{events: []Event{at("u", "a", 1)}}, []Case{
		{User: "u", History: []string{"a"}, Target: "nowhere"}, {User: "u", History: []string{"nowhere"}, Target: "a"},
		{User: "u", History: []string{"a"}, Target: "a"}}}
	s, err := Published(src, SplitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var rowErr *RowError
	if _, err := s.Test(); !errors.As(err, &rowErr) || rowErr.Column != "target" || rowErr.Value != "nowhere" {
		t.Errorf("got %v, want a RowError of the target", err)
	}
	told := 0
	s, err = Published(src, SplitOptions{OnRowError: func(*RowError) error { told++; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if queries := mustTest(t, s); len(queries) != 1 || told != 2 {
		t.Errorf("%d queries, told of %d errors, want 1 and 2", len(queries), told)
	}
}

func TestSplitStopsWhereTheCallerSays(t *testing.T) {
	events := []Event{at("u", "a", 1), at("u", "b", 2), at("u", "c", 3)}
	broken, enough := errors.New("disk gone"), errors.New("enough")
	pass := func(*RowError) error { return nil }
	for _, c := range []struct {
		why  string
		src  memory
		opts SplitOptions
		want error
	}{
		{"a row error without a handler", memory{events: events, fault: bad("time", "x", "broken")}, SplitOptions{}, bad("time", "x", "broken")},
		{"a row error that is passed over", memory{events: events, fault: bad("time", "x", "broken")}, SplitOptions{OnRowError: pass}, nil},
		{"a row error too many", memory{events: events, fault: bad("time", "x", "broken")}, SplitOptions{OnRowError: func(*RowError) error { return enough }}, enough},
		{"a file error is never passed over", memory{events: events, fault: broken}, SplitOptions{OnRowError: pass}, broken},
		{"too many events", memory{events: events}, SplitOptions{MaxEvents: 2}, ErrLimit},
		{"as many events as allowed", memory{events: events}, SplitOptions{MaxEvents: 3}, nil},
		{"too many items", memory{items: named("a", "b")}, SplitOptions{MaxItems: 1}, ErrLimit},
		{"too many items by the log", memory{items: named("a"), events: events}, SplitOptions{MaxItems: 2}, ErrLimit},
	} {
		_, err := LeaveOneOut(c.src, c.opts)
		if rowErr, ok := c.want.(*RowError); ok {
			if got, ok := err.(*RowError); !ok || *got != *rowErr {
				t.Errorf("%s: %v, want %v", c.why, err, c.want)
			}
		} else if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.why, err, c.want)
		}
	}
	for _, opts := range []SplitOptions{{MaxItems: -1}, {MaxEvents: -1}, {MaxItems: math.MaxInt}} {
		if _, err := LeaveOneOut(memory{events: events}, opts); err == nil {
			t.Errorf("bounds of %+v are taken", opts)
		}
	}
	var rowErr *RowError
	if _, err := LeaveOneOut(memory{items: named("a", "a")}, SplitOptions{}); !errors.As(err, &rowErr) {
		t.Errorf("an item that stands twice: %v", err)
	}
}

func TestTypesChooseTheEvents(t *testing.T) {
	comment := at("u", "c", 3)
	comment.Type = TypeComment
	s, err := LeaveOneOut(memory{events: []Event{at("u", "a", 1), comment, at("u", "b", 4)}}, SplitOptions{Types: []string{TypeView}})
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "train", s.trainText(), []string{"u:ab"})
}

func TestColdItemsLeaveTrainingAndAreFlagged(t *testing.T) {
	var src memory
	for u := range 40 {
		for i := range 6 {
			src.events = append(src.events, at(fmt.Sprint("u", u), fmt.Sprint("i", (u*7+i*3)%50), int64(i)))
		}
	}
	s, err := LeaveOneOut(src, SplitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	before := s.trainText()
	cold, err := s.Cold(0.2, 1)
	if err != nil {
		t.Fatal(err)
	}
	removed := 0
	for i, n := range cold.Counts() {
		if cold.ColdItem[i] {
			if removed++; n != 0 {
				t.Errorf("cold item %d has %d events in training", i, n)
			}
		} else if n != s.Counts()[i] {
			t.Errorf("warm item %d has %d events in training, %d before", i, n, s.Counts()[i])
		}
	}
	if removed != len(s.Items)/5 {
		t.Errorf("%d of %d items are cold, want a fifth", removed, len(s.Items))
	}
	flagged := 0
	for _, queries := range [][]Query{cold.Valid, mustTest(t, cold)} {
		for _, q := range queries {
			if q.Cold != cold.ColdItem[q.Target] {
				t.Errorf("target %d: flag %v, cold %v", q.Target, q.Cold, cold.ColdItem[q.Target])
			}
			if q.Cold {
				flagged++
			}
		}
	}
	if flagged == 0 {
		t.Error("no target is cold: the test shows nothing")
	}
	wantList(t, "train of the split it came from", s.trainText(), before)
	for _, q := range append(slices.Clone(s.Valid), mustTest(t, s)...) {
		if q.Cold {
			t.Fatal("a query of the split it came from is flagged")
		}
	}
	again, _ := s.Cold(0.2, 1)
	other, _ := s.Cold(0.2, 2)
	if !reflect.DeepEqual(cold.ColdItem, again.ColdItem) || reflect.DeepEqual(cold.ColdItem, other.ColdItem) {
		t.Error("the seed, and nothing else, must decide which items are cold")
	}
	for _, fraction := range []float64{-0.1, 1, 2} {
		if _, err := s.Cold(fraction, 1); err == nil {
			t.Errorf("a fraction of %v is taken", fraction)
		}
	}
}
