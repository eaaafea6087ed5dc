package filter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// shopItem is an item as a middling shop gives it.
func shopItem(i int) catalog.Item {
	return catalog.Item{
		ID:         fmt.Sprintf("sku-%07d", i),
		Title:      fmt.Sprintf("Copy paper of %d sheets, white, number %d", i%1000, i),
		Price:      new(float64(i*37%10000) / 100),
		Stock:      new(int64(i % 3)),
		Created:    int64(i+1) * 1e6,
		Categories: []string{fmt.Sprintf("Office > Area %d > Shelf %d", i%20, i%400)},
		Tags:       []string{fmt.Sprintf("tag %d", i%100), fmt.Sprintf("tag %d", i*7%100)},
		Brand:      fmt.Sprintf("brand %d", i%500),
		Language:   "en",
		Group:      fmt.Sprintf("group %d", i/4),
		Attributes: []catalog.Attribute{
			{Name: "color", Value: catalog.String(fmt.Sprintf("color %d", i%12))},
			{Name: "sheets", Value: catalog.Number(float64(i % 1000))},
			{Name: "recycled", Value: catalog.Bool(i%3 == 0)},
		},
	}
}

// shopFilters are filters as such a shop's pages send them.
var shopFilters = []string{
	`in_stock`,
	`price < 50 && in_stock && "Office > Area 3" in categories`,
	`brand in ["brand 1", "brand 2", "brand 3"] && !("tag 7" in tags)`,
	`attributes.recycled && attributes.sheets >= 500 && attributes.color != "color 1"`,
	`create_time >= timestamp("1970-01-01T01:00:00Z") || price > 90`,
	`title.contains("number 99") && price < 90`,
}

const benchItems = 100_000

func shopTable(b *testing.B) *catalog.Table {
	table := newTable(b, catalog.Limits{})
	for i := range uint32(benchItems) {
		if err := table.Put(i, shopItem(int(i))); err != nil {
			b.Fatal(err)
		}
	}
	return table
}

// over runs one benchmark for each of the shop's filters.
func over(b *testing.B, compiler *Compiler, run func(b *testing.B, program *Program)) {
	for _, text := range shopFilters {
		program, err := compiler.Compile(text)
		if err != nil {
			b.Fatal(err)
		}
		if n := program.Bitmap().Cardinality; n == 0 {
			b.Fatalf("%s passes nothing", text)
		}
		b.Run(strings.ReplaceAll(text, " ", ""), func(b *testing.B) {
			b.ReportAllocs()
			run(b, program)
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	compiler := newCompiler(b, newTable(b, catalog.Limits{}), Limits{})
	for _, text := range shopFilters {
		b.Run(strings.ReplaceAll(text, " ", ""), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := compiler.Compile(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMatch matches 1,024 rows in turn, as a reply's candidates.
func BenchmarkMatch(b *testing.B) {
	table := shopTable(b)
	rows := make([]*catalog.Row, 1024)
	for i := range rows {
		rows[i] = table.Row(uint32(i * 97 % benchItems))
	}
	over(b, newCompiler(b, table, Limits{}), func(b *testing.B, program *Program) {
		matched, i := 0, 0
		for b.Loop() {
			if program.Match(rows[i%len(rows)]) {
				matched++
			}
			i++
		}
		if i > len(rows) && matched == 0 {
			b.Fatal("nothing matched")
		}
	})
}

// BenchmarkBitmap computes the bitmap over 100,000 rows, columns in place.
func BenchmarkBitmap(b *testing.B) {
	over(b, newCompiler(b, shopTable(b), Limits{}), func(b *testing.B, program *Program) {
		for b.Loop() {
			program.Bitmap()
		}
	})
}

// BenchmarkBitmapRowByRow is the same without columns, for comparison.
func BenchmarkBitmapRowByRow(b *testing.B) {
	table := shopTable(b)
	over(b, newCompiler(b, table, Limits{}), func(b *testing.B, program *Program) {
		for b.Loop() {
			matchAll(program.root, table)
		}
	})
}

// BenchmarkColumn reads a column of 100,000 rows anew.
func BenchmarkColumn(b *testing.B) {
	table := shopTable(b)
	for _, f := range itemFields(table) {
		if f.kind == textField {
			continue
		}
		b.Run(f.name, func(b *testing.B) {
			bytes := 0
			for b.Loop() {
				bytes = read(table, f).bytes
			}
			b.ReportMetric(float64(bytes)/benchItems, "bytes/item")
		})
	}
}

// BenchmarkRefresh changes one item's stock, every seventh time to none, and
// asks for the bitmap again.
func BenchmarkRefresh(b *testing.B) {
	table := shopTable(b)
	cache := newCache(b, table, Limits{})
	stock := int64(1000) // differs each time, so that each patch is a change
	for _, text := range shopFilters {
		b.Run(strings.ReplaceAll(text, " ", ""), func(b *testing.B) {
			filter := mustFilter(b, cache, text)
			filter.Bitmap()
			before, rounds := cache.Stats(), uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				stock++
				number := uint32(stock * 97 % benchItems)
				if stock%7 == 0 && table.Row(number).InStock() {
					setStock(b, table, number, 0)
				} else {
					setStock(b, table, number, stock)
				}
				filter.Bitmap()
				rounds++
			}
			if after := cache.Stats(); after.Computations != before.Computations || after.Refreshes-before.Refreshes != rounds {
				b.Fatalf("%d rounds, counts went from %+v to %+v", rounds, before, after)
			}
		})
	}
}

// BenchmarkCurrent asks a cache for a filter and its bitmap while nothing moves.
func BenchmarkCurrent(b *testing.B) {
	table := shopTable(b)
	cache := newCache(b, table, Limits{})
	b.ReportAllocs()
	for b.Loop() {
		if mustFilter(b, cache, shopFilters[1]).Bitmap().Cardinality == 0 {
			b.Fatal("nothing passes")
		}
	}
}
