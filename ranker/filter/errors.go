package filter

import (
	"errors"
	"fmt"
)

// Sentinels, found with errors.Is in what [Compiler.Compile] and [Cache.Filter]
// return; [ErrLimit] is also that of the constructors.
var (
	// ErrSyntax marks a filter that is not an expression of CEL.
	ErrSyntax = errors.New("filter does not parse")
	// ErrField marks a field, or an attribute, that is not known.
	ErrField = errors.New("unknown field")
	// ErrType marks a value of another type than its field's.
	ErrType = errors.New("wrong type")
	// ErrUnsupported marks CEL that filters do not evaluate.
	ErrUnsupported = errors.New("not supported in a filter")
	// ErrLimit marks what a bound of [Limits] refused.
	ErrLimit = errors.New("limit reached")
)

// An Error says what is wrong with a filter, and where.
type Error struct {
	// Line and Column point at the part refused, from 1; Column counts Unicode
	// code points. Both are 0 when it is the filter as a whole.
	Line, Column int
	// Field is the field concerned, "price" or "attributes.color", or "".
	Field string
	// Reason is the sentinel.
	Reason error
	// Message names the value, what is allowed, and the way out.
	Message string
}

// Error is "filter, line 1, column 9: MESSAGE".
func (e *Error) Error() string {
	if e.Line == 0 {
		return "filter: " + e.Message
	}
	return fmt.Sprintf("filter, line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Unwrap makes errors.Is find the sentinel.
func (e *Error) Unwrap() error { return e.Reason }
