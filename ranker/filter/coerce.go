package filter

import (
	"math"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

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
