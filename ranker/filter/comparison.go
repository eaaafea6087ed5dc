package filter

import (
	"slices"
	"strings"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// mirrored are the operators with their sides swapped.
var mirrored = map[string]string{
	operators.Equals: operators.Equals, operators.NotEquals: operators.NotEquals,
	operators.Less: operators.Greater, operators.LessEquals: operators.GreaterEquals,
	operators.Greater: operators.Less, operators.GreaterEquals: operators.LessEquals,
}

// comparison is FIELD operator LITERAL, either way around.
func (s *source) comparison(e celast.Expr, operator string, left, right celast.Expr) (node, error) {
	f := s.compiler.field(left)
	if f == nil || isPresenceTest(left) {
		left, right, operator = right, left, mirrored[operator]
		f = s.compiler.field(left)
	}
	if f == nil || isPresenceTest(left) {
		return nil, s.unsupported(e)
	}
	if literalOf(right) == nil {
		return nil, s.notALiteral(right, f)
	}
	switch f.kind {
	case textField, codeField:
		text, err := s.text(right, f)
		if err != nil {
			return nil, err
		}
		if f.kind == codeField && (operator == operators.Equals || operator == operators.NotEquals) {
			return &isWord{f, codesOf(f.dictionary, text), operator == operators.NotEquals}, nil
		}
		return textNode(f, textComparison(operator, text)), nil
	case numberField, integerField, timeField:
		return s.ordered(f, operator, right)
	case flagField:
		if operator == operators.Equals || operator == operators.NotEquals {
			word, _, err := s.word(right, f)
			return &isWord{f, fixedWords(word), operator == operators.NotEquals}, err
		}
	}
	return nil, s.misused(e, f)
}

// ordered is a comparison of a field of numbers or times with literals, any of
// which may hold: the field in [LITERAL, ...].
func (s *source) ordered(f *field, operator string, literals ...celast.Expr) (node, error) {
	var numbers []interval[float64]
	var integers []interval[int64]
	for _, e := range literals {
		value, err := s.value(e, f)
		if err != nil {
			return nil, err
		}
		switch f.kind {
		case numberField:
			numbers = append(numbers, numberIntervals(operator, float64(value.(types.Double)))...)
		case integerField:
			at, _ := integerThreshold(value)
			integers = append(integers, integerIntervals(operator, at)...)
		default:
			at, _ := timeThreshold(value)
			integers = append(integers, integerIntervals(operator, at)...)
		}
	}
	if f.kind == numberField {
		return numberIn(f, numbers), nil
	}
	return integerIn(f, integers), nil
}

// membership is LITERAL in LIST_FIELD, or FIELD in [LITERAL, ...].
func (s *source) membership(e, left, right celast.Expr) (node, error) {
	if f := s.compiler.field(right); f != nil && !isPresenceTest(right) {
		if literalOf(left) == nil {
			return nil, s.notALiteral(left, f)
		}
		return s.wordNode(f, []celast.Expr{left})
	}
	f := s.compiler.field(left)
	if f == nil || isPresenceTest(left) {
		return nil, s.unsupported(e)
	}
	if right.Kind() != celast.ListKind {
		return nil, s.notALiteral(right, f)
	}
	literals := right.AsList().Elements()
	for _, literal := range literals {
		if literalOf(literal) == nil {
			return nil, s.notALiteral(literal, f)
		}
	}
	switch f.kind {
	case textField:
		texts, err := s.texts(literals, f)
		slices.Sort(texts)
		return textNode(f, func(text string) bool { _, found := slices.BinarySearch(texts, text); return found }), err
	case numberField, integerField, timeField:
		return s.ordered(f, operators.Equals, literals...)
	case codeField, flagField:
		return s.wordNode(f, literals)
	}
	return nil, s.misused(e, f)
}

// wordNode looks for literals in the words of a field.
func (s *source) wordNode(f *field, literals []celast.Expr) (node, error) {
	var sought *words
	if f.dictionary != nil {
		texts, err := s.texts(literals, f)
		if err != nil {
			return nil, err
		}
		sought = codesOf(f.dictionary, texts...)
	} else {
		var list []uint64
		for _, e := range literals {
			word, possible, err := s.word(e, f)
			if err != nil {
				return nil, err
			}
			if possible {
				list = append(list, word)
			}
		}
		sought = fixedWords(list...)
	}
	if f.each != nil {
		return &hasWord{f, sought}, nil
	}
	return &isWord{field: f, words: sought}, nil
}

// textCall is FIELD.startsWith("x") and its kin.
func (s *source) textCall(e celast.Expr, function string, target, arg celast.Expr) (node, error) {
	f := s.compiler.field(target)
	if f == nil || isPresenceTest(target) {
		return nil, s.unsupported(e)
	}
	if literalOf(arg) == nil {
		return nil, s.notALiteral(arg, f)
	}
	text, err := s.text(arg, f)
	if err != nil {
		return nil, err
	}
	test := strings.Contains
	switch function {
	case "startsWith":
		test = strings.HasPrefix
	case "endsWith":
		test = strings.HasSuffix
	}
	return textNode(f, func(have string) bool { return test(have, text) }), nil
}

func textNode(f *field, test func(string) bool) node {
	if f.kind == textField {
		return &wholeText{f, test}
	}
	return &codeText{f, test}
}

// textComparison compares in the order of code points, which is that of bytes.
func textComparison(operator, literal string) func(string) bool {
	switch operator {
	case operators.Equals:
		return func(text string) bool { return text == literal }
	case operators.NotEquals:
		return func(text string) bool { return text != literal }
	case operators.Less:
		return func(text string) bool { return text < literal }
	case operators.LessEquals:
		return func(text string) bool { return text <= literal }
	case operators.Greater:
		return func(text string) bool { return text > literal }
	}
	return func(text string) bool { return text >= literal }
}
