package filter

import (
	"math"
	"time"

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

// coerce makes the literals that stand beside a field of another numeric type
// those of its type, so that price == 50 means what it says; CEL alone takes
// only price == 50.0. A whole number of a fraction is left for the checker.
func (c *Compiler) coerce(root celast.Expr) {
	celast.PostOrderVisit(root, celast.NewExprVisitor(func(e celast.Expr) {
		if e.Kind() != celast.CallKind || len(e.AsCall().Args()) != 2 {
			return
		}
		left, right := e.AsCall().Args()[0], e.AsCall().Args()[1]
		if f := c.field(left); f != nil {
			coerceTo(f.kind, right)
		}
		if f := c.field(right); f != nil {
			coerceTo(f.kind, left)
		}
	}))
}

func coerceTo(kind fieldKind, e celast.Expr) {
	switch e.Kind() {
	case celast.ListKind:
		for _, element := range e.AsList().Elements() {
			coerceTo(kind, element)
		}
	case celast.LiteralKind:
		if value := convert(kind, e.AsLiteral()); value != nil {
			e.SetKindCase(celast.NewExprFactory().NewLiteral(e.ID(), value))
		}
	}
}

// convert returns value as the number that kind compares with, or nil when it
// is one already or none.
func convert(kind fieldKind, value ref.Val) ref.Val {
	switch value := value.(type) {
	case types.Int:
		if kind == numberField || kind == numbersField {
			return types.Double(value)
		}
	case types.Uint:
		switch {
		case kind == numberField || kind == numbersField:
			return types.Double(value)
		case kind == integerField && value <= math.MaxInt64:
			return types.Int(value)
		}
	}
	return nil
}

// A threshold is a literal on the line of integers: floor is the largest
// integer not above it, exact whether it is that integer. What lies past the
// ends of int64 is floored to the end and inexact.
type threshold struct {
	floor int64
	exact bool
}

// integerThreshold is the threshold of a number, false for other values.
func integerThreshold(value ref.Val) (threshold, bool) {
	switch value := value.(type) {
	case types.Int:
		return threshold{int64(value), true}, true
	case types.Uint:
		return threshold{int64(min(value, math.MaxInt64)), value <= math.MaxInt64}, true
	case types.Double:
		floor := math.Floor(float64(value))
		switch {
		case floor >= 1<<63:
			return threshold{math.MaxInt64, false}, true
		case floor < -1<<63:
			return threshold{math.MinInt64, false}, true
		}
		return threshold{int64(floor), floor == float64(value)}, true
	}
	return threshold{}, false
}

// timeThreshold is the threshold of a time in unix microseconds.
func timeThreshold(value ref.Val) (threshold, bool) {
	at, ok := value.(types.Timestamp)
	if !ok {
		return threshold{}, false
	}
	return threshold{at.UnixMicro(), at.Nanosecond()%int(time.Microsecond) == 0}, true
}
