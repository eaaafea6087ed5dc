package filter

import (
	"fmt"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

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
	parts   []part // whose conjunction root is
	columns *columns
}

// A part is one operand of the outermost &&.
type part struct {
	text string
	node node
}

// Text is the filter as it was written.
func (p *Program) Text() string { return p.text }

// Match reports whether the row passes, false for nil. It is exact. It
// allocates nothing, but for looking up anew a text of the filter that no item
// had yet, once its dictionary has grown.
func (p *Program) Match(row *catalog.Row) bool { return row != nil && p.root.match(row) }

// Unmet returns, for explanations, the first of the conditions joined by the
// outermost && that the row does not pass, as CEL writes it; "" when it passes.
func (p *Program) Unmet(row *catalog.Row) string {
	for _, part := range p.parts {
		if row == nil || !part.node.match(row) {
			return part.text
		}
	}
	return ""
}

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
	parts, err := source.parts(root)
	if err != nil {
		return nil, err
	}
	return &Program{text: text, root: conjunction(parts), parts: parts, columns: c.columns}, nil
}

// parts compiles the operands of the outermost &&.
func (s *source) parts(root celast.Expr) ([]part, error) {
	list := operands(root, operators.LogicalAnd)
	nodes, err := s.conditions(list...)
	parts := make([]part, len(nodes))
	for i, n := range nodes {
		parts[i] = part{s.spell(list[i]), n}
	}
	return parts, err
}

func conjunction(parts []part) node {
	if len(parts) == 1 {
		return parts[0].node
	}
	nodes := make(all, len(parts))
	for i, part := range parts {
		nodes[i] = part.node
	}
	return nodes
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
