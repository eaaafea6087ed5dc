package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

var types = []Type{{Name: "view", Weight: 1}, {Name: "rating", Weight: 2, Least: 1, Most: 5}, {Name: "comment", Weight: 1.5, Comment: true}, {Name: "dislike", Weight: -1}}

// moods scores a text by its first letter.
type moods struct{}

func (moods) Score(_ context.Context, texts []string, out []float64) error {
	for i, t := range texts {
		out[i] = mood(t)
	}
	return nil
}

func mood(text string) float64 {
	switch text[0] {
	case 'g':
		return 0.5
	case 'b':
		return -1
	}
	return 0
}

func stream(acts []Act) iter.Seq2[Act, error] {
	return func(yield func(Act, error) bool) {
		for _, a := range acts {
			if !yield(a, nil) {
				return
			}
		}
	}
}

// drawActs draws a dirty log. Names are padded, so that few acts fill the memory.
func drawActs(t *rapid.T) []Act {
	n := rapid.IntRange(0, 300).Draw(t, "acts")
	users, items := rapid.IntRange(1, 12).Draw(t, "users"), rapid.IntRange(1, 10).Draw(t, "items")
	pad := rapid.SampledFrom([]int{1, 300}).Draw(t, "pad")
	one := rapid.Custom(func(t *rapid.T) Act {
		a := Act{User: fmt.Sprintf("u%0*d", pad, rapid.IntRange(0, users-1).Draw(t, "user")), Item: fmt.Sprintf("i%d", rapid.IntRange(0, items-1).Draw(t, "item"))}
		a.Type = rapid.SampledFrom([]string{"view", "view", "rating", "comment", "dislike", "other"}).Draw(t, "type")
		a.Time = epoch.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "second")) * time.Second)
		switch rapid.IntRange(0, 19).Draw(t, "oddity") {
		case 0:
			a.User = ""
		case 1:
			a.Item = ""
		case 2, 3:
			a.Time = time.Time{}
		case 4:
			a.Synthetic = true
		case 5, 6, 7:
			a.ID = fmt.Sprint("e", rapid.IntRange(0, 20).Draw(t, "id"))
		}
		if a.Type == "rating" && rapid.Bool().Draw(t, "rated") {
			a.Value, a.HasValue = float64(rapid.IntRange(0, 6).Draw(t, "value")), true
		}
		if a.Type == "comment" {
			a.Text = rapid.SampledFrom([]string{"", "good", "bad", "so so"}).Draw(t, "text")
		}
		return a
	})
	acts := make([]Act, n)
	for i := range acts {
		acts[i] = one.Draw(t, "act")
		acts[i].Seq = uint64(i)
	}
	return acts
}

// twin does what Build does, with everything in memory and no care for speed.
func twin(acts []Act, o Options) (map[string][]Event, Report) {
	var r Report
	numbers := map[string]uint32{}
	kindOf := map[string]uint8{}
	for i, t := range o.Types {
		kindOf[t.Name] = uint8(i)
	}
	type placed struct {
		Act
		event Event
	}
	byUser := map[string][]placed{}
	for _, a := range acts {
		r.Read++
		r.Head = max(r.Head, a.Seq)
		kind, known := kindOf[a.Type]
		switch {
		case a.User == "" || a.Item == "":
			r.Incomplete++
			continue
		case !known:
			r.Untyped++
			continue
		}
		if _, ok := numbers[a.Item]; !ok {
			numbers[a.Item] = uint32(len(numbers))
		}
		e := Event{Item: numbers[a.Item], Type: kind, Gap: NoGap, Time: NoTime, Weight: o.Types[kind].Weight}
		if a.HasValue {
			e.Value = float32(a.Value)
			e.Weight *= float32(max(-1, min(1, (a.Value-3)/2)))
		}
		if a.Text != "" {
			e.Weight *= float32(mood(a.Text))
			r.Comments++
		}
		if !a.Time.IsZero() && !a.Synthetic {
			e.Time = a.Time.UnixMicro()
		}
		byUser[a.User] = append(byUser[a.User], placed{a, e})
	}
	r.Items = int64(len(numbers))
	out := map[string][]Event{}
	seen := map[uint32]bool{}
	for user, list := range byUser {
		slices.SortStableFunc(list, func(a, b placed) int { return a.Time.Compare(b.Time) }) // no time is before all
		if len(list) > o.MaxUserActs {
			r.Oversized++
			r.OversizedActs += int64(len(list))
			continue
		}
		var unique []placed
		for _, a := range list {
			if a.ID != "" && slices.ContainsFunc(unique, func(b placed) bool { return a.ID == b.ID }) {
				r.DuplicateIDs++
				continue
			}
			unique = append(unique, a)
		}
		robot := false
		for _, a := range unique {
			within := 0
			for _, b := range unique {
				if a.event.Time != NoTime && b.event.Time != NoTime && !b.Time.Before(a.Time) && b.Time.Sub(a.Time) < time.Minute {
					within++
				}
			}
			robot = robot || within > o.PerMinute
		}
		if robot {
			r.Robots++
			r.RobotActs += int64(len(unique))
			continue
		}
		var events []Event
		for _, a := range unique {
			if a.event.Time != NoTime && slices.ContainsFunc(events, func(b Event) bool {
				return b.Item == a.event.Item && b.Type == a.event.Type && b.Time != NoTime && a.event.Time-b.Time < o.DuplicateGap.Microseconds()
			}) {
				r.DuplicateActs++
				continue
			}
			e := a.event
			if n := len(events); n > 0 && events[n-1].Time != NoTime && e.Time != NoTime {
				e.Gap = time.Duration(e.Time-events[n-1].Time) * time.Microsecond
			}
			events = append(events, e)
			seen[e.Item] = true
			if e.Weight < 0 {
				r.Repelling++
			}
			if e.Time == NoTime {
				r.Untimed++
				continue
			}
			if r.First.IsZero() || a.Time.Before(r.First) {
				r.First = a.Time
			}
			if a.Time.After(r.Last) {
				r.Last = a.Time
			}
		}
		out[user] = events
		r.Users++
		r.Kept += int64(len(events))
	}
	r.Seen = int64(len(seen))
	return out, r
}

