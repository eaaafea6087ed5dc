package filter

import (
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// A source is one filter while it is being compiled: its expressions, where
// they stand, and what their names mean.
type source struct {
	compiler *Compiler
	info     *celast.SourceInfo
}

// condition turns an expression that CEL has checked into a node, or says why
// filters cannot evaluate it.
func (s *source) condition(e celast.Expr) (node, error) {
	switch e.Kind() {
	case celast.LiteralKind:
		if b, ok := e.AsLiteral().(types.Bool); ok {
			return constant(b), nil
		}
		return nil, s.noCondition(e)
	case celast.IdentKind, celast.SelectKind:
		f := s.compiler.field(e)
		switch {
		case f == nil:
		case e.Kind() == celast.SelectKind && e.AsSelect().IsTestOnly():
			return presence(f), nil
		case f.kind == flagField:
			return &isWord{field: f, words: fixedWords(flagWord(true))}, nil
		default:
			return nil, s.notACondition(e, f)
		}
	case celast.CallKind:
		return s.call(e)
	}
	return nil, s.unsupported(e)
}

// presence is has(f).
func presence(f *field) node {
	switch f.kind {
	case numberField:
		return numberIn(f, everyNumber)
	case timeField:
		return integerIn(f, everyInteger)
	}
	return &hasField{f}
}

func (s *source) call(e celast.Expr) (node, error) {
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.LogicalAnd:
		children, err := s.conditions(operands(e, operators.LogicalAnd)...)
		return all(children), err
	case operators.LogicalOr:
		children, err := s.conditions(operands(e, operators.LogicalOr)...)
		return either(children), err
	case operators.LogicalNot:
		child, err := s.condition(args[0])
		return not{child}, err
	case operators.Conditional:
		return s.choice(args)
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals,
		operators.Greater, operators.GreaterEquals:
		return s.comparison(e, call.FunctionName(), args[0], args[1])
	case operators.In:
		return s.membership(e, args[0], args[1])
	case "startsWith", "endsWith", "contains":
		if call.IsMemberFunction() {
			return s.textCall(e, call.FunctionName(), call.Target(), args[0])
		}
	}
	return nil, s.unsupported(e)
}

// conditions are those of expressions, in order.
func (s *source) conditions(list ...celast.Expr) ([]node, error) {
	nodes := make([]node, len(list))
	for i, e := range list {
		var err error
		if nodes[i], err = s.condition(e); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

// operands are a, b and c of a && b && c, however it is bracketed.
func operands(e celast.Expr, operator string) []celast.Expr {
	if e.Kind() != celast.CallKind || e.AsCall().FunctionName() != operator {
		return []celast.Expr{e}
	}
	var list []celast.Expr
	for _, arg := range e.AsCall().Args() {
		list = append(list, operands(arg, operator)...)
	}
	return list
}

// choice is C ? A : B of conditions.
func (s *source) choice(args []celast.Expr) (node, error) {
	parts, err := s.conditions(args...)
	if err != nil {
		return nil, err
	}
	return either{all{parts[0], parts[1]}, all{not{parts[0]}, parts[2]}}, nil
}

func isPresenceTest(e celast.Expr) bool {
	return e.Kind() == celast.SelectKind && e.AsSelect().IsTestOnly()
}
