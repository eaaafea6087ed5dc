package catalog

import (
	"fmt"
	"runtime"
	"testing"
)

// shopItem is an item as a middling shop gives it.
func shopItem(i int) Item {
	return Item{
		ID:         fmt.Sprintf("sku-%07d", i),
		Title:      fmt.Sprintf("Copy paper of %d sheets, white, number %d", i%1000, i),
		Price:      new(float64(i%10000) / 100),
		Stock:      new(int64(i % 50)),
		Created:    int64(i+1) * 1e6,
		Categories: []string{fmt.Sprintf("Office > Area %d > Shelf %d", i%20, i%400)},
		Tags:       []string{fmt.Sprintf("tag %d", i%100), fmt.Sprintf("tag %d", i*7%100)},
		Brand:      fmt.Sprintf("brand %d", i%500),
		Seller:     fmt.Sprintf("seller %d", i%50),
		Language:   "en",
		Group:      fmt.Sprintf("group %d", i/4),
		Attributes: []Attribute{
			{"color", String(fmt.Sprintf("color %d", i%12))}, {"sheets", Number(float64(i % 1000))}, {"recycled", Bool(i%3 == 0)},
		},
	}
}

func shopTable(b *testing.B) *Table {
	table := newTable(b, Limits{})
	for name, kind := range map[string]Kind{"color": KindString, "sheets": KindNumber, "recycled": KindBool} {
		if _, err := table.Declare(name, kind, false); err != nil {
			b.Fatal(err)
		}
	}
	return table
}

// BenchmarkMemory reports bytes/item: rows, their pointers, dictionaries and
// journal, over 100,000 items.
func BenchmarkMemory(b *testing.B) {
	const items = 100_000
	live := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		before := live()
		table := shopTable(b)
		for i := range items {
			mustPut(b, table, uint32(i), shopItem(i))
		}
		b.ReportMetric(float64(live()-before)/items, "bytes/item")
		if table.Count() != items {
			b.Fatal("items are missing")
		}
	}
}

func BenchmarkPut(b *testing.B) {
	table := shopTable(b)
	items := make([]Item, 1<<14)
	for i := range items {
		items[i] = shopItem(i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		number := i % len(items)
		items[number].Created = int64(i) // so that every Put is a change
		mustPut(b, table, uint32(number), items[number])
	}
	if table.Count() == 0 {
		b.Fatal("nothing was put")
	}
}

func BenchmarkPatch(b *testing.B) {
	table := shopTable(b)
	mustPut(b, table, 0, shopItem(0))
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		if err := table.Patch(0, Patch{Stock: &i}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRow(b *testing.B) {
	table := shopTable(b)
	for i := range 10_000 {
		mustPut(b, table, uint32(i), shopItem(i))
	}
	b.ReportAllocs()
	servable, i := 0, uint32(0)
	for b.Loop() {
		if table.Row(i % 10_000).Servable(0) {
			servable++
		}
		i++
	}
	if servable == 0 {
		b.Fatal("nothing was servable")
	}
}
