package filter

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// Any text either compiles, and then matches as its bitmap says, or is refused
// with an *Error that has a sentinel and a place within the text.
func FuzzCompile(f *testing.F) {
	content, err := os.ReadFile("testdata/refusals.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if text, ok := strings.CutPrefix(line, "> "); ok {
			f.Add(strings.TrimSuffix(text, "\n"))
		}
	}
	for _, text := range shopFilters {
		f.Add(text)
	}
	table := newTable(f, catalog.Limits{})
	for i := range uint32(100) {
		if err := table.Put(i, shopItem(int(i))); err != nil {
			f.Fatal(err)
		}
	}
	compiler := newCompiler(f, table, Limits{})
	f.Fuzz(func(t *testing.T, text string) {
		program, err := compiler.Compile(text)
		if err == nil {
			if diff := cmp.Diff(matchAll(program.root, table), program.Bitmap()); diff != "" {
				t.Errorf("%q: %s", text, diff)
			}
			return
		}
		var refused *Error
		if !errors.As(err, &refused) || refused.Reason == nil || refused.Message == "" {
			t.Fatalf("%q: %v", text, err)
		}
		if lines := strings.Count(text, "\n") + 1; refused.Line > lines || refused.Column > len(text)+1 || (refused.Line == 0) != (refused.Column == 0) {
			t.Errorf("%q: line %d, column %d", text, refused.Line, refused.Column)
		}
	})
}
