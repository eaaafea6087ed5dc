package export

import (
	"fmt"
	"strings"

	"github.com/parquet-go/parquet-go"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// shred takes one field of a message apart into columns (S. Melnik and others, "Dremel: interactive analysis of web-scale
// datasets", 2010): each value goes with how many of the optional and repeated fields on its way are there, and which of the
// repeated ones it repeats.
type shred struct {
	field    protoreflect.FieldDescriptor
	children []*shred // of a message, but a time
	path     []string
	column   int // of a leaf
	// maxRepetition is how many repeated fields are on the way, this one included.
	maxRepetition int
}

// maxDepth bounds messages within messages: one that holds itself has no columns.
const maxDepth = 8

// shredFields makes the shreds of the fields of a message that keep lets pass.
func shredFields(d protoreflect.MessageDescriptor, path []string, repetition int, keep func(protoreflect.FieldDescriptor) bool) ([]*shred, error) {
	if len(path) > maxDepth {
		return nil, fmt.Errorf("message %s lies deeper than %d: a table cannot hold it", d.FullName(), maxDepth)
	}
	var list []*shred
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if f.IsMap() {
			return nil, fmt.Errorf("field %s is a map: a table cannot hold it", f.FullName())
		}
		if !keep(f) {
			continue
		}
		s := &shred{field: f, path: append(path[:len(path):len(path)], string(f.Name())), maxRepetition: repetition}
		if f.IsList() {
			s.maxRepetition++
		}
		if f.Message() != nil && !isTime(f) {
			var err error
			if s.children, err = shredFields(f.Message(), s.path, s.maxRepetition, all); err != nil {
				return nil, err
			}
		}
		list = append(list, s)
	}
	return list, nil
}

func all(protoreflect.FieldDescriptor) bool { return true }

func single(f protoreflect.FieldDescriptor) bool { return !f.IsList() }

var timestampName = (&timestamppb.Timestamp{}).ProtoReflect().Descriptor().FullName()

func isTime(f protoreflect.FieldDescriptor) bool {
	return f.Message() != nil && f.Message().FullName() == timestampName
}

// node is the field's place in a schema.
func (s *shred) node() parquet.Node {
	var n parquet.Node
	if s.children != nil {
		group := parquet.Group{}
		for _, c := range s.children {
			group[string(c.field.Name())] = c.node()
		}
		n = group
	} else {
		n = leafNode(s.field)
	}
	switch {
	case s.field.IsList():
		return parquet.Repeated(n)
	case s.field.HasPresence():
		return parquet.Optional(n)
	}
	return parquet.Required(n)
}

func leafNode(f protoreflect.FieldDescriptor) parquet.Node {
	if isTime(f) {
		return parquet.Timestamp(parquet.Nanosecond)
	}
	switch f.Kind() {
	case protoreflect.BoolKind:
		return parquet.Leaf(parquet.BooleanType)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return parquet.Int(32)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return parquet.Int(64)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return parquet.Uint(32)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return parquet.Uint(64)
	case protoreflect.FloatKind:
		return parquet.Leaf(parquet.FloatType)
	case protoreflect.DoubleKind:
		return parquet.Leaf(parquet.DoubleType)
	case protoreflect.BytesKind:
		return parquet.Leaf(parquet.ByteArrayType)
	}
	return parquet.String() // texts, and enums by name
}

// place finds the columns of a schema.
func (s *shred) place(schema *parquet.Schema) error {
	if s.children == nil {
		leaf, ok := schema.Lookup(s.path...)
		if !ok {
			return fmt.Errorf("no column %s", strings.Join(s.path, "."))
		}
		s.column = leaf.ColumnIndex
	}
	for _, c := range s.children {
		if err := c.place(schema); err != nil {
			return err
		}
	}
	return nil
}

// columns are the values of one row, by column.
type columns [][]parquet.Value

func (c columns) reset() {
	for i := range c {
		c[i] = c[i][:0]
	}
}

func (c columns) put(column int, v parquet.Value, repetition, definition int) {
	c[column] = append(c[column], v.Level(repetition, definition, column))
}

// row is the columns one after the other, as parquet takes them.
func (c columns) row(row parquet.Row) parquet.Row {
	for _, values := range c {
		row = append(row, values...)
	}
	return row
}

// add puts the field of a message into its columns.
func (s *shred) add(m protoreflect.Message, to columns, repetition, definition int) {
	switch {
	case s.field.IsList():
		list := m.Get(s.field).List()
		if list.Len() == 0 {
			s.null(to, repetition, definition)
		}
		for i := range list.Len() {
			if i > 0 {
				repetition = s.maxRepetition
			}
			s.value(list.Get(i), to, repetition, definition+1)
		}
	case s.field.HasPresence() && !m.Has(s.field):
		s.null(to, repetition, definition)
	case s.field.HasPresence():
		s.value(m.Get(s.field), to, repetition, definition+1)
	default:
		s.value(m.Get(s.field), to, repetition, definition)
	}
}

func (s *shred) null(to columns, repetition, definition int) {
	if s.children == nil {
		to.put(s.column, parquet.Value{}, repetition, definition)
	}
	for _, c := range s.children {
		c.null(to, repetition, definition)
	}
}

func (s *shred) value(v protoreflect.Value, to columns, repetition, definition int) {
	if s.children == nil {
		to.put(s.column, leafValue(s.field, v), repetition, definition)
	}
	for _, c := range s.children {
		c.add(v.Message(), to, repetition, definition)
	}
}

func leafValue(f protoreflect.FieldDescriptor, v protoreflect.Value) parquet.Value {
	if isTime(f) {
		t := v.Message().Interface().(*timestamppb.Timestamp)
		return parquet.Int64Value(t.AsTime().UnixNano()) // a service's own clock: far from the ends
	}
	switch f.Kind() {
	case protoreflect.BoolKind:
		return parquet.BooleanValue(v.Bool())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return parquet.Int32Value(int32(v.Int()))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return parquet.Int64Value(v.Int())
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return parquet.Int32Value(int32(uint32(v.Uint())))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return parquet.Int64Value(int64(v.Uint()))
	case protoreflect.FloatKind:
		return parquet.FloatValue(float32(v.Float()))
	case protoreflect.DoubleKind:
		return parquet.DoubleValue(v.Float())
	case protoreflect.BytesKind:
		return parquet.ByteArrayValue(v.Bytes())
	case protoreflect.EnumKind:
		return parquet.ByteArrayValue([]byte(enumName(f.Enum(), v.Enum())))
	}
	return parquet.ByteArrayValue([]byte(v.String()))
}

// enumName is the short name, "page" of DECISION_KIND_PAGE; a number that this build does not know is written as such.
func enumName(d protoreflect.EnumDescriptor, n protoreflect.EnumNumber) string {
	v := d.Values().ByNumber(n)
	if v == nil {
		return fmt.Sprint(n)
	}
	prefix := strings.TrimSuffix(string(d.Values().Get(0).Name()), "UNSPECIFIED")
	return strings.ToLower(strings.TrimPrefix(string(v.Name()), prefix))
}
