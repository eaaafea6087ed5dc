package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func build(t testing.TB, o Options, acts ...Act) *Log {
	t.Helper()
	o.Dir = t.TempDir()
	if o.Types == nil {
		o.Types, o.Sentiment = types, moods{}
	}
	l, err := Build(context.Background(), stream(acts), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
			t.Errorf("%v are left behind, %v", left, err)
		}
	})
	return l
}

// view is a view at a second.
func view(user, item string, second float64) Act {
	return Act{User: user, Item: item, Type: "view", Time: epoch.Add(time.Duration(second * float64(time.Second)))}
}

func only(t *testing.T, l *Log) History {
	t.Helper()
	for h, err := range l.Users() {
		if err != nil {
			t.Fatal(err)
		}
		return History{h.User, slices.Clone(h.Events)}
	}
	t.Fatal("no user is left")
	return History{}
}

func TestSmallLogs(t *testing.T) {
	empty := build(t, Options{})
	if r := empty.Report(); r.Kept != 0 || r.Users != 0 || !r.First.IsZero() || len(empty.Items()) != 0 {
		t.Errorf("%+v", r)
	}
	for h, err := range empty.Shuffled(1, 1) {
		t.Errorf("a user in an empty log: %v, %v", h, err)
	}
	if d, err := empty.Draw(5, 1); err != nil || d.Len() != 0 {
		t.Errorf("%v, %v", d, err)
	}
	one := build(t, Options{}, view("u", "i", 0))
	if cut := LeaveOneOut(only(t, one)); len(cut.Train) != 1 || cut.Valid != nil || cut.Test != nil {
		t.Errorf("%+v", cut)
	}
	p, err := one.Pairs(context.Background(), PairOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Len() != 0 {
		t.Errorf("%d pairs of one event", p.Len())
	}
	timeless := build(t, Options{}, Act{User: "u", Item: "b", Type: "view"}, Act{User: "u", Item: "a", Type: "view"}, Act{User: "u", Item: "b", Type: "view"})
	h := only(t, timeless)
	if len(h.Events) != 3 || h.Events[0].Item != 0 || h.Events[1].Item != 1 || h.Events[2].Item != 0 || h.Events[1].Gap != NoGap {
		t.Errorf("acts without times lost their order, or one of them: %+v", h)
	}
}

func TestWeightsComeFromTypeRatingAndSentiment(t *testing.T) {
	rated := func(item string, stars float64) Act {
		return Act{User: "u", Item: item, Type: "rating", Value: stars, HasValue: true}
	}
	said := func(item, text string) Act { return Act{User: "u", Item: item, Type: "comment", Text: text} }
	l := build(t, Options{}, Act{User: "u", Item: "a", Type: "view"}, Act{User: "u", Item: "b", Type: "dislike"}, rated("c", 5), rated("d", 1), rated("e", 3), rated("f", 9),
		Act{User: "u", Item: "g", Type: "rating"}, said("h", "good"), said("i", "bad"), said("j", ""))
	want := []float32{1, -1, 2, -2, 0, 2, 2, 0.75, -1.5, 1.5}
	for i, e := range only(t, l).Events {
		if e.Weight != want[i] {
			t.Errorf("item %s weighs %v, want %v", l.Items()[e.Item], e.Weight, want[i])
		}
	}
	if r := l.Report(); r.Repelling != 3 || r.Comments != 2 {
		t.Errorf("%+v", r)
	}
}

func TestTheSameAgainWithinTheGapIsSetAside(t *testing.T) {
	l := build(t, Options{DuplicateGap: 10 * time.Second}, view("u", "a", 0), view("u", "a", 9.9), view("u", "a", 10), view("u", "b", 11), view("u", "a", 15), view("v", "a", 1))
	if r := l.Report(); r.DuplicateActs != 2 || r.Kept != 4 {
		t.Errorf("%+v", r)
	}
	all := build(t, Options{DuplicateGap: -1}, view("u", "a", 0), view("u", "a", 0))
	if r := all.Report(); r.Kept != 2 {
		t.Errorf("%+v", r)
	}
}

func TestAnEventIDCountsOnceForItsUser(t *testing.T) {
	a, b, c := view("u", "a", 0), view("u", "b", 500), view("v", "a", 0)
	a.ID, b.ID, c.ID = "x", "x", "x"
	l := build(t, Options{}, a, b, c)
	if r := l.Report(); r.DuplicateIDs != 1 || r.Kept != 2 || r.Users != 2 {
		t.Errorf("%+v", r)
	}
}

func TestRobotsAreSetAsideByTheMinuteTheHourAndTheDay(t *testing.T) {
	acts := func(n int, apart time.Duration) []Act {
		out := []Act{view("person", "a", 0)}
		for i := range n {
			out = append(out, view("robot", fmt.Sprint("i", i), float64(i)*apart.Seconds()))
		}
		return out
	}
	o := Options{PerMinute: 5, PerHour: 20, PerDay: 50}
	for _, c := range []struct {
		n     int
		apart time.Duration
		robot bool
	}{
		{6, time.Second, true},
		{6, 12 * time.Second, false}, // the sixth is a minute after the first
		{21, 2 * time.Minute, true},
		{20, 2 * time.Minute, false},
		{51, 20 * time.Minute, true},
		{200, 30 * time.Minute, false},
	} {
		l := build(t, o, acts(c.n, c.apart)...)
		r := l.Report()
		if (r.Robots == 1) != c.robot || r.RobotActs+r.Kept != int64(c.n)+1 {
			t.Errorf("%d acts %v apart: %+v", c.n, c.apart, r)
		}
	}
	many := build(t, Options{MaxUserActs: 3}, acts(4, 24*time.Hour)...)
	if r := many.Report(); r.Oversized != 1 || r.OversizedActs != 4 || r.Kept != 1 {
		t.Errorf("%+v", r)
	}
}

func TestOrderOfUsersFollowsTheSeedAndTheEpoch(t *testing.T) {
	var acts []Act
	for i := range 2000 {
		acts = append(acts, view(fmt.Sprint("u", i), "a", float64(i)))
	}
	l := build(t, Options{Seed: 1, Memory: 64 << 10}, acts...)
	order := func(from iter.Seq2[History, error]) []string { users, _ := collect(t, from); return users }
	first := order(l.Users())
	if slices.IsSorted(first) || slices.Equal(first, order(build(t, Options{Seed: 2}, acts...).Users())) {
		t.Error("the order of users does not depend on the seed")
	}
	if !slices.Equal(first, order(build(t, Options{Seed: 1}, acts...).Users())) {
		t.Error("the order of users depends on the memory")
	}
	one, two := order(l.Shuffled(1, 1)), order(l.Shuffled(1, 2))
	if slices.Equal(one, two) || slices.Equal(one, first) || len(l.blocks) < 2*shuffleBlocks {
		t.Errorf("epochs have the same order; %d blocks", len(l.blocks))
	}
	near := 0 // a shuffle within blocks alone would leave neighbours near
	place := map[string]int{}
	for i, u := range first {
		place[u] = i
	}
	for i := 1; i < len(one); i++ {
		if d := place[one[i]] - place[one[i-1]]; d > -50 && d < 50 {
			near++
		}
	}
	if near > 500 {
		t.Errorf("%d of 2,000 users are still beside an old neighbour", near)
	}
}

func TestSplitsNeverLetTrainingSeeWhatIsAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := History{User: "u"}
		at := epoch.UnixMicro()
		for i := range rapid.IntRange(0, 12).Draw(t, "n") {
			e := Event{Item: uint32(i), Time: at, Weight: float32(rapid.IntRange(-1, 1).Draw(t, "weight"))}
			at += int64(rapid.IntRange(0, 3).Draw(t, "gap")) * 1e6
			h.Events = append(h.Events, e)
		}
		attracting := 0
		for _, e := range h.Events {
			if e.Attracts() {
				attracting++
			}
		}
		check := func(q *Query) {
			if !q.Target.Attracts() || len(q.History) == 0 || int(q.Target.Item) != len(q.History) {
				t.Fatalf("asked for item %d after %d events", q.Target.Item, len(q.History))
			}
		}
		cut := LeaveOneOut(h)
		if (cut.Test == nil) != (cut.Valid == nil) || cut.Test != nil && attracting < 2 {
			t.Fatalf("%+v", cut)
		}
		if cut.Test != nil {
			check(cut.Test)
			check(cut.Valid)
			if len(cut.Train) != int(cut.Valid.Target.Item) || cut.Valid.Target.Item >= cut.Test.Target.Item {
				t.Fatalf("%+v", cut)
			}
			for _, e := range h.Events[cut.Test.Target.Item+1:] {
				if e.Attracts() {
					t.Fatal("the test is not the last event that attracts")
				}
			}
		}
		valid, test := epoch.Add(5*time.Second), epoch.Add(10*time.Second)
		cut = ByTime(h, valid, test)
		for _, e := range cut.Train {
			if e.Time >= valid.UnixMicro() {
				t.Fatal("training sees the time of the validation")
			}
		}
		if cut.Valid != nil {
			check(cut.Valid)
			if at := cut.Valid.Target.Time; at < valid.UnixMicro() || at >= test.UnixMicro() {
				t.Fatal("validation is out of its time")
			}
		}
		if cut.Test != nil {
			check(cut.Test)
			if cut.Test.Target.Time < test.UnixMicro() {
				t.Fatal("test is before its time")
			}
		}
	})
}

