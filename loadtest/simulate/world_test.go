package simulate

import (
	"errors"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// smallConfig is a world that a test can afford.
func smallConfig() Config {
	c := DefaultConfig()
	c.Items, c.NewItems, c.Users, c.Bots, c.Days, c.HistoryDays = 300, 5, 60, 2, 4, 2
	return c
}

func testWorld(t testing.TB, c Config) *World {
	t.Helper()
	w, err := NewWorld(c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestItemsUsersAndVisitsFollowFromTheSeedAlone(t *testing.T) {
	a, b := testWorld(t, smallConfig()), testWorld(t, smallConfig())
	other := smallConfig()
	other.Seed = 2
	c := testWorld(t, other)
	same := 0
	for n := 999; n >= 0; n-- { // the order of asking does not matter
		if d := cmp.Diff(a.Item(n), b.Item(n), cmp.AllowUnexported(Item{})); d != "" {
			t.Fatal(d)
		}
		if a.Item(n).Cents == c.Item(n).Cents {
			same++
		}
	}
	if same > 100 {
		t.Errorf("%d of 1,000 prices are the same under another seed", same)
	}
	if d := cmp.Diff(a.plan(1), b.plan(1)); d != "" || len(a.plan(1)) == 0 {
		t.Errorf("%d visits, %s", len(a.plan(1)), d)
	}
	if cmp.Equal(a.plan(1), c.plan(1)) || cmp.Equal(a.plan(1), a.plan(2)) {
		t.Error("another seed or another day has the same visits")
	}
}

func TestVisitsOfAUserDoNotOverlapAndComeInOrder(t *testing.T) {
	c := smallConfig()
	c.VisitsPerDay, c.Users = 12, 2
	w := testWorld(t, c)
	for day := range 200 {
		visits := w.visitsOf(nil, w.User(0), day)
		for i := 1; i < len(visits); i++ {
			if visits[i].Time.Sub(visits[i-1].Time) < visitLength {
				t.Fatalf("day %d: visits at %v and %v", day, visits[i-1].Time, visits[i].Time)
			}
		}
		if n := len(visits); n > 0 && visits[n-1].Time.After(w.dayStart(day+1)) {
			t.Fatalf("a visit of day %d at %v", day, visits[n-1].Time)
		}
	}
}

func TestActivityIsZipfWithTheMeanAskedFor(t *testing.T) {
	for _, users := range []int{500, 50_000} { // below and above where the sum becomes an integral
		c := smallConfig()
		c.Users, c.VisitsPerDay, c.Zipf = users, 0.5, 0.4
		w := testWorld(t, c)
		sum := 0.0
		for n := range users {
			sum += w.User(n).VisitsPerDay
		}
		if mean := sum / float64(users); math.Abs(mean-0.5) > 0.005 {
			t.Errorf("%d users: mean %v visits a day, want 0.5", users, mean)
		}
		if got := w.User(15).VisitsPerDay / w.User(255).VisitsPerDay; math.Abs(got-math.Pow(16, 0.4)) > 1e-9 {
			t.Errorf("ranks 16 and 256 visit as %v to 1, want 16^0.4", got)
		}
	}
}

func TestVariantsShareWhatMakesAProduct(t *testing.T) {
	w := testWorld(t, smallConfig())
	found := 0
	for n := range 300 {
		it := w.Item(n)
		if it.Variant == 0 {
			continue
		}
		found++
		root := w.Item(it.Product)
		if it.Topic != root.Topic || it.Words != root.Words || it.Brand != root.Brand || it.quality == 0 {
			t.Errorf("item %d and its product %d differ: %+v, %+v", n, it.Product, it, root)
		}
		if it.Variant > 1 && (it.Cents <= root.Cents || it.appeal == root.appeal) {
			t.Errorf("item %d has the price or the look of its product %d", n, it.Product)
		}
	}
	if found < 50 || found > 150 {
		t.Errorf("%d of 300 items are variants, want about 90", found)
	}
}

func TestItemsArriveOverTime(t *testing.T) {
	c := smallConfig()
	w := testWorld(t, c)
	for n := range w.OnShelf(c.Days - 1) {
		it := w.Item(n)
		if n < c.Items != (it.Arrival < -c.HistoryDays) {
			t.Fatalf("item %d of %d at the start arrives on day %d", n, c.Items, it.Arrival)
		}
		if n >= c.Items && (n >= w.OnShelf(it.Arrival) || n < w.OnShelf(it.Arrival-1)) {
			t.Fatalf("item %d arrives on day %d, when %d are on the shelves", n, it.Arrival, w.OnShelf(it.Arrival))
		}
		if at := w.Created(it); at.Before(w.dayStart(it.Arrival)) || at.After(w.dayStart(it.Arrival).Add(6*time.Hour)) {
			t.Fatalf("item %d of day %d was created at %v", n, it.Arrival, at)
		}
	}
}

// Without it nothing could be learned: text tells part of the truth, taste is narrow, and it turns.
func TestTastesAreNarrowAndTurn(t *testing.T) {
	c := smallConfig()
	c.Drift = 0.05
	w := testWorld(t, c)
	s, err := newShelves(w)
	if err != nil {
		t.Fatal(err)
	}
	first, later := w.newMood(), w.newMood()
	for u := range 20 {
		w.feel(first, w.User(u), 0)
		w.feel(later, w.User(u), 20)
		var turn, high float64
		for i := range first.taste {
			turn += float64(first.taste[i] * later.taste[i])
		}
		for i := range s.goods {
			if first.affinity(&s.goods[i]) > 0.5 {
				high++
			}
		}
		if turn > 0.95 || turn < 0 {
			t.Errorf("user %d: taste after 20 days has inner product %v with the first day's; want it turned by about a radian, no more", u, turn)
		}
		if high == 0 || high > 60 {
			t.Errorf("user %d is near to %v of 320 items; want some and not many", u, high)
		}
	}
}

func TestStreamedItemsAreThoseOfTheirNumbers(t *testing.T) {
	c := smallConfig()
	c.Items, c.Days, c.HistoryDays, c.Users = 3*chunk+17, 1, 0, 2
	for _, packed := range []bool{false, true} {
		o := DefaultWriteOptions()
		o.Dir, o.Workers, o.Packed = t.TempDir(), 3, packed
		written, err := Write(t.Context(), c, o)
		if err != nil {
			t.Fatal(err)
		}
		source, err := dataset.Open(dataset.JSONL, o.Dir, dataset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w, n := testWorld(t, c), 0
		for row, err := range source.Items() {
			if err != nil {
				t.Fatal(err)
			}
			if row.ID != ItemID(n) {
				t.Fatalf("row %d is %s", n, row.ID)
			}
			if n%17 != 0 && (n+2)%chunk >= 4 { // comparing all takes long; borders of chunks are compared wholly
				n++
				continue
			}
			if d := cmp.Diff(w.Row(w.Item(n)), row); d != "" {
				t.Fatalf("item %d, packed %v: %s", n, packed, d)
			}
			n++
		}
		if n != written.Items || n != c.Items+c.NewItems {
			t.Errorf("%d items read, %d written, want %d", n, written.Items, c.Items+c.NewItems)
		}
	}
}

// The bound is that of the buffers: six times the items must not allocate more.
func TestStreamingTakesMemoryOfItsBuffersAlone(t *testing.T) {
	w := testWorld(t, smallConfig())
	o := DefaultWriteOptions()
	o.Workers = 2
	sink := &file{Writer: discard{}}
	allocated := func(items int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := streamItems(t.Context(), w, o, items, sink); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	few, many := allocated(20_000), allocated(120_000)
	if many > few+1<<20 || many > 16<<20 {
		t.Errorf("20,000 items allocated %d bytes, 120,000 allocated %d; want the same, below 16 MiB", few, many)
	}
	l, m, n := newLender(w), w.newMood(), 0
	if allocs := testing.AllocsPerRun(100, func() {
		n++
		l.at(n)
		w.feel(m, w.User(n), n)
	}); allocs != 0 {
		t.Errorf("an item and a user made %v allocations; want none", allocs)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func TestImpossibleWorldsAreRefusedByName(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"items 99": func(c *Config) { c.Items = 99 }, "users 1": func(c *Config) { c.Users = 1 }, "limit 51": func(c *Config) { c.Limit = 51 },
		"dims 7": func(c *Config) { c.Dims = 7 }, "zipf NaN": func(c *Config) { c.Zipf = math.NaN() }, "drift 2": func(c *Config) { c.Drift = 2 },
		`goal "joy"`: func(c *Config) { c.Goal = "joy" }, `click model ""`: func(c *Config) { c.Clicks = Clicks{} },
		"must not be above": func(c *Config) { c.Clicks = Cascade(0.9, 0.5) }, "eta 6": func(c *Config) { c.Clicks = PositionBased(6) },
		"days 0": func(c *Config) { c.Days = 0 }, "the year": func(c *Config) { c.Start = time.Time{} },
	} {
		c := DefaultConfig()
		change(&c)
		if _, err := NewWorld(c); !errors.Is(err, ErrOptions) || !contains(err, name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