// collect reads histories and copies them.
func collect(t interface{ Fatal(...any) }, from iter.Seq2[History, error]) (users []string, events map[string][]Event) {
	events = map[string][]Event{}
	for h, err := range from {
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := events[h.User]; twice {
			t.Fatal("user comes twice:", h.User)
		}
		users = append(users, h.User)
		events[h.User] = slices.Clone(h.Events)
	}
	return users, events
}

func TestLogAgreesWithItsTwinInMemory(t *testing.T) {
	dir := t.TempDir()
	spilled := false
	rapid.Check(t, func(t *rapid.T) {
		acts := drawActs(t)
		o := Options{Dir: dir, Types: types, Sentiment: moods{}, Memory: 64 << 10, MaxUserActs: rapid.SampledFrom([]int{20, 1000}).Draw(t, "most"),
			PerMinute: rapid.SampledFrom([]int{3, 6, 100}).Draw(t, "rate"), PerHour: -1, PerDay: -1, DuplicateGap: 20 * time.Second, Seed: rapid.Uint64().Draw(t, "seed")}
		l, err := Build(context.Background(), stream(acts), o)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		want, report := twin(acts, o)
		got := l.Report()
		spilled = spilled || got.Runs > 1
		if got.Read != got.Kept+got.Incomplete+got.Untyped+got.OversizedActs+got.DuplicateIDs+got.RobotActs+got.DuplicateActs {
			t.Fatalf("acts are lost: %+v", got)
		}
		report.Runs, report.Spilled = got.Runs, got.Spilled
		if diff := cmp.Diff(report, got); diff != "" {
			t.Fatalf("report (-twin +log):\n%s", diff)
		}
		order, histories := collect(t, l.Users())
		if diff := cmp.Diff(want, histories); diff != "" {
			t.Fatalf("histories (-twin +log):\n%s", diff)
		}
		again, _ := collect(t, l.Users())
		mixed, same := collect(t, l.Shuffled(1, 2))
		mixedAgain, _ := collect(t, l.Shuffled(1, 2))
		if !slices.Equal(order, again) || !slices.Equal(mixed, mixedAgain) {
			t.Fatal("two passes with the same seed differ")
		}
		if diff := cmp.Diff(want, same); diff != "" {
			t.Fatalf("shuffled histories (-twin +log):\n%s", diff)
		}
		checkPairs(t, l, want)
	})
	if !spilled && !testing.Short() { // a short run draws few logs
		t.Error("no log was larger than its memory: the test does not see the merge")
	}
}

// checkPairs compares pairs with those found by looking at all of them.
func checkPairs(t *rapid.T, l *Log, histories map[string][]Event) {
	o := PairOptions{Window: rapid.IntRange(1, 4).Draw(t, "window"), Directed: rapid.Bool().Draw(t, "directed"), Memory: 64 << 10,
		MaxGap: rapid.SampledFrom([]time.Duration{0, 30 * time.Second}).Draw(t, "maxGap"), AtLeast: uint32(rapid.IntRange(1, 2).Draw(t, "atLeast"))}
	want := map[Pair]uint32{}
	for _, events := range histories {
		events = slices.DeleteFunc(slices.Clone(events), func(e Event) bool { return !e.Attracts() })
		mine := map[Pair]bool{}
		for i := range events {
			for j := i + 1; j < len(events) && j <= i+o.Window; j++ {
				before, after := events[j-1], events[j]
				if o.MaxGap > 0 && before.Time != NoTime && after.Time != NoTime && after.Time-before.Time > o.MaxGap.Microseconds() {
					break
				}
				a, b := events[i].Item, after.Item
				if !o.Directed && a > b {
					a, b = b, a
				}
				if a != b {
					mine[Pair{A: a, B: b}] = true
				}
			}
		}
		for p := range mine {
			want[p]++
		}
	}
	degrees := make([]uint32, len(l.Items()))
	for p, n := range want {
		if n < o.AtLeast {
			delete(want, p)
			continue
		}
		degrees[p.A]++
		degrees[p.B]++
	}
	p, err := l.Pairs(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, all := range []iter.Seq2[Pair, error]{p.All(), p.Shuffled(3, 4)} {
		got := map[Pair]uint32{}
		for pair, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			got[Pair{A: pair.A, B: pair.B}] += pair.Users
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("pairs (-twin +log):\n%s", diff)
		}
	}
	if p.Len() != int64(len(want)) || !slices.Equal(p.Degrees(), degrees) {
		t.Fatalf("%d pairs, degrees %v; want %d, %v", p.Len(), p.Degrees(), len(want), degrees)
	}
}

var errStream = errors.New("the wire broke")
