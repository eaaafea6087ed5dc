package filter

import (
	"math"
	"slices"
	"strings"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// A source is one filter while it is being compiled: its expressions, where
// they stand, and what their names mean.
type source struct {
	compiler *Compiler
	info     *celast.SourceInfo
}

// condition turns an expression that CEL has checked into a node, or says why
// filters cannot evaluate it.
func (s *source) condition(e celast.Expr) (node, error) {
	switch e.Kind() {
	case celast.LiteralKind:
		if b, ok := e.AsLiteral().(types.Bool); ok {
			return constant(b), nil
		}
		return nil, s.noCondition(e)
	case celast.IdentKind, celast.SelectKind:
		f := s.compiler.field(e)
		switch {
		case f == nil:
		case e.Kind() == celast.SelectKind && e.AsSelect().IsTestOnly():
			return presence(f), nil
		case f.kind == flagField:
			return &isWord{field: f, words: fixedWords(flagWord(true))}, nil
		default:
			return nil, s.notACondition(e, f)
		}
	case celast.CallKind:
		return s.call(e)
	}
	return nil, s.unsupported(e)
}

// presence is has(f).
func presence(f *field) node {
	switch f.kind {
	case numberField:
		return numberIn(f, everyNumber)
	case timeField:
		return integerIn(f, everyInteger)
	}
	return &hasField{f}
}

func (s *source) call(e celast.Expr) (node, error) {
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.LogicalAnd:
		children, err := s.chain(e, operators.LogicalAnd, nil)
		return all(children), err
	case operators.LogicalOr:
		children, err := s.chain(e, operators.LogicalOr, nil)
		return either(children), err
	case operators.LogicalNot:
		child, err := s.condition(args[0])
		return not{child}, err
	case operators.Conditional:
		return s.choice(args[0], args[1], args[2])
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals,
		operators.Greater, operators.GreaterEquals:
		return s.comparison(e, call.FunctionName(), args[0], args[1])
	case operators.In:
		return s.membership(e, args[0], args[1])
	case "startsWith", "endsWith", "contains":
		if call.IsMemberFunction() {
			return s.textCall(e, call.FunctionName(), call.Target(), args[0])
		}
	}
	return nil, s.unsupported(e)
}

// chain appends the conditions of a && b && c, however it is bracketed.
func (s *source) chain(e celast.Expr, operator string, children []node) ([]node, error) {
	if e.Kind() == celast.CallKind && e.AsCall().FunctionName() == operator {
		for _, arg := range e.AsCall().Args() {
			var err error
			if children, err = s.chain(arg, operator, children); err != nil {
				return nil, err
			}
		}
		return children, nil
	}
	child, err := s.condition(e)
	return append(children, child), err
}

// choice is c ? a : b of conditions.
func (s *source) choice(c, a, b celast.Expr) (node, error) {
	var parts [3]node
	for i, e := range []celast.Expr{c, a, b} {
		var err error
		if parts[i], err = s.condition(e); err != nil {
			return nil, err
		}
	}
	return either{all{parts[0], parts[1]}, all{not{parts[0]}, parts[2]}}, nil
}

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

func isPresenceTest(e celast.Expr) bool {
	return e.Kind() == celast.SelectKind && e.AsSelect().IsTestOnly()
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
