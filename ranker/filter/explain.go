package filter

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// forms is what filters may be made of, for the errors that say so.
const forms = `write FIELD == LITERAL (or != < <= > >=), FIELD in [LITERAL, ...], LITERAL in LIST_FIELD, ` +
	`FIELD.startsWith("x") (or endsWith, contains), has(attributes.NAME), or a field that is true or false, ` +
	`joined by && || ! and C ? A : B`

// refuse makes the error about an expression.
func (s *source) refuse(e celast.Expr, field string, reason error, format string, args ...any) *Error {
	line, column := s.position(e)
	return &Error{Line: line, Column: column, Field: field, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// position is where an expression starts, in lines and code points from 1. CEL
// places a selection at its dot and a call at its operator or parenthesis.
func (s *source) position(e celast.Expr) (line, column int) {
	shift := 0
	switch e.Kind() {
	case celast.SelectKind:
		return s.position(e.AsSelect().Operand())
	case celast.CallKind:
		call := e.AsCall()
		switch name := call.FunctionName(); {
		case call.IsMemberFunction():
			return s.position(call.Target())
		case isIdentifier(name):
			shift = len(name)
		case len(call.Args()) > 1:
			return s.position(call.Args()[0])
		}
	}
	at := s.info.GetStartLocation(e.ID())
	return at.Line(), max(1, at.Column()+1-shift)
}

// spell writes an expression as CEL does.
func (s *source) spell(e celast.Expr) string {
	text, err := cel.ExprToString(e, s.info, cel.FormatEscapeIdentifiers(true))
	if err != nil {
		return "this"
	}
	return text
}

// short cuts what is quoted in an error.
func short(text string) string {
	if runes := []rune(text); len(runes) > 40 {
		return string(runes[:40]) + "..."
	}
	return text
}

// describe says what kind of thing an expression is.
func (s *source) describe(e celast.Expr) string {
	if f := s.compiler.field(e); f != nil && !isPresenceTest(e) {
		return f.kind.describe()
	}
	switch e.Kind() {
	case celast.ListKind:
		return "a list"
	case celast.MapKind, celast.StructKind:
		return "a map"
	}
	switch literalOf(e).(type) {
	case types.String:
		return "text"
	case types.Double:
		return "a number"
	case types.Int, types.Uint:
		return "a whole number"
	case types.Bool:
		return "true or false"
	case types.Timestamp:
		return "a time"
	case types.Bytes:
		return "bytes"
	case types.Null:
		return "null"
	}
	return "an expression"
}

func (k fieldKind) describe() string {
	return [...]string{
		textField: "text", codeField: "text", codesField: "a list of texts",
		numberField: "a number", integerField: "a whole number", timeField: "a time", flagField: "true or false",
		numbersField: "a list of numbers", timesField: "a list of times", flagsField: "a list of true and false",
	}[k]
}

// usage is how a field may be used.
func (f *field) usage() string {
	format := [...]string{
		textField: `%s == "x", %[1]s in ["x", "y"] or %[1]s.startsWith("x")`, codesField: `"x" in %s`,
		numberField: `%s < 9.5`, integerField: `%s >= 5`, flagField: `%s or !%[1]s`,
		timeField:    `%s >= timestamp("2026-01-31T00:00:00Z")`,
		numbersField: `9.5 in %s`, timesField: `timestamp("2026-01-31T00:00:00Z") in %s`, flagsField: `true in %s`,
	}[f.usageKind()]
	return "write for example " + fmt.Sprintf(format, f.written())
}

func (f *field) usageKind() fieldKind {
	if f.kind == codeField {
		return textField
	}
	return f.kind
}

// written is the name as a filter must write it: one that is no identifier is
// quoted.
func (f *field) written() string {
	name, isAttribute := strings.CutPrefix(f.name, attributesName+".")
	if !isAttribute || isIdentifier(name) {
		return f.name
	}
	return attributesName + ".`" + name + "`"
}

func isIdentifier(name string) bool {
	for i, r := range name {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

func (s *source) notACondition(e celast.Expr, f *field) *Error {
	return s.refuse(e, f.name, ErrType, "%s is %s, not a condition; %s", short(s.spell(e)), f.kind.describe(), f.usage())
}

// noCondition is about anything else that is no condition.
func (s *source) noCondition(e celast.Expr) *Error {
	return s.refuse(e, "", ErrType, "%s is %s where a condition must stand; %s", short(s.spell(e)), s.describe(e), forms)
}

func (s *source) notALiteral(e celast.Expr, f *field) *Error {
	return s.refuse(e, f.name, ErrUnsupported, "%s is compared with %s, which is not a literal; %s", f.name, short(s.spell(e)), f.usage())
}

// misused is about an operator that f does not take.
func (s *source) misused(e celast.Expr, f *field) *Error {
	return s.refuse(e, f.name, ErrUnsupported, "%s is %s and cannot be used this way; %s", f.name, f.kind.describe(), f.usage())
}

func (s *source) mismatch(e celast.Expr, f *field) *Error {
	return s.refuse(e, f.name, ErrType, "%s is %s and %s is %s; %s", f.name, f.kind.describe(), short(s.spell(e)), s.describe(e), f.usage())
}

func (s *source) badTime(e celast.Expr, f *field) *Error {
	return s.refuse(e, f.name, ErrType, "%s is no time of the years 1 to 9999; %s", short(s.spell(e)), f.usage())
}

func (s *source) unsupported(e celast.Expr) *Error {
	if e.Kind() == celast.CallKind {
		switch name := e.AsCall().FunctionName(); {
		case name == "matches":
			return s.refuse(e, "", ErrUnsupported, "matches() is not supported: a regular expression costs too much for every item; use contains, startsWith or endsWith")
		case isIdentifier(name):
			return s.refuse(e, "", ErrUnsupported, "%s() is not supported here; %s", name, forms)
		}
	}
	return s.refuse(e, "", ErrUnsupported, "%s is CEL, but not of a form that filters evaluate; %s", short(s.spell(e)), forms)
}
