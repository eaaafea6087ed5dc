package filter

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// explainParse words the first error of CEL's parser.
func (c *Compiler) explainParse(issues *cel.Issues) error {
	first := issues.Errors()[0]
	line, column := first.Location.Line(), first.Location.Column()+1
	if line < 1 { // the parser gave up without a place
		return &Error{Reason: ErrLimit, Message: fmt.Sprintf(
			"it nests deeper than %d, which is Limits.MaxDepth; use fewer parentheses, or raise the limit", c.limits.MaxDepth)}
	}
	if first.Message == "invalid argument to has() macro" {
		return &Error{Line: line, Column: column, Reason: ErrUnsupported,
			Message: "has() takes an attribute, has(attributes.NAME); price >= 0 is true of the items that have a price"}
	}
	return &Error{Line: line, Column: max(1, column), Reason: ErrSyntax, Message: plainSyntax(first.Message) +
		"; in CEL text stands in quotes, equality is ==, and && || ! are and, or, not"}
}

// plainSyntax is what a syntax error says without the words of the parser's
// generator and its list of all tokens that it would have taken.
func plainSyntax(message string) string {
	message = strings.TrimPrefix(message, "Syntax error: ")
	message, _, _ = strings.Cut(message, " expecting ")
	return strings.NewReplacer("'<EOF>'", "end of the filter", "mismatched input", "unexpected",
		"extraneous input", "unexpected", "token recognition error at:", "cannot read").Replace(message)
}

// explainCheck words the first error of CEL's checker in terms of items.
func (s *source) explainCheck(root celast.Expr, issues *cel.Issues) error {
	first := issues.Errors()[0]
	var at celast.Expr
	celast.PreOrderVisit(root, celast.NewExprVisitor(func(e celast.Expr) {
		if e.ID() == first.ExprID {
			at = e
		}
	}))
	if at == nil {
		return &Error{Line: first.Location.Line(), Column: first.Location.Column() + 1, Reason: ErrType, Message: first.Message}
	}
	if f := s.compiler.field(at); f != nil {
		return s.notACondition(at, f)
	}
	switch at.Kind() {
	case celast.IdentKind:
		return s.unknownField(at)
	case celast.SelectKind:
		return s.unknownAttribute(at)
	case celast.CallKind:
		return s.badCall(at, first.Message)
	}
	return s.noCondition(at)
}

// unknownField is about a name that is no field.
func (s *source) unknownField(e celast.Expr) error {
	name := e.AsIdent()
	fields := make([]string, len(s.compiler.fields))
	for i, f := range s.compiler.fields {
		fields[i] = f.name
	}
	guess := nearest(name, fields)
	for _, declared := range s.compiler.table.Declarations() {
		if declared.Name == name {
			guess = attributeField(s.compiler.table, declared).written()
		}
	}
	return s.refuse(e, name, ErrField, "unknown field %s%s; fields are %s, and declared attributes as attributes.NAME",
		short(name), didYouMean(guess), strings.Join(fields, ", "))
}

// mostNames is how many attributes an error lists.
const mostNames = 20

// unknownAttribute is about attributes.NAME that was not declared, or x.NAME.
func (s *source) unknownAttribute(e celast.Expr) error {
	name := attributeName(e)
	if name == "" {
		return s.refuse(e, "", ErrField, "%s has no fields; %s", short(s.spell(e.AsSelect().Operand())), forms)
	}
	var declared, listed []string
	for i, d := range s.compiler.table.Declarations() {
		declared = append(declared, d.Name)
		if i < mostNames {
			listed = append(listed, short(d.Name)+" ("+d.Type()+")")
		}
	}
	known := "none is declared"
	if len(declared) > 0 {
		known = "declared are " + strings.Join(listed, ", ")
	}
	if more := len(declared) - len(listed); more > 0 {
		known += fmt.Sprintf(" and %d more", more)
	}
	return s.refuse(e, attributesName+"."+name, ErrField, "unknown attribute %s%s; %s",
		short(name), didYouMean(nearest(name, declared)), known)
}

// badCall is about an operator or function that does not take its operands.
func (s *source) badCall(e celast.Expr, message string) error {
	call := e.AsCall()
	name := call.FunctionName()
	if isIdentifier(name) && !s.compiler.environment.HasFunction(name) {
		guess := nearest(name, []string{"startsWith", "endsWith", "contains", "has", "timestamp"})
		return s.refuse(e, "", ErrUnsupported, "unknown function %s()%s; %s", short(name), didYouMean(guess), forms)
	}
	operands := call.Args()
	if call.IsMemberFunction() {
		operands = append([]celast.Expr{call.Target()}, operands...)
	}
	for i, operand := range operands {
		f := s.compiler.field(operand)
		switch {
		case f == nil || isPresenceTest(operand):
		case len(operands) == 1:
			return s.notACondition(operand, f)
		default:
			return s.badOperand(e, f, operands[(i+1)%len(operands)])
		}
	}
	switch {
	case name == "timestamp":
		return s.refuse(e, "", ErrType, `%s is no time; write timestamp("2026-01-31T00:00:00Z")`, short(s.spell(e)))
	case name == operators.Index:
		return s.refuse(e, "", ErrUnsupported, "%s: nothing is reached by index; write attributes.NAME, or attributes.`NAME` where the name is no identifier", short(s.spell(e)))
	}
	return s.refuse(e, "", ErrType, "%s compares no field with a literal of its type (%s); %s", short(s.spell(e)), message, forms)
}

// badOperand is about a call that f and other do not fit: other has the wrong
// type, or the operator is not one for f.
func (s *source) badOperand(e celast.Expr, f *field, other celast.Expr) error {
	literals := []celast.Expr{other}
	if other.Kind() == celast.ListKind && f.each == nil {
		literals = other.AsList().Elements()
	}
	for _, literal := range literals {
		if literalOf(literal) == nil {
			return s.mismatch(literal, f)
		}
		if _, err := s.value(literal, f); err != nil {
			return err
		}
	}
	return s.misused(e, f)
}

func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return ", did you mean " + name + "?"
}
