package filter

import (
	"math"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// literalOf returns the value that an expression spells out: a literal, or
// timestamp() of one. It is nil for anything else, and a types.Err for a
// timestamp that is none.
func literalOf(e celast.Expr) ref.Val {
	switch e.Kind() {
	case celast.LiteralKind:
		return e.AsLiteral()
	case celast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != "timestamp" || call.IsMemberFunction() || len(call.Args()) != 1 {
			return nil
		}
		if of := literalOf(call.Args()[0]); of != nil && !types.IsError(of) {
			return of.ConvertToType(types.TimestampType)
		}
	}
	return nil
}

// value returns a literal of the type that f is compared with.
func (s *source) value(e celast.Expr, f *field) (ref.Val, error) {
	value := literalOf(e)
	if types.IsError(value) {
		return nil, s.badTime(e, f)
	}
	ok := false
	switch f.kind {
	case textField, codeField, codesField:
		_, ok = value.(types.String)
	case numberField, numbersField:
		_, ok = value.(types.Double)
	case integerField:
		_, ok = integerThreshold(value)
	case timeField, timesField:
		_, ok = value.(types.Timestamp)
	case flagField, flagsField:
		_, ok = value.(types.Bool)
	}
	if !ok {
		return nil, s.mismatch(e, f)
	}
	return value, nil
}

func (s *source) text(e celast.Expr, f *field) (string, error) {
	value, err := s.value(e, f)
	if err != nil {
		return "", err
	}
	return string(value.(types.String)), nil
}

func (s *source) texts(literals []celast.Expr, f *field) ([]string, error) {
	texts := make([]string, len(literals))
	for i, e := range literals {
		var err error
		if texts[i], err = s.text(e, f); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// numberWord gives both zeros one word, as catalog.Cell does.
func numberWord(number float64) uint64 {
	if number == 0 {
		return 0
	}
	return math.Float64bits(number)
}

// word returns a literal as rows keep it; possible is false for one that no
// row can have, such as a time of nanoseconds.
func (s *source) word(e celast.Expr, f *field) (word uint64, possible bool, err error) {
	value, err := s.value(e, f)
	if err != nil {
		return 0, false, err
	}
	switch value := value.(type) {
	case types.Bool:
		return flagWord(bool(value)), true, nil
	case types.Double:
		return numberWord(float64(value)), true, nil
	}
	at, exact := timeThreshold(value)
	return uint64(at.floor), exact && at.exact, nil
}