func TestDrawTakesTheLastItemOfSoManyUsers(t *testing.T) {
	var acts []Act
	for i := range 300 {
		for k := range 1 + i%4 {
			acts = append(acts, view(fmt.Sprint("u", i), fmt.Sprint("i", k), float64(k*100)))
		}
	}
	l := build(t, Options{}, acts...)
	asked := func(n int, seed uint64) (out []string) {
		d, err := l.Draw(n, seed)
		if err != nil {
			t.Fatal(err)
		}
		for h, err := range l.Users() {
			if err != nil {
				t.Fatal(err)
			}
			cut := d.LastOf(h)
			if cut.Valid == nil {
				if len(cut.Train) != len(h.Events) {
					t.Fatal("a user who is not asked is not trained on whole")
				}
				continue
			}
			if len(cut.Train) != len(h.Events)-1 || len(cut.Valid.History) != len(cut.Train) {
				t.Fatalf("%+v of %d events", cut, len(h.Events))
			}
			out = append(out, h.User)
		}
		if len(out) != d.Len() {
			t.Fatalf("%d drawn, %d asked", d.Len(), len(out))
		}
		return out
	}
	if got := asked(40, 1); len(got) != 40 || !slices.Equal(got, asked(40, 1)) || slices.Equal(got, asked(40, 2)) {
		t.Errorf("%d users", len(got))
	}
	if got := asked(1000, 1); len(got) != 150 || len(asked(0, 1)) != 0 {
		t.Errorf("of 150 users with three events and more %d are asked", len(got))
	}
}

