package filter

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// One small shop whose right answers are evident.
func TestFiltersMeanWhatTheyRead(t *testing.T) {
	table := newTable(t, catalog.Limits{})
	names := put(t, table, map[string]catalog.Item{
		"bare": {},
		"free": {Price: new(0.0), Stock: new(int64(0)), Attributes: []catalog.Attribute{{Name: "colors", Value: catalog.Strings()}}},
		"paper": {Price: new(50.0), Stock: new(int64(5)), Brand: "Acme", Title: "Copy paper", Created: 1_000_000,
			Categories: []string{"Office > Paper > A4"}, Tags: []string{"new"},
			Attributes: []catalog.Attribute{{Name: "color", Value: catalog.String("white")}, {Name: "recycled", Value: catalog.Bool(false)}}},
		"pen": {Price: new(2.5), Brand: "Bic", Hidden: true,
			Attributes: []catalog.Attribute{{Name: "color", Value: catalog.String("red")}, {Name: "recycled", Value: catalog.Bool(true)}, {Name: "sheets", Value: catalog.Number(0)}}},
	})
	compiler := newCompiler(t, table, Limits{})
	for _, c := range []struct{ why, filter, want string }{
		{"a comparison over an absent price is false", `price < 1000`, "free paper pen"},
		{"whatever the operator", `price != 50`, "free pen"},
		{"and its negation is true", `!(price == 50)`, "bare free pen"},
		{"so presence of a price is a comparison", `price >= 0`, "free paper pen"},
		{"an absent attribute likewise", `attributes.color != "red"`, "paper"},
		{"negated", `!(attributes.color == "red")`, "bare free paper"},
		{"an absent flag is not true", `!attributes.recycled`, "bare free paper"},
		{"but neither is it false", `attributes.recycled == false`, "paper"},
		{"presence of an attribute", `has(attributes.color)`, "paper pen"},
		{"an empty list is present", `has(attributes.colors)`, "free"},
		{"a zero is present", `has(attributes.sheets) && attributes.sheets == 0`, "pen"},
		{"a brand is empty, not absent", `brand != "Acme"`, "bare free pen"},
		{"and can be asked for", `brand == ""`, "bare free"},
		{"stock not given is unlimited, more than any number", `stock > 1000000`, "bare pen"},
		{"in_stock is stock", `in_stock`, "bare paper pen"},
		{"whole numbers serve for prices", `price in [0, 50]`, "free paper"},
		{"a category is every prefix of its path", `"Office > Paper" in categories`, "paper"},
		{"and its leaf", `"A4" in categories`, "paper"},
		{"but not a level between", `"Paper" in categories`, ""},
		{"text functions", `title.contains("paper") || brand.startsWith("B")`, "paper pen"},
		{"times", `create_time < timestamp("1970-01-01T00:00:01.000000001Z")`, "paper"},
		{"a choice", `in_stock ? price > 10 : price == 0`, "free paper"},
		{"hidden items pass: hiding is no matter of filters", `"red" == attributes.color`, "pen"},
		{"line breaks and comments are CEL", "price > 10 // dear\n && in_stock", "paper"},
		{"an empty list has no members", `brand in []`, ""},
		{"constants", `true`, "bare free paper pen"},
	} {
		program, err := compiler.Compile(c.filter)
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		var matched []string
		for number, row := range table.All() {
			if program.Match(row) {
				matched = append(matched, names[number])
			}
		}
		if got := strings.Join(matched, " "); got != c.want {
			t.Errorf("%s\n%s\nmatches %q, want %q", c.why, c.filter, got, c.want)
		}
		if got := strings.Join(passing(program.Bitmap(), names), " "); got != c.want {
			t.Errorf("%s\n%s\nhas the bitmap %q, want %q", c.why, c.filter, got, c.want)
		}
		if program.Match(nil) {
			t.Errorf("%s matches no item", c.filter)
		}
	}
}

func TestUnmetNamesTheFirstConditionThatFails(t *testing.T) {
	table := newTable(t, catalog.Limits{})
	put(t, table, map[string]catalog.Item{"paper": {Price: new(50.0), Brand: "Acme"}})
	compiler := newCompiler(t, table, Limits{})
	for filter, want := range map[string]string{
		`price < 100 && in_stock`:                                       "",
		`price < 100 && (brand == "Bic" && stock > 5)`:                  `brand == "Bic"`,
		`price < 20 && brand == "Bic"`:                                  "price < 20.0",
		`(price < 20 || has(attributes.color)) && true`:                 "price < 20.0 || has(attributes.color)",
		"attributes.`paper-size` != 'A4'":                               "attributes.`paper-size` != \"A4\"",
		`!(brand in ["Acme", "Bic"])`:                                   `!(brand in ["Acme", "Bic"])`,
		`in_stock && !("a very long tag, written out in full" in tags)`: "",
		`in_stock && "a very long tag, written out in full" in tags`:    `"a very long tag, written out in full" in tags`,
	} {
		program, err := compiler.Compile(filter)
		if err != nil {
			t.Fatal(err)
		}
		if got := program.Unmet(table.Row(0)); got != want {
			t.Errorf("%s is not met for %q, want %q", filter, got, want)
		}
		if got := program.Unmet(nil); got == "" {
			t.Errorf("%s is met by no item", filter)
		}
	}
}

