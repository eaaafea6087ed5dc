package catalog

import "math"

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
	return Value{kind: KindNumber, words: []uint64{numberWord(number)}}
}

// Numbers is a list of numbers, each finite.
func Numbers(numbers ...float64) Value {
	return Value{kind: KindNumber, list: true, words: wordsOf(numbers, numberWord)}
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

// numberWord gives both zeros one word, so that equal numbers are equal words.
func numberWord(number float64) uint64 {
	if number == 0 {
		return 0
	}
	return math.Float64bits(number)
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
