package dataset

import (
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// leaf is one leaf column of a parquet schema, named by the field it can hold.
type leaf struct {
	name   string
	list   bool // repeated, alone or as the elements of a LIST
	nested bool // a shape that no field has
	typ    parquet.Type
}

// leavesOf lists the leaves in the order of their column numbers. "categories.list.element" is the list "categories",
// "attributes.year" an attribute.
func leavesOf(schema *parquet.Schema) []leaf {
	paths := schema.Columns()
	leaves := make([]leaf, len(paths))
	for _, path := range paths {
		column, _ := schema.Lookup(path...) // the path is the schema's own
		name, inside := path[0], path[1:]
		if name+"." == attributePrefix && len(inside) > 0 {
			name, inside = attributePrefix+inside[0], inside[1:]
		}
		l := leaf{name: name, typ: column.Node.Type(), list: column.MaxRepetitionLevel == 1}
		if column.MaxRepetitionLevel > 1 || len(inside) > 0 && !(l.list && len(inside) == 2) {
			l.name, l.nested = strings.Join(path, "."), true
		}
		leaves[column.ColumnIndex] = l
	}
	return leaves
}

func (l *leaf) logical() format.LogicalTypeValue {
	if t := l.typ.LogicalType(); t != nil {
		return t.Value
	}
	return nil
}

// kind is the kind of attribute that the column holds.
func (l *leaf) kind() Kind {
	switch l.logical().(type) {
	case *format.TimestampType, *format.DateType:
		return KindTime
	case *format.DecimalType:
		return l.numeric()
	}
	switch l.typ.Kind() {
	case parquet.Boolean:
		return KindBool
	case parquet.Int32, parquet.Int64, parquet.Float, parquet.Double:
		return l.numeric()
	}
	if l.list {
		return KindStrings
	}
	return KindString
}

func (l *leaf) numeric() Kind {
	if l.list {
		return KindNumbers
	}
	return KindNumber
}

// text writes a value as csv would hold it: decimals exactly, times in RFC 3339.
func (l *leaf) text(v parquet.Value) (string, error) {
	switch t := l.logical().(type) {
	case *format.TimestampType:
		return l.timestamp(v, t)
	case *format.DateType:
		return time.Unix(int64(v.Int32())*24*60*60, 0).UTC().Format(time.RFC3339), nil
	case *format.DecimalType:
		return l.decimal(v, int(t.Scale))
	case *format.UUIDType:
		return uuid.UUID(v.ByteArray()).String(), nil // 16 bytes, by the type
	case *format.IntType:
		if !t.IsSigned {
			return l.unsigned(v), nil
		}
	}
	switch v.Kind() {
	case parquet.Boolean:
		return strconv.FormatBool(v.Boolean()), nil
	case parquet.Int32:
		return strconv.FormatInt(int64(v.Int32()), 10), nil
	case parquet.Int64:
		return strconv.FormatInt(v.Int64(), 10), nil
	case parquet.Float:
		return strconv.FormatFloat(float64(v.Float()), 'f', -1, 32), nil
	case parquet.Double:
		return strconv.FormatFloat(v.Double(), 'f', -1, 64), nil
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return string(v.ByteArray()), nil // copies: the bytes belong to the page
	}
	return "", bad(l.name, "", "type %s is not supported", l.typ)
}

func (l *leaf) unsigned(v parquet.Value) string {
	if v.Kind() == parquet.Int32 {
		return strconv.FormatUint(uint64(v.Uint32()), 10)
	}
	return strconv.FormatUint(v.Uint64(), 10)
}

// timestamp takes a time without a zone as UTC.
func (l *leaf) timestamp(v parquet.Value, t *format.TimestampType) (string, error) {
	n := v.Int64()
	var at time.Time
	switch t.Unit.Value.(type) {
	case *format.MilliSeconds:
		at = time.UnixMilli(n)
	case *format.MicroSeconds:
		at = time.UnixMicro(n)
	case *format.NanoSeconds:
		at = time.Unix(0, n)
	default:
		return "", bad(l.name, strconv.FormatInt(n, 10), "timestamp of an unknown unit")
	}
	if seconds := at.Unix(); seconds < 0 || seconds > maxUnixSeconds {
		return "", bad(l.name, strconv.FormatInt(n, 10), "time must lie between 1970 and 9999")
	}
	return at.UTC().Format(time.RFC3339Nano), nil
}

// maxScale bounds the digits behind the point: a schema may claim any number of them.
const maxScale = 76

func (l *leaf) decimal(v parquet.Value, scale int) (string, error) {
	n := new(big.Int)
	switch v.Kind() {
	case parquet.Int32:
		n.SetInt64(int64(v.Int32()))
	case parquet.Int64:
		n.SetInt64(v.Int64())
	case parquet.ByteArray, parquet.FixedLenByteArray:
		setTwosComplement(n, v.ByteArray())
	}
	if scale < 0 || scale > maxScale {
		return "", bad(l.name, "", "decimal of scale %d; must lie between 0 and %d", scale, maxScale)
	}
	digits := new(big.Int).Abs(n).String()
	if scale > 0 {
		if len(digits) <= scale {
			digits = strings.Repeat("0", scale-len(digits)+1) + digits
		}
		part := strings.TrimRight(digits[len(digits)-scale:], "0")
		digits = digits[:len(digits)-scale]
		if part != "" {
			digits += "." + part
		}
	}
	if n.Sign() < 0 {
		digits = "-" + digits
	}
	return digits, nil
}

func setTwosComplement(n *big.Int, b []byte) {
	n.SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
}