// A filter may name what no item has yet, and an attribute declared later.
func TestWhatComesAfterCompilingCounts(t *testing.T) {
	table := newTable(t, catalog.Limits{})
	cache, err := NewCache(table, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	const late = `attributes.late == "x"`
	if _, err := cache.Filter(late); err == nil {
		t.Fatal("an attribute that is not declared is accepted")
	}
	var filters []*Filter
	for _, text := range []string{`brand == "Acme"`, `brand in ["Bic", "Acme"]`, `"new" in tags`, `"Paper" in categories`, `attributes.color == "red"`} {
		filter, err := cache.Filter(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := filter.Bitmap().Cardinality; got != 0 {
			t.Fatalf("%s passes %d of no items", text, got)
		}
		filters = append(filters, filter)
	}
	if _, err := table.Declare("late", catalog.KindString, false); err != nil {
		t.Fatal(err)
	}
	filter, err := cache.Filter(late)
	if err != nil {
		t.Fatalf("declared meanwhile: %v", err)
	}
	names := put(t, table, map[string]catalog.Item{"a": {Brand: "Acme", Tags: []string{"new"}, Categories: []string{"Paper"},
		Attributes: []catalog.Attribute{{Name: "color", Value: catalog.String("red")}, {Name: "late", Value: catalog.String("x")}}}})
	for _, f := range append(filters, filter) {
		if !f.Match(table.Row(0)) {
			t.Errorf("%s does not match the item that came after", f.Text())
		}
		for which, bitmap := range map[string]*Bitmap{"kept": f.Bitmap(), "computed": f.Program.Bitmap()} {
			if diff := cmp.Diff([]string{"a"}, passing(bitmap, names)); diff != "" {
				t.Errorf("%s, bitmap %s: %s", f.Text(), which, diff)
			}
		}
	}
}

// Columns of many rows are kept in another form than those of few.
func TestBitmapsOfManyRowsEqualMatchingEach(t *testing.T) {
	table := newTable(t, catalog.Limits{})
	for i := range uint32(3000) {
		if i%97 == 0 {
			continue // numbers that no item has
		}
		if err := table.Put(i, shopItem(int(i))); err != nil {
			t.Fatal(err)
		}
	}
	compiler := newCompiler(t, table, Limits{})
	wide := make([]string, 40)
	for i := range wide { // out of order, some of them of no item
		wide[i] = fmt.Sprintf(`"brand %d"`, (i*211+7)%510)
	}
	for _, text := range append(shopFilters,
		`brand in [`+strings.Join(wide, ",")+`]`, `"Office" in categories && !("tag 3" in tags)`, `language == "en"`, `language != "en"`,
		`title.contains("99")`, `title.contains("99") || brand == "brand 5"`, `!title.contains("9") && in_stock`, `has(attributes.color)`) {
		program, err := compiler.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		want := matchAll(program.root, table)
		if diff := cmp.Diff(want, program.Bitmap()); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

// The intervals of a comparison hold exactly the numbers for which it is true,
// in exact arithmetic.
func TestIntervalsAreExactComparisons(t *testing.T) {
	comparisons := map[string]func(order int) bool{
		operators.Equals: func(o int) bool { return o == 0 }, operators.NotEquals: func(o int) bool { return o != 0 },
		operators.Less: func(o int) bool { return o < 0 }, operators.LessEquals: func(o int) bool { return o <= 0 },
		operators.Greater: func(o int) bool { return o > 0 }, operators.GreaterEquals: func(o int) bool { return o >= 0 },
	}
	exact := func(value any) *big.Float {
		f := new(big.Float).SetPrec(2000)
		switch value := value.(type) {
		case types.Int:
			return f.SetInt64(int64(value))
		case types.Uint:
			return f.SetUint64(uint64(value))
		case types.Double:
			return f.SetFloat64(float64(value))
		}
		return f.SetInt64(value.(int64))
	}
	integers := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 3),
		rapid.SampledFrom([]int64{math.MaxInt64, math.MaxInt64 - 1, math.MinInt64 + 1, math.MinInt64, 1 << 53}))
	doubles := rapid.OneOf(rapid.Float64(), rapid.Float64Range(-3, 3),
		rapid.SampledFrom([]float64{1 << 63, -1 << 63, -1 << 64, 0, math.Copysign(0, -1), math.MaxFloat64, math.SmallestNonzeroFloat64, 9007199254740993}))
	rapid.Check(t, func(t *rapid.T) {
		literal := rapid.OneOf(
			rapid.Map(integers, func(i int64) ref.Val { return types.Int(i) }),
			rapid.Map(rapid.Uint64(), func(u uint64) ref.Val { return types.Uint(u) }),
			rapid.Map(doubles, func(d float64) ref.Val { return types.Double(d) }),
		).Draw(t, "literal")
		at, _ := integerThreshold(literal)
		value := max(integers.Draw(t, "integer"), absentInteger+1)
		double, beside := doubles.Draw(t, "number"), doubles.Draw(t, "beside")
		for operator, holdsFor := range comparisons {
			intervals := integerIntervals(operator, at)
			if got, want := holds(intervals, value), holdsFor(exact(value).Cmp(exact(literal))); got != want {
				t.Errorf("%d %s %v is %v, want %v", value, operator, literal, got, want)
			}
			if holds(intervals, absentInteger) {
				t.Errorf("absent %s %v", operator, literal)
			}
			numbers := numberIntervals(operator, beside)
			if got, want := holds(numbers, double), holdsFor(exact(types.Double(double)).Cmp(exact(types.Double(beside)))); got != want {
				t.Errorf("%v %s %v is %v, want %v", double, operator, beside, got, want)
			}
			if holds(numbers, math.NaN()) {
				t.Errorf("absent %s %v", operator, beside)
			}
		}
	})
}
