package catalog

import (
	"fmt"
	"maps"
	"math"
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
	return "unknown"
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

// An Attribute is one named value of an [Item].
type Attribute struct {
	Name  string
	Value Value
}

// A Value is one attribute's value with its type. The zero Value is invalid;
// make one with [String], [Number], [Bool], [Time] or their plurals.
type Value struct {
	kind  Kind
	list  bool
	texts []string // of strings
	words []uint64 // of all others, as in Cell
}

// String is a string value.
func String(text string) Value { return Value{kind: KindString, texts: []string{text}} }

// Strings is a list of strings.
func Strings(texts ...string) Value { return Value{kind: KindString, list: true, texts: texts} }

// Number is a number; it must be finite.
func Number(number float64) Value {
	return Value{kind: KindNumber, words: []uint64{math.Float64bits(number)}}
}

// Numbers is a list of numbers, each finite.
func Numbers(numbers ...float64) Value {
	return Value{kind: KindNumber, list: true, words: wordsOf(numbers, math.Float64bits)}
}

// Bool is a bool.
func Bool(b bool) Value { return Value{kind: KindBool, words: []uint64{boolWord(b)}} }

// Bools is a list of bools.
func Bools(bools ...bool) Value {
	return Value{kind: KindBool, list: true, words: wordsOf(bools, boolWord)}
}

// Time is a moment in unix microseconds.
func Time(micros int64) Value { return Value{kind: KindTime, words: []uint64{uint64(micros)}} }

// Times is a list of moments in unix microseconds.
func Times(micros ...int64) Value {
	return Value{kind: KindTime, list: true, words: wordsOf(micros, func(m int64) uint64 { return uint64(m) })}
}

func boolWord(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func wordsOf[T any](values []T, word func(T) uint64) []uint64 {
	words := make([]uint64, len(values))
	for i, value := range values {
		words[i] = word(value)
	}
	return words
}

// Type is the value's type in words, as [Declaration.Type] writes it.
func (v Value) Type() string { return typeName(v.kind, v.list) }

// Kind is the kind of the value, or of its elements.
func (v Value) Kind() Kind { return v.kind }

// IsList reports whether the value is a list.
func (v Value) IsList() bool { return v.list }

// Len is the number of elements: 1 unless the value is a list.
func (v Value) Len() int { return max(len(v.texts), len(v.words)) }

// Text is element i of a string value.
func (v Value) Text(i int) string { return v.texts[i] }

// Number is element i of a number value.
func (v Value) Number(i int) float64 { return math.Float64frombits(v.words[i]) }

// Bool is element i of a bool value.
func (v Value) Bool(i int) bool { return v.words[i] != 0 }

// Time is element i of a time value, in unix microseconds.
func (v Value) Time(i int) int64 { return int64(v.words[i]) }
