package filter

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

func newCache(t testing.TB, table *catalog.Table, limits Limits) *Cache {
	t.Helper()
	cache, err := NewCache(table, limits)
	if err != nil {
		t.Fatal(err)
	}
	return cache
}

func mustFilter(t testing.TB, cache *Cache, text string) *Filter {
	t.Helper()
	filter, err := cache.Filter(text)
	if err != nil {
		t.Fatal(err)
	}
	return filter
}

func setStock(t testing.TB, table *catalog.Table, number uint32, stock int64) {
	t.Helper()
	if err := table.Patch(number, catalog.Patch{Stock: &stock}); err != nil {
		t.Fatal(err)
	}
}

func TestABitmapFollowsTheCatalogRowByRow(t *testing.T) {
	table := newTable(t, catalog.Limits{})
	put(t, table, map[string]catalog.Item{"a": {Stock: new(int64(1))}, "b": {Stock: new(int64(0))}, "c": {}})
	cache := newCache(t, table, Limits{})
	filter := mustFilter(t, cache, "in_stock")
	if filter.Snapshot() != nil {
		t.Error("a snapshot before the first bitmap")
	}
	first := filter.Bitmap()
	if diff := cmp.Diff(&Bitmap{Words: []uint64{0b101}, Cardinality: 2, Version: 3}, first); diff != "" {
		t.Error(diff)
	}
	if filter.Bitmap() != first || filter.Snapshot() != first {
		t.Error("while the catalog stands still the bitmap is the same")
	}
	setStock(t, table, 1, 5)
	if filter.Snapshot() != first {
		t.Error("a snapshot computes nothing")
	}
	if diff := cmp.Diff(&Bitmap{Words: []uint64{0b111}, Cardinality: 3, Version: 4}, filter.Bitmap()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(&Bitmap{Words: []uint64{0b101}, Cardinality: 2, Version: 3}, first); diff != "" {
		t.Errorf("a bitmap that somebody holds changed: %s", diff)
	}
	setStock(t, table, 1, 6) // no bit differs
	second := filter.Bitmap()
	setStock(t, table, 1, 7)
	if third := filter.Bitmap(); &third.Words[0] != &second.Words[0] || third.Version != 6 {
		t.Error("where no bit differs the words are shared, and the version moves on")
	}
	table.Delete(0)
	if diff := cmp.Diff(&Bitmap{Words: []uint64{0b110}, Cardinality: 2, Version: 7}, filter.Bitmap()); diff != "" {
		t.Error(diff)
	}
	want := Stats{Filters: 1, Misses: 1, Current: 1, Computations: 1, Refreshes: 4}
	if diff := cmp.Diff(want, cache.Stats()); diff != "" {
		t.Error(diff)
	}
}

func TestAfterManyChangesAllIsComputed(t *testing.T) {
	for why, journal := range map[string]int{"the journal is too short": 4, "a computation costs less": 1 << 16} {
		table := newTable(t, catalog.Limits{JournalLength: journal})
		put(t, table, map[string]catalog.Item{"a": {}, "b": {}})
		cache := newCache(t, table, Limits{})
		filter := mustFilter(t, cache, "stock > 5")
		filter.Bitmap()
		for stock := range int64(1000) {
			setStock(t, table, 0, stock%2)
		}
		if diff := cmp.Diff(&Bitmap{Words: []uint64{0b10}, Cardinality: 1, Version: 1002}, filter.Bitmap()); diff != "" {
			t.Errorf("%s: %s", why, diff)
		}
		if stats := cache.Stats(); stats.Computations != 2 || stats.Refreshes != 0 {
			t.Errorf("%s: %+v", why, stats)
		}
	}
}

func TestColumnsAreKeptWithinTheirBound(t *testing.T) {
	table := newTable(t, catalog.Limits{})
	for i := range uint32(1000) {
		if err := table.Put(i, shopItem(int(i))); err != nil {
			t.Fatal(err)
		}
	}
	fields := map[string]*field{}
	for _, f := range itemFields(table) {
		fields[f.name] = f
	}
	columns := newCompiler(t, table, Limits{MaxColumnBytes: 2*8000 + 7999}).columns // two of numbers
	price := columns.of(fields["price"])
	columns.of(fields["stock"])
	if columns.of(fields["price"]) != price {
		t.Error("a column that is kept was read again")
	}
	columns.of(fields["create_time"]) // drops stock, used before price
	kept, bytes := map[uint32]bool{}, 0
	for number, slot := range columns.slots {
		if slot.kept != nil {
			kept[number] = true
			bytes += slot.kept.bytes
		}
	}
	if diff := cmp.Diff(map[uint32]bool{fields["price"].column: true, fields["create_time"].column: true}, kept); diff != "" || bytes != 16_000 {
		t.Errorf("%d bytes are kept: %s", bytes, diff)
	}
	for i := range uint32(300) { // more than is worth matching one by one
		setStock(t, table, i, 77)
	}
	if again := columns.of(fields["price"]); again == price || again.version != table.Version() {
		t.Error("a column is read anew after many changes")
	}
}

func TestTheLeastRecentlyUsedFilterMakesRoom(t *testing.T) {
	table := newTable(t, catalog.Limits{MaxItems: 640})
	put(t, table, map[string]catalog.Item{"a": {}})
	cache := newCache(t, table, Limits{MaxPrograms: 10, MaxBitmapBytes: 2*80 + 79}) // two bitmaps of 80 bytes
	first := mustFilter(t, cache, "stock > 1")
	mustFilter(t, cache, "stock > 2")
	if mustFilter(t, cache, "stock > 1") != first {
		t.Error("a filter that is kept was compiled again")
	}
	mustFilter(t, cache, "stock > 3") // drops stock > 2
	if mustFilter(t, cache, "stock > 1") != first {
		t.Error("the filter used last was dropped")
	}
	mustFilter(t, cache, "stock > 2") // drops stock > 3
	mustFilter(t, cache, "stock > 3") // drops stock > 1
	if _, err := cache.Filter("stock >"); err == nil {
		t.Error("a bad filter is accepted")
	}
	if mustFilter(t, cache, "stock > 1") == first {
		t.Error("a filter outlived the bound")
	}
	if diff := cmp.Diff(Stats{Filters: 2, Hits: 2, Misses: 7, Evictions: 4}, cache.Stats()); diff != "" {
		t.Error(diff)
	}
	if first.Bitmap().Cardinality != 1 {
		t.Error("a filter that was dropped stays good for who holds it")
	}
}

func TestLimitsOutOfRangeAreRefusedByName(t *testing.T) {
	table := newTable(t, catalog.Limits{MaxItems: 640})
	for limits, want := range map[Limits]string{
		{MaxBytes: -1}:       "limit reached: filter.Limits.MaxBytes is -1; give 1 to 1048576, or 0 for 4096",
		{MaxDepth: 251}:      "limit reached: filter.Limits.MaxDepth is 251; give 1 to 250, or 0 for 64",
		{MaxBitmapBytes: 79}: "limit reached: a bitmap over 640 items takes 80 bytes, filter.Limits.MaxBitmapBytes is 79; raise it, or lower catalog.Limits.MaxItems",
	} {
		if _, err := NewCache(table, limits); !errors.Is(err, ErrLimit) || err.Error() != want {
			t.Errorf("%+v:\n%v\nwant\n%s", limits, err, want)
		}
	}
}

// Many readers of few filters beside writers: every bitmap is whole, never goes
// back, and once the writers rest says what Match says.
func TestBitmapsBesideWriters(t *testing.T) {
	table := newTable(t, catalog.Limits{JournalLength: 1024})
	const items = 2000
	for i := range uint32(items) {
		if err := table.Put(i, shopItem(int(i))); err != nil {
			t.Fatal(err)
		}
	}
	cache := newCache(t, table, Limits{MaxPrograms: 4, MaxColumnBytes: 60_000}) // fewer than are asked for
	var done atomic.Bool
	var readers, writers sync.WaitGroup
	for reader := range 3 {
		readers.Go(func() {
			held := map[string]*Filter{}
			for i := reader; !done.Load(); i++ {
				text := shopFilters[i%len(shopFilters)]
				filter, err := cache.Filter(text)
				if err != nil {
					t.Error(err)
					return
				}
				before := filter.Snapshot()
				for _, bitmap := range []*Bitmap{filter.Bitmap(), filter.Program.Bitmap()} {
					count := 0
					for _, word := range bitmap.Words {
						count += bits.OnesCount64(word)
					}
					if count != bitmap.Cardinality || before != nil && bitmap.Version < before.Version {
						t.Errorf("%s: %d bits, cardinality %d, version %d", text, count, bitmap.Cardinality, bitmap.Version)
						return
					}
				}
				held[text] = filter
			}
		})
	}
	for writer := range 2 {
		writers.Go(func() {
			for i := range 6000 {
				number := uint32(i*7+writer) % items
				switch i % 5 {
				case 0:
					table.Delete(number)
				case 1:
					item := shopItem(i)
					item.ID = fmt.Sprint("new ", writer, i)
					if row := table.Row(number); row == nil {
						_ = table.Put(number, item) // the other writer may have been faster
					}
				default:
					_ = table.Patch(number, catalog.Patch{Stock: new(int64(i % 3))}) // or have deleted it
				}
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
	for _, text := range shopFilters {
		filter := mustFilter(t, cache, text)
		want := matchAll(filter.root, table)
		if diff := cmp.Diff(want, filter.Bitmap()); diff != "" {
			t.Errorf("%s kept: %s", text, diff)
		}
		if diff := cmp.Diff(want, filter.Program.Bitmap()); diff != "" {
			t.Errorf("%s computed: %s", text, diff)
		}
	}
}

func TestMatchingAllocatesNothing(t *testing.T) {
	table := newTable(t, catalog.Limits{})
	put(t, table, map[string]catalog.Item{"a": shopItem(1)})
	row := table.Row(0)
	for _, text := range shopFilters {
		filter := mustFilter(t, newCache(t, table, Limits{}), text)
		if n := testing.AllocsPerRun(100, func() { filter.Match(row) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}
