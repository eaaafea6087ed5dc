package dataset

import "time"

// CategorySeparator joins the levels of a category path: "Office > Paper > Envelopes".
const CategorySeparator = " > "

// Item is one row of a catalog. Every format fills what it has; a zero field means that the file does not say.
type Item struct {
	ID          string   // never empty
	Title       string   // empty where the file has none (s3rec)
	Description string   // plain text as it stands in the file
	Categories  []string // paths from the root, levels joined by CategorySeparator
	Tags        []string // free words
	Brand       string
	Seller      string
	Language    string // BCP 47, as in the file
	Price       Price
	Stock       *int64 // nil: not limited; 0: sold out

	AvailableFrom  time.Time // zero: always
	AvailableUntil time.Time // zero: for ever
	Created        time.Time // zero: not known
	SourceTime     time.Time // when the source last changed this row; zero: not known

	URL        string
	ImageURL   string
	Group      string // items of one group are variants of one product
	Hidden     bool
	Attributes map[string]Value // nil where there are none
}

// Price is an exact amount of money, Units + Nanos/1e9: Units 0 or more, Nanos in [0, 999999999].
type Price struct {
	Currency string // ISO 4217, three capitals
	Units    int64
	Nanos    int32
	Has      bool // false: the file gives no price, and the other fields are zero
}

// Kind says which field of a Value holds.
type Kind uint8

// The kinds of attribute values.
const (
	KindString Kind = iota + 1
	KindNumber
	KindBool
	KindTime
	KindStrings
	KindNumbers
)

// String is the kind's name, as it stands in column names of csv files ("attributes.year:number").
func (k Kind) String() string {
	switch k {
	case KindString:
		return "string"
	case KindNumber:
		return "number"
	case KindBool:
		return "bool"
	case KindTime:
		return "time"
	case KindStrings:
		return "strings"
	case KindNumbers:
		return "numbers"
	}
	return "invalid"
}

// Value is one typed attribute. Kind names the one field that is set.
type Value struct {
	Kind    Kind
	Text    string
	Number  float64 // finite
	Bool    bool
	Time    time.Time
	Strings []string
	Numbers []float64 // finite
}

// StringValue is an attribute of kind string.
func StringValue(s string) Value { return Value{Kind: KindString, Text: s} }

// NumberValue is an attribute of kind number; n must be finite.
func NumberValue(n float64) Value { return Value{Kind: KindNumber, Number: n} }

// BoolValue is an attribute of kind bool.
func BoolValue(b bool) Value { return Value{Kind: KindBool, Bool: b} }

// TimeValue is an attribute of kind time.
func TimeValue(t time.Time) Value { return Value{Kind: KindTime, Time: t} }

// StringsValue is an attribute that is a list of strings; the list is kept, not copied.
func StringsValue(list []string) Value { return Value{Kind: KindStrings, Strings: list} }

// NumbersValue is an attribute that is a list of finite numbers; the list is kept, not copied.
func NumbersValue(list []float64) Value { return Value{Kind: KindNumbers, Numbers: list} }
