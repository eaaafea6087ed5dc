package catalog

import (
	"fmt"
	"maps"
	"unicode/utf8"
)

// A Kind is the type of an attribute's value, or of each element of a list.
type Kind uint8

// Kinds of attributes. The zero Kind is none of them.
const (
	KindString Kind = iota + 1
	KindNumber      // float64, finite
	KindBool
	KindTime // unix microseconds
)

var kindNames = [...]string{KindString: "string", KindNumber: "number", KindBool: "bool", KindTime: "time"}

// String is "string", "number", "bool" or "time".
func (k Kind) String() string {
	if k.valid() {
		return kindNames[k]
	}
	return "untyped"
}

func (k Kind) valid() bool { return k >= KindString && k <= KindTime }

// A Declaration is the type under which a tenant uses one attribute.
type Declaration struct {
	Name string
	Kind Kind
	// List is whether the value is a list of Kind.
	List bool
	// Slot is where rows keep it, dense from 0, in order of declaration.
	Slot uint32
}

// Type is the declared type in words: "number", "list of strings".
func (d Declaration) Type() string { return typeName(d.Kind, d.List) }

func typeName(kind Kind, list bool) string {
	if list {
		return "list of " + kind.String() + "s"
	}
	return kind.String()
}

// A schema is all declarations; immutable, replaced as a whole.
type schema struct {
	bySlot []Declaration
	byName map[string]uint32
}

// maxAttributeName is the longest name of an attribute, in bytes.
const maxAttributeName = 128

// with returns the schema that also has the declaration, and its slot.
func (s *schema) with(name string, kind Kind, list bool, limit int) (*schema, uint32, error) {
	if !kind.valid() {
		return nil, 0, fmt.Errorf("%w: attribute %q has kind %d; use string, number, bool or time", ErrInvalid, name, kind)
	}
	if name == "" || len(name) > maxAttributeName || !utf8.ValidString(name) {
		return nil, 0, fmt.Errorf("%w: attribute name %.140q; use 1 to %d bytes of UTF-8", ErrInvalid, name, maxAttributeName)
	}
	if slot, ok := s.byName[name]; ok {
		if have := s.bySlot[slot]; have.Kind != kind || have.List != list {
			return nil, 0, fmt.Errorf("%w: attribute %q is declared as %s, not %s; use another name for the new type",
				ErrConflict, name, have.Type(), typeName(kind, list))
		}
		return s, slot, nil
	}
	if len(s.bySlot) >= limit {
		return nil, 0, fmt.Errorf("%w: attribute %q would be number %d, Limits.MaxAttributes is %d; declare fewer, or raise it",
			ErrLimit, name, len(s.bySlot)+1, limit)
	}
	slot := uint32(len(s.bySlot))
	next := &schema{
		bySlot: append(s.bySlot[:slot:slot], Declaration{Name: name, Kind: kind, List: list, Slot: slot}),
		byName: maps.Clone(s.byName),
	}
	next.byName[name] = slot
	return next, slot, nil
}
