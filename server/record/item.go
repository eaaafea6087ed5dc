package record

import "time"

// Item is one thing that can be recommended: a row of the tenant's catalog.
// The zero value of an optional field means that the merchant did not say.
type Item struct {
	ID          string   // 1 to 128 bytes, unique in the tenant
	Title       string   // at most 1,024 bytes
	Description string   // at most 64 KiB
	Categories  []string // paths from the root, levels joined by " > "
	Tags        []string
	Brand       string
	Seller      string
	Language    string // BCP 47 tag, such as "en" or "zh-Hans"
	Price       *Money // nil: no price
	Stock       *int64 // nil: unlimited; 0: out of stock

	AvailableFrom  time.Time // zero: since ever
	AvailableUntil time.Time // zero: for ever; exclusive
	Hidden         bool      // true: never returned by a recommendation

	URL        string
	ImageURL   string
	Created    time.Time // zero: unknown, the time of the first upload counts
	SourceTime time.Time // when the feed wrote the row; an older row never replaces a newer one
	Group      string    // variants of one product share a group

	Vector     []float32 // the caller's own vector, nil: encode the text
	Attributes map[string]Value
}

// Money is an amount in a currency, as google.type.Money has it: Units whole
// units and Nanos billionths of a unit (0 to 999,999,999), never negative.
type Money struct {
	Currency string // ISO 4217, three capital letters
	Units    int64
	Nanos    int32
}

// Float returns the amount as a number of currency units.
func (m Money) Float() float64 { return float64(m.Units) + float64(m.Nanos)/1e9 }

// Kind is the type of an attribute.
type Kind uint8

// The kinds an attribute can be declared as; each may also be a list.
const (
	KindString Kind = iota + 1
	KindNumber
	KindBool
	KindTime
)

// String returns the name used in messages and declarations.
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
	}
	return "unknown"
}

// Value is one typed attribute. Exactly the slice of its Kind is used; a scalar
// has one element and List false.
type Value struct {
	Kind    Kind
	List    bool
	Strings []string
	Numbers []float64
	Bools   []bool
	Times   []time.Time
}

// Len returns the number of elements.
func (v Value) Len() int {
	switch v.Kind {
	case KindString:
		return len(v.Strings)
	case KindNumber:
		return len(v.Numbers)
	case KindBool:
		return len(v.Bools)
	case KindTime:
		return len(v.Times)
	}
	return 0
}

// Field names a part of an item that a patch may change.
type Field string

// The patchable fields. A patch encodes nothing and takes effect at once.
const (
	FieldPrice          Field = "price"
	FieldStock          Field = "stock"
	FieldAvailableFrom  Field = "available_from"
	FieldAvailableUntil Field = "available_until"
	FieldHidden         Field = "hidden"
)

// Patch changes the named fields of one item. A named field whose value is the
// zero value is cleared: Stock nil becomes unlimited, Price nil no price.
type Patch struct {
	ID             string
	Fields         []Field
	Price          *Money
	Stock          *int64
	AvailableFrom  time.Time
	AvailableUntil time.Time
	Hidden         bool
	SourceTime     time.Time // zero: applies whatever the row's source time is
}
