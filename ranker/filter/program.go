package filter

import (
	"fmt"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// A Compiler makes programs for one table. It is safe for concurrent use. It
// keeps the columns that its programs' bitmaps are computed from.
type Compiler struct {
	table       *catalog.Table
	limits      Limits
	fields      []*field
	environment *cel.Env
	columns     *columns
}

// NewCompiler makes a compiler. It fails with [ErrLimit] on a limit out of
// range.
func NewCompiler(table *catalog.Table, limits Limits) (*Compiler, error) {
	limits, err := limits.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Compiler{
		table:   table,
		limits:  limits,
		fields:  itemFields(table),
		columns: &columns{table: table, maxBytes: limits.MaxColumnBytes, slots: map[uint32]*columnSlot{}},
	}
	c.environment, err = newEnvironment(table, c.fields, limits)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// A Program is a compiled filter: immutable, safe for concurrent use, and good
// for as long as its table is. Attributes declared and texts first seen after
// it was compiled count.
type Program struct {
	text    string
	root    node
	columns *columns
}

// Text is the filter as it was written.
func (p *Program) Text() string { return p.text }

// Match reports whether the row passes, false for nil. It is exact and
// allocates nothing.
func (p *Program) Match(row *catalog.Row) bool { return row != nil && p.root.match(row) }

// Bitmap computes which items pass. It reflects at least the catalog's version
// at the time of the call. The columns of the filter's fields are read from the
// table the first time, and again after many changes.
func (p *Program) Bitmap() *Bitmap { return evaluate(p.root, p.columns) }

// Compile parses, checks and compiles a filter. What it refuses it explains in
// an [*Error].
func (c *Compiler) Compile(text string) (*Program, error) {
	if len(text) > c.limits.MaxBytes {
		return nil, &Error{Reason: ErrLimit, Message: fmt.Sprintf(
			"it takes %d bytes, Limits.MaxBytes is %d; shorten it, or raise the limit", len(text), c.limits.MaxBytes)}
	}
	if !utf8.ValidString(text) {
		return nil, &Error{Reason: ErrSyntax, Message: "it is not UTF-8; encode it as UTF-8"}
	}
	parsed, issues := c.environment.Parse(text)
	if issues.Err() != nil {
		return nil, c.explainParse(issues)
	}
	source := &source{compiler: c, info: parsed.NativeRep().SourceInfo()}
	root := parsed.NativeRep().Expr()
	if err := source.measure(root); err != nil {
		return nil, err
	}
	c.coerce(root)
	if _, issues = c.environment.Check(parsed); issues.Err() != nil {
		return nil, source.explainCheck(root, issues)
	}
	condition, err := source.condition(root)
	if err != nil {
		return nil, err
	}
	return &Program{text: text, root: condition, columns: c.columns}, nil
}

// measure refuses what has too many nodes or too long a list.
func (s *source) measure(root celast.Expr) (err error) {
	nodes, limits := 0, s.compiler.limits
	celast.PreOrderVisit(root, celast.NewExprVisitor(func(e celast.Expr) {
		if nodes++; err != nil {
			return
		}
		if nodes > limits.MaxNodes {
			err = s.refuse(e, "", ErrLimit, "more than %d fields, literals and operators, which is Limits.MaxNodes; shorten the filter, or raise the limit", limits.MaxNodes)
		}
		if e.Kind() == celast.ListKind && e.AsList().Size() > limits.MaxList {
			err = s.refuse(e, "", ErrLimit, "a list of %d literals, Limits.MaxList is %d; shorten it, or raise the limit", e.AsList().Size(), limits.MaxList)
		}
	}))
	return err
}