func TestColdItemsLeaveTraining(t *testing.T) {
	l := build(t, Options{}, view("u", "a", 0), view("u", "b", 10), view("u", "c", 30), view("u", "d", 70))
	cold, err := ColdItems(4, 0.5, 3)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range cold {
		if c {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d of 4 items are cold", n)
	}
	left := Without(nil, only(t, l).Events, []bool{false, true, false, false})
	if len(left) != 3 || left[0].Gap != NoGap || left[1].Gap != 30*time.Second || left[2].Gap != 40*time.Second {
		t.Errorf("%+v", left)
	}
	if left = Without(nil, only(t, l).Events, []bool{true, false, false, false}); left[0].Gap != NoGap {
		t.Errorf("%+v", left)
	}
	if _, err := ColdItems(4, math.NaN(), 1); !errors.Is(err, ErrOptions) {
		t.Errorf("%v", err)
	}
}

func TestVocabularyHasTheFrequentItemsFirst(t *testing.T) {
	v, err := NewVocabulary([]uint32{2, 0, 5, 1, 5}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(v.Items, []uint32{2, 4, 0}) || !slices.Equal(v.Rows, []uint32{2, NoRow, 0, NoRow, 1}) {
		t.Errorf("%+v", v)
	}
	if _, err := NewVocabulary(nil, 0); !errors.Is(err, ErrOptions) {
		t.Errorf("%v", err)
	}
}

func TestBadInputIsNamedAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	good := Options{Dir: dir, Types: types, Sentiment: moods{}}
	for name, change := range map[string]func(*Options){
		"Dir": func(o *Options) { o.Dir = "" }, "Memory": func(o *Options) { o.Memory = 1 }, "MaxItems": func(o *Options) { o.MaxItems = -1 },
		"MaxUserActs": func(o *Options) { o.MaxUserActs = 1 << 30 }, "types": func(o *Options) { o.Types = nil },
		"view": func(o *Options) { o.Types = []Type{{Name: "view"}, {Name: "view"}} }, "scale": func(o *Options) { o.Types = []Type{{Name: "r", Least: 5, Most: 1}} },
		"Sentiment": func(o *Options) { o.Sentiment = nil }, "weighs": func(o *Options) { o.Types = []Type{{Name: "r", Weight: float32(math.NaN())}} },
	} {
		o := good
		change(&o)
		if _, err := Build(context.Background(), stream(nil), o); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, a := range map[string]Act{"ids": {User: strings.Repeat("u", MaxID+1), Item: "i", Type: "view"}, "value": {User: "u", Item: "i", Type: "rating", HasValue: true, Value: math.NaN()},
		"year": {User: "u", Item: "i", Type: "view", Time: epoch.AddDate(9000, 0, 0)}} {
		if _, err := Build(context.Background(), stream([]Act{view("u", "i", 0), a}), good); !errors.Is(err, ErrAct) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "act 1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	limited := good
	limited.MaxItems = 1
	if _, err := Build(context.Background(), stream([]Act{view("u", "a", 0), view("u", "b", 0)}), limited); !errors.Is(err, ErrLimit) {
		t.Errorf("%v", err)
	}
	broken := func(yield func(Act, error) bool) { _ = yield(view("u", "a", 0), nil) && yield(Act{}, errStream) }
	if _, err := Build(context.Background(), broken, good); !errors.Is(err, errStream) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Build(ctx, stream([]Act{view("u", "a", 0)}), good); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v are left behind, %v", left, err)
	}
}

func TestDamageOfTheLogIsNamed(t *testing.T) {
	var acts []Act
	for i := range 500 {
		acts = append(acts, view(fmt.Sprint("u", i), "a", float64(i)))
	}
	l := build(t, Options{Memory: 64 << 10}, acts...)
	path := filepath.Join(l.dir, "histories")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, read := range []iter.Seq2[History, error]{l.Users(), l.Shuffled(1, 1)} {
		var failed error
		for _, err := range read {
			failed = err
		}
		if !errors.Is(failed, ErrCorrupt) || !strings.Contains(failed.Error(), path) || !strings.Contains(failed.Error(), "at byte") {
			t.Errorf("%v", failed)
		}
	}
}

// heap is the memory of objects, those not yet collected included.
func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func TestALogManyTimesItsMemoryStaysWithinIt(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	const n, users, memory = 600_000, 20_000, 2 << 20
	runtime.GC()
	before, peak := heapBytes(), uint64(0)
	look := func(i int) {
		if i%5000 == 0 {
			peak = max(peak, heapBytes())
		}
	}
	acts := func(yield func(Act, error) bool) {
		for i := range n {
			look(i)
			a := view(fmt.Sprintf("somebody-%d", mix(uint64(i))%users), fmt.Sprint("i", mix(uint64(i)+7)%500), float64(i))
			if !yield(a, nil) {
				return
			}
		}
	}
	l, err := Build(context.Background(), acts, Options{Dir: t.TempDir(), Types: []Type{{Name: "view", Weight: 1}}, Memory: memory, DuplicateGap: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	events, last := 0, ""
	for h, err := range l.Shuffled(1, 1) {
		if err != nil {
			t.Fatal(err)
		}
		look(events / 1000 * 5000)
		events += len(h.Events)
		last = h.User
	}
	p, err := l.Pairs(context.Background(), PairOptions{Memory: memory})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, err := range p.All() {
		if err != nil {
			t.Fatal(err)
		}
	}
	look(0)
	if r := l.Report(); events != n || r.Users != users || r.Runs < 10 || last == "" {
		t.Errorf("%d events, %+v", events, r)
	}
	t.Logf("the heap grew by %d MB", (peak-before)>>20)
	// In memory the acts would be 60 MB and more. Garbage that is not collected yet counts here.
	if peak > before+24<<20 {
		t.Errorf("the heap grew from %d to %d MB, with %d MB of buffers", before>>20, peak>>20, memory>>20)
	}
}

func BenchmarkBuild(b *testing.B) {
	b.ReportAllocs()
	const n = 300_000
	acts := func(yield func(Act, error) bool) {
		users := make([]string, 10_000)
		for i := range users {
			users[i] = fmt.Sprintf("somebody-%d", i)
		}
		for i := range n {
			if !yield(Act{User: users[mix(uint64(i))%10_000], Item: users[mix(uint64(i)+7)%2000], Type: "view", Time: epoch.Add(time.Duration(i) * time.Second)}, nil) {
				return
			}
		}
	}
	for b.Loop() {
		l, err := Build(context.Background(), acts, Options{Dir: b.TempDir(), Types: types[:1], Memory: 8 << 20})
		if err != nil {
			b.Fatal(err)
		}
		if l.Report().Kept != n {
			b.Fatal(l.Report())
		}
		b.ReportMetric(float64(l.file.Size())/n, "log_B/act")
		l.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/act")
}
