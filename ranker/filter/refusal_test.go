package filter

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/refusals.txt anew from what the package says")

// declarations are those of the tests' tables.
var declarations = []catalog.Declaration{
	{Name: "color", Kind: catalog.KindString}, {Name: "colors", Kind: catalog.KindString, List: true},
	{Name: "sheets", Kind: catalog.KindNumber}, {Name: "sizes", Kind: catalog.KindNumber, List: true},
	{Name: "recycled", Kind: catalog.KindBool}, {Name: "harvested", Kind: catalog.KindTime},
	{Name: "paper-size", Kind: catalog.KindString}, {Name: "harvests", Kind: catalog.KindTime, List: true},
	{Name: "flags", Kind: catalog.KindBool, List: true},
}

func newTable(t testing.TB, limits catalog.Limits) *catalog.Table {
	t.Helper()
	table, err := catalog.New(limits)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range declarations {
		if _, err := table.Declare(d.Name, d.Kind, d.List); err != nil {
			t.Fatal(err)
		}
	}
	return table
}

func newCompiler(t testing.TB, table *catalog.Table, limits Limits) *Compiler {
	t.Helper()
	compiler, err := NewCompiler(table, limits)
	if err != nil {
		t.Fatal(err)
	}
	return compiler
}

// describeRefusal writes an error with what callers read from it.
func describeRefusal(err error) string {
	var refused *Error
	if !errors.As(err, &refused) {
		return fmt.Sprintf("not an *Error: %v", err)
	}
	for _, reason := range []error{ErrSyntax, ErrField, ErrType, ErrUnsupported, ErrLimit} {
		if errors.Is(err, reason) {
			return fmt.Sprintf("%v [%s]: %v", reason, refused.Field, err)
		}
	}
	return fmt.Sprintf("no sentinel: %v", err)
}

func TestRefusalsSayWhereAndWhatToWrite(t *testing.T) {
	const path = "testdata/refusals.txt"
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	compiler := newCompiler(t, newTable(t, catalog.Limits{}), Limits{MaxBytes: 200, MaxNodes: 30, MaxList: 6, MaxDepth: 16})
	var transcript []string
	cases := 0
	for block := range strings.SplitSeq(strings.TrimSpace(string(content)), "\n\n") {
		var kept, text []string
		for line := range strings.SplitSeq(block, "\n") {
			if strings.HasPrefix(line, "#") {
				kept = append(kept, line)
			} else if part, ok := strings.CutPrefix(line, "> "); ok {
				kept, text = append(kept, line), append(text, part)
			}
		}
		if len(text) > 0 {
			cases++
			_, err := compiler.Compile(strings.Join(text, "\n"))
			if err == nil {
				t.Errorf("%s\nis accepted", strings.Join(kept, "\n"))
				continue
			}
			kept = append(kept, describeRefusal(err))
		}
		transcript = append(transcript, strings.Join(kept, "\n"))
	}
	got := strings.Join(transcript, "\n\n") + "\n"
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(content), got); diff != "" && !*rewrite {
		t.Error(diff)
	}
	if cases < 50 {
		t.Errorf("%d cases were read", cases)
	}
}
