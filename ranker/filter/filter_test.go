package filter

import (
	"maps"
	"slices"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// An oracle evaluates filters with cel-go's interpreter, on values that it
// takes from the items as they were put.
type oracle struct{ environment *cel.Env }

func newOracle(t testing.TB) *oracle {
	t.Helper()
	options := []cel.EnvOption{cel.CrossTypeNumericComparisons(true), cel.EnableIdentifierEscapeSyntax()}
	for name := range variables(catalog.Item{}) {
		options = append(options, cel.Variable(name, cel.DynType))
	}
	environment, err := cel.NewEnv(options...)
	if err != nil {
		t.Fatal(err)
	}
	return &oracle{environment}
}

// variables spell out an item without this package's or the catalog's help.
func variables(item catalog.Item) map[string]any {
	v := map[string]any{
		"id": item.ID, "title": item.Title, "brand": item.Brand, "seller": item.Seller, "language": item.Language, "variant_group": item.Group,
		"price": 0.0, "present_price": item.Price != nil, "stock": int64(1<<63 - 1), "in_stock": item.Stock == nil || *item.Stock != 0,
		"categories": categoriesOf(item.Categories), "tags": item.Tags,
		"create_time": time.UnixMicro(item.Created), "present_create_time": item.Created != 0,
		"available_from": time.UnixMicro(item.AvailableFrom), "present_available_from": item.AvailableFrom != 0,
		"available_until": time.UnixMicro(item.AvailableUntil), "present_available_until": item.AvailableUntil != 0,
	}
	if item.Price != nil {
		v["price"] = *item.Price
	}
	if item.Stock != nil && *item.Stock >= 0 {
		v["stock"] = *item.Stock
	}
	attributes := map[string]any{}
	for _, attribute := range item.Attributes {
		attributes[attribute.Name] = plainValue(attribute.Value)
	}
	v[attributesName] = attributes
	return v
}

// categoriesOf knows the few paths of the tests by heart.
func categoriesOf(paths []string) []string {
	expanded := map[string][]string{
		"Office": {"Office"}, "Home": {"Home"}, "Home > Paper": {"Home", "Home > Paper", "Paper"},
		"Office > Paper":      {"Office", "Office > Paper", "Paper"},
		"Office > Paper > A4": {"Office", "Office > Paper", "Office > Paper > A4", "A4"},
	}
	var all []string
	for _, path := range paths {
		all = append(all, expanded[path]...)
	}
	return all
}

func plainValue(value catalog.Value) any {
	list := make([]any, value.Len())
	for i := range list {
		switch value.Kind() {
		case catalog.KindString:
			list[i] = value.Text(i)
		case catalog.KindNumber:
			list[i] = value.Number(i)
		case catalog.KindBool:
			list[i] = value.Bool(i)
		default:
			list[i] = time.UnixMicro(value.Time(i))
		}
	}
	if value.IsList() {
		return list
	}
	return list[0]
}

// program compiles the oracle's side of a formula.
func (o *oracle) program(t *rapid.T, f formula) cel.Program {
	ast, issues := o.environment.Compile(f.oracle)
	if issues.Err() != nil {
		t.Fatalf("the oracle refuses %s: %v", f.oracle, issues.Err())
	}
	program, err := o.environment.Program(ast)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func verdict(t *rapid.T, program cel.Program, item catalog.Item) bool {
	value, _, err := program.Eval(variables(item))
	if err != nil {
		t.Fatalf("the oracle fails: %v", err)
	}
	return value.Value().(bool)
}

// Random catalogs, random filters, random changes: Match, Bitmap and the kept
// bitmap of a cache all say what cel-go's interpreter says.
func TestFiltersAgreeWithTheInterpreter(t *testing.T) {
	oracle := newOracle(t)
	rapid.Check(t, func(rt *rapid.T) {
		table := newTable(t, catalog.Limits{MaxItems: 9000, JournalLength: rapid.SampledFrom([]int{1, 8, 4096}).Draw(rt, "journal")})
		// A bound that keeps no column, one, or all.
		cache, err := NewCache(table, Limits{MaxColumnBytes: rapid.SampledFrom([]int{1, 300, 1 << 20}).Draw(rt, "bytes")})
		if err != nil {
			rt.Fatal(err)
		}
		items := map[uint32]catalog.Item{}
		numbers := []uint32{0, 1, 2, 3, 5, 63, 64, 65, 127, 4095, 4096, 8999}
		change := func() {
			number := draw(rt, numbers)
			if rapid.IntRange(0, 4).Draw(rt, "act") == 0 {
				table.Delete(number)
				delete(items, number)
				return
			}
			items[number] = randomItem(rt, number)
			if err := table.Put(number, items[number]); err != nil {
				rt.Fatal(err)
			}
		}
		var formulas []formula
		var programs []cel.Program
		for range 3 {
			formulas = append(formulas, randomFormula(rt, 3))
			programs = append(programs, oracle.program(rt, formulas[len(formulas)-1]))
		}
		for range 3 {
			for range rapid.IntRange(0, 12).Draw(rt, "changes") {
				change()
			}
			for i, f := range formulas {
				filter, err := cache.Filter(f.filter)
				if err != nil {
					rt.Fatalf("%s: %v", f.filter, err)
				}
				var want []uint32
				for number, item := range items {
					pass := verdict(rt, programs[i], item)
					if got := filter.Match(table.Row(number)); got != pass {
						rt.Fatalf("%s\nmatches item %d: %v, the oracle says %v\nitem: %+v", f.filter, number, got, pass, item)
					}
					if pass {
						want = append(want, number)
					}
				}
				slices.Sort(want)
				checkBitmap(rt, f.filter, "kept", filter.Bitmap(), want, table)
				checkBitmap(rt, f.filter, "computed", filter.Program.Bitmap(), want, table)
				checkBitmap(rt, f.filter, "matched", matchAll(filter.root, table), want, table)
			}
		}
	})
}

func checkBitmap(t *rapid.T, text, which string, bitmap *Bitmap, want []uint32, table *catalog.Table) {
	if got := bitmap.Roaring().ToArray(); !slices.Equal(got, want) {
		t.Fatalf("%s\nthe bitmap %s has %v, want %v", text, which, got, want)
	}
	if bitmap.Cardinality != len(want) || bitmap.Version != table.Version() || bitmap.Words == nil {
		t.Fatalf("%s\nthe bitmap %s has cardinality %d of %d, version %d of %d", text, which,
			bitmap.Cardinality, len(want), bitmap.Version, table.Version())
	}
	for number := range uint32(9001) {
		if _, found := slices.BinarySearch(want, number); bitmap.Contains(number) != found {
			t.Fatalf("%s\nContains(%d) of the bitmap %s is %v", text, number, which, !found)
		}
	}
}

// put fills a table with named items, numbered in order of name.
func put(t testing.TB, table *catalog.Table, items map[string]catalog.Item) map[uint32]string {
	t.Helper()
	names := map[uint32]string{}
	for i, name := range slices.Sorted(maps.Keys(items)) {
		item := items[name]
		item.ID = name
		if err := table.Put(uint32(i), item); err != nil {
			t.Fatal(err)
		}
		names[uint32(i)] = name
	}
	return names
}

func passing(bitmap *Bitmap, names map[uint32]string) []string {
	var pass []string
	for _, number := range bitmap.Roaring().ToArray() {
		pass = append(pass, names[number])
	}
	return pass
}
