package filter

import (
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// What the random items and filters of the tests are made of. Few values, so
// that filters hit, with the ones that trip: empty, quoted, not ASCII.
var (
	someTexts   = []string{"", "Acme", "acme", "Acme Paper", "Übergröße", `quo"ted\`, "a\nb"}
	somePaths   = []string{"Office", "Office > Paper", "Office > Paper > A4", "Home > Paper", "Home"}
	someNumbers = []float64{0, 1, 2.5, 49.99, 50, 1e9}
	someTimes   = []int64{1, 1_000_000, 1_767_225_600_000_000, -5}
)

func draw[T any](t *rapid.T, from []T) T { return from[rapid.IntRange(0, len(from)-1).Draw(t, "i")] }

func some[T any](t *rapid.T, from []T) []T {
	list := make([]T, rapid.IntRange(0, 3).Draw(t, "n"))
	for i := range list {
		list[i] = draw(t, from)
	}
	return list
}

func perhaps[T any](t *rapid.T, value T) *T {
	if rapid.Bool().Draw(t, "given") {
		return &value
	}
	return nil
}

func randomItem(t *rapid.T, number uint32) catalog.Item {
	tags := some(t, someTexts[1:])
	item := catalog.Item{
		ID:    fmt.Sprintf("item-%d", number),
		Title: draw(t, someTexts), Brand: draw(t, someTexts), Seller: draw(t, someTexts), Group: draw(t, someTexts),
		Price:   perhaps(t, draw(t, someNumbers)),
		Stock:   perhaps(t, draw(t, []int64{-1, 0, 1, 50})),
		Created: draw(t, append(someTimes, 0)), AvailableFrom: draw(t, []int64{0, -20, -10}), AvailableUntil: draw(t, append(someTimes, 0)),
		Categories: some(t, somePaths), Tags: tags,
	}
	for _, declared := range declarations {
		if rapid.Bool().Draw(t, declared.Name) {
			item.Attributes = append(item.Attributes, catalog.Attribute{Name: declared.Name, Value: randomValue(t, declared)})
		}
	}
	return item
}

func randomValue(t *rapid.T, declared catalog.Declaration) catalog.Value {
	bools := []bool{true, false}
	switch {
	case declared.Kind == catalog.KindString && declared.List:
		return catalog.Strings(some(t, someTexts)...)
	case declared.Kind == catalog.KindString:
		return catalog.String(draw(t, someTexts))
	case declared.Kind == catalog.KindNumber && declared.List:
		return catalog.Numbers(some(t, someNumbers)...)
	case declared.Kind == catalog.KindNumber:
		return catalog.Number(draw(t, someNumbers))
	case declared.Kind == catalog.KindBool && declared.List:
		return catalog.Bools(some(t, bools)...)
	case declared.Kind == catalog.KindBool:
		return catalog.Bool(draw(t, bools))
	case declared.List:
		return catalog.Times(some(t, someTimes)...)
	}
	return catalog.Time(draw(t, someTimes))
}

// A formula is a random filter, and the same for the oracle: plain CEL that
// says where a value is absent what this package leaves unsaid.
type formula struct{ filter, oracle string }

// both writes one formula from its parts.
func both(format string, parts ...formula) formula {
	filters, oracles := make([]any, len(parts)), make([]any, len(parts))
	for i, part := range parts {
		filters[i], oracles[i] = part.filter, part.oracle
	}
	return formula{fmt.Sprintf(format, filters...), fmt.Sprintf(format, oracles...)}
}

func randomFormula(t *rapid.T, depth int) formula {
	if depth == 0 {
		return randomLeaf(t)
	}
	part := func() formula { return randomFormula(t, rapid.IntRange(0, depth-1).Draw(t, "depth")) }
	switch rapid.IntRange(0, 6).Draw(t, "form") {
	case 0:
		return both("!(%s)", part())
	case 1:
		return both("((%s) ? (%s) : (%s))", part(), part(), part())
	case 2, 3:
		return both("(%s) && (%s) && %s", part(), part(), randomLeaf(t))
	case 4, 5:
		return both("((%s) || (%s) || %s)", part(), part(), randomLeaf(t))
	}
	return randomLeaf(t)
}

// guarded is a comparison of a field that may be absent.
func guarded(field, comparison string) formula {
	guard := "present_" + field
	if strings.HasPrefix(field, attributesName) {
		guard = "has(" + field + ")"
	}
	return formula{"(" + comparison + ")", "(" + guard + " && " + comparison + ")"}
}

func plain(text string) formula { return formula{"(" + text + ")", "(" + text + ")"} }

func randomLeaf(t *rapid.T) formula {
	switch rapid.IntRange(0, 9).Draw(t, "leaf") {
	case 0:
		return plain(textTest(t, draw(t, []string{"id", "title"})))
	case 1:
		return plain(textTest(t, draw(t, []string{"brand", "seller", "language", "variant_group"})))
	case 2:
		field := draw(t, []string{"attributes.color", "attributes.`paper-size`"})
		return guarded(field, textTest(t, field))
	case 3:
		names := append(append([]string{"Paper", "A4", "nowhere"}, someTexts...), somePaths...)
		return plain(fmt.Sprintf("%q in %s", draw(t, names), draw(t, []string{"categories", "tags"})))
	case 4:
		field := draw(t, []string{"price", "attributes.sheets"})
		return guarded(field, comparison(t, field, numberLiteral))
	case 5:
		return plain(comparison(t, "stock", func(t *rapid.T) string { return draw(t, []string{"-1", "0", "1", "49", "50", "7u"}) }))
	case 6:
		field := draw(t, []string{"create_time", "available_from", "available_until", "attributes.harvested"})
		return guarded(field, comparison(t, field, timeLiteral))
	case 7:
		field := draw(t, []string{"attributes.colors", "attributes.sizes", "attributes.harvests", "attributes.flags"})
		literal := map[string]func(*rapid.T) string{
			"attributes.colors": textLiteral, "attributes.sizes": numberLiteral,
			"attributes.harvests": timeLiteral, "attributes.flags": flagLiteral,
		}[field]
		return guarded(field, literal(t)+" in "+field)
	case 8:
		flag := flagLiteral(t)
		return plain(draw(t, []string{"in_stock", "in_stock == " + flag, flag + " != in_stock", "in_stock in [" + flag + "]",
			"true", "false", "stock < 0.5", "stock >= 49.5"}))
	}
	declared := draw(t, declarations)
	if declared.Name == "recycled" {
		return guarded("attributes.recycled", draw(t, []string{"attributes.recycled", "attributes.recycled == false", "true != attributes.recycled"}))
	}
	return plain("has(attributes.`" + declared.Name + "`)")
}

func textTest(t *rapid.T, field string) string {
	if rapid.Bool().Draw(t, "function") {
		return fmt.Sprintf("%s.%s(%s)", field, draw(t, []string{"startsWith", "endsWith", "contains"}), textLiteral(t))
	}
	return comparison(t, field, textLiteral)
}

// comparison is the field against a literal or a list of them.
func comparison(t *rapid.T, field string, literal func(*rapid.T) string) string {
	operator := draw(t, []string{"==", "!=", "<", "<=", ">", ">=", "in"})
	switch {
	case operator == "in":
		list := make([]string, rapid.IntRange(0, 20).Draw(t, "n"))
		for i := range list {
			list[i] = literal(t)
		}
		return field + " in [" + strings.Join(list, ", ") + "]"
	case rapid.Bool().Draw(t, "literal first"):
		return literal(t) + " " + operator + " " + field
	}
	return field + " " + operator + " " + literal(t)
}

func textLiteral(t *rapid.T) string {
	return fmt.Sprintf("%q", draw(t, append([]string{"A", "item-1", "item-2", "e", "nobody"}, someTexts...)))
}

func numberLiteral(t *rapid.T) string {
	return draw(t, []string{"0", "-0.0", "1", "2.5", "49.99", "50", "50u", "-3", "1e9", "2.4999999999999996"})
}

func flagLiteral(t *rapid.T) string { return draw(t, []string{"true", "false"}) }

func timeLiteral(t *rapid.T) string {
	if rapid.Bool().Draw(t, "seconds") {
		return fmt.Sprintf("timestamp(%d)", draw(t, []int64{0, 1, -1, 1_767_225_600}))
	}
	at := time.UnixMicro(draw(t, someTimes)).UTC().Add(time.Duration(draw(t, []int{0, 1, -1, 1000, -1000})))
	return fmt.Sprintf("timestamp(%q)", at.Format(time.RFC3339Nano))
}
