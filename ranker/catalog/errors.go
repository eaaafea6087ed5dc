package catalog

import (
	"errors"
	"fmt"
	"strings"
)

// Sentinels, found with errors.Is in whatever the methods of [Table] return.
var (
	// ErrInvalid marks a value that no table would take: a negative price, an
	// empty id, text that is not UTF-8.
	ErrInvalid = errors.New("invalid value")
	// ErrLimit marks what a bound of [Limits] refused.
	ErrLimit = errors.New("limit reached")
	// ErrNotFound marks a number at which no item stands.
	ErrNotFound = errors.New("no such item")
	// ErrTaken marks a number at which an item with another id stands.
	ErrTaken = errors.New("item number taken")
	// ErrUndeclared marks an attribute that was never declared.
	ErrUndeclared = errors.New("attribute not declared")
	// ErrConflict marks an attribute declared, or given, with another type
	// than the one it has.
	ErrConflict = errors.New("attribute type conflict")
)

// FieldError says what is wrong with one field of an item.
type FieldError struct {
	// Field is the field as a merchant writes it: "price", "categories[2]",
	// "attributes.color".
	Field string
	// Err names the value, the bound and the way out, and wraps a sentinel.
	Err error
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap makes errors.Is find the sentinel.
func (e *FieldError) Unwrap() error { return e.Err }

// A place is a field that is only written out when it is refused.
type place struct {
	field   string
	element string // of an attribute: its name
	index   int    // of a list, from 0
}

// whole is the place of a field that is neither a list nor an attribute.
func whole(field string) place { return place{field: field, index: -1} }

func attributePlace(name string) place { return place{"attributes", name, -1} }

func (p place) String() string {
	switch {
	case p.index >= 0:
		return fmt.Sprintf("%s[%d]", p.field, p.index)
	case p.element != "":
		return p.field + "." + p.element
	}
	return p.field
}

// FieldErrors is every field of one item that was refused, in the order of the
// fields of [Item]. [Table.Put] and [Table.Patch] return it, found with errors.As.
type FieldErrors []*FieldError

func (e FieldErrors) Error() string {
	parts := make([]string, len(e))
	for i, field := range e {
		parts[i] = field.Error()
	}
	return strings.Join(parts, "; ")
}

// Unwrap makes errors.Is and errors.As reach each field's error.
func (e FieldErrors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, field := range e {
		errs[i] = field
	}
	return errs
}

// refuse appends a refusal; err wraps a sentinel.
func (e *FieldErrors) refuse(at place, err error) {
	*e = append(*e, &FieldError{Field: at.String(), Err: err})
}

// orNil keeps an empty list from becoming a non-nil error.
func (e FieldErrors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e
}
