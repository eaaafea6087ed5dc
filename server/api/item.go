package api

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
)

// printable makes a caller's string fit for a reply: gRPC strings are UTF-8.
func printable(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func stampOf(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// badTimes returns a violation for each timestamp outside years 1 to 9999.
func badTimes(times map[string]*timestamppb.Timestamp) []record.Violation {
	var found []record.Violation
	for field, t := range times {
		if t != nil && t.CheckValid() != nil {
			found = append(found, record.Violation{Field: field, Description: fmt.Sprintf(
				"seconds %d, nanos %d is no time between the years 1 and 9999", t.Seconds, t.Nanos)})
		}
	}
	return found
}

// itemFromWire converts and checks one item.
func itemFromWire(w *kindredv1.Item) (*record.Item, []record.Violation) {
	if w == nil {
		return nil, []record.Violation{{Field: "id", Description: "the row is empty: give an item"}}
	}
	it := &record.Item{
		ID: w.Id, Title: w.Title, Description: w.Description, Categories: w.Categories, Tags: w.Tags,
		Brand: w.Brand, Seller: w.Seller, Language: w.Language, Price: moneyFromWire(w.Price), Stock: w.Stock,
		AvailableFrom: timeOf(w.AvailableFrom), AvailableUntil: timeOf(w.AvailableUntil), Hidden: w.Hidden,
		URL: w.Url, ImageURL: w.ImageUrl, Created: timeOf(w.CreateTime), SourceTime: timeOf(w.SourceTime),
		Group: w.VariantGroup, Vector: w.Vector, Attributes: valuesFromWire(w.Attributes),
	}
	faults := badTimes(map[string]*timestamppb.Timestamp{
		"available_from": w.AvailableFrom, "available_until": w.AvailableUntil,
		"create_time": w.CreateTime, "source_time": w.SourceTime,
	})
	faults = append(faults, badAttributeTimes(w.Attributes)...)
	return it, append(faults, it.Validate()...)
}

// badAttributeTimes is badTimes of attributes.
func badAttributeTimes(attributes map[string]*kindredv1.Value) []record.Violation {
	times := map[string]*timestamppb.Timestamp{}
	for name, v := range attributes {
		field := fmt.Sprintf("attributes[%q]", name)
		if t := v.GetTimeValue(); t != nil {
			times[field] = t
		}
		for i, t := range v.GetTimeList().GetValues() {
			times[fmt.Sprintf("%s[%d]", field, i)] = t
		}
	}
	return badTimes(times)
}

func itemToWire(it *record.Item) *kindredv1.Item {
	return &kindredv1.Item{
		Id: it.ID, Title: it.Title, Description: it.Description, Categories: it.Categories, Tags: it.Tags,
		Brand: it.Brand, Seller: it.Seller, Language: it.Language, Price: moneyToWire(it.Price), Stock: it.Stock,
		AvailableFrom: stampOf(it.AvailableFrom), AvailableUntil: stampOf(it.AvailableUntil), Hidden: it.Hidden,
		Url: it.URL, ImageUrl: it.ImageURL, CreateTime: stampOf(it.Created), SourceTime: stampOf(it.SourceTime),
		VariantGroup: it.Group, Vector: it.Vector, Attributes: valuesToWire(it.Attributes),
	}
}

func moneyFromWire(w *kindredv1.Money) *record.Money {
	if w == nil {
		return nil
	}
	return &record.Money{Currency: w.CurrencyCode, Units: w.Units, Nanos: w.Nanos}
}

func moneyToWire(m *record.Money) *kindredv1.Money {
	if m == nil {
		return nil
	}
	return &kindredv1.Money{CurrencyCode: m.Currency, Units: m.Units, Nanos: m.Nanos}
}

func valuesFromWire(w map[string]*kindredv1.Value) map[string]record.Value {
	if len(w) == 0 {
		return nil
	}
	values := make(map[string]record.Value, len(w))
	for name, v := range w {
		values[name] = valueFromWire(v)
	}
	return values
}

// valueFromWire converts one value; one without a kind converts to the zero
// Value, which Validate refuses.
func valueFromWire(w *kindredv1.Value) record.Value {
	switch k := w.GetKind().(type) {
	case *kindredv1.Value_StringValue:
		return record.Value{Kind: record.KindString, Strings: []string{k.StringValue}}
	case *kindredv1.Value_NumberValue:
		return record.Value{Kind: record.KindNumber, Numbers: []float64{k.NumberValue}}
	case *kindredv1.Value_BoolValue:
		return record.Value{Kind: record.KindBool, Bools: []bool{k.BoolValue}}
	case *kindredv1.Value_TimeValue:
		return record.Value{Kind: record.KindTime, Times: []time.Time{timeOf(k.TimeValue)}}
	case *kindredv1.Value_StringList:
		return record.Value{Kind: record.KindString, List: true, Strings: k.StringList.GetValues()}
	case *kindredv1.Value_NumberList:
		return record.Value{Kind: record.KindNumber, List: true, Numbers: k.NumberList.GetValues()}
	case *kindredv1.Value_BoolList:
		return record.Value{Kind: record.KindBool, List: true, Bools: k.BoolList.GetValues()}
	case *kindredv1.Value_TimeList:
		v := record.Value{Kind: record.KindTime, List: true}
		for _, t := range k.TimeList.GetValues() {
			v.Times = append(v.Times, timeOf(t))
		}
		return v
	}
	return record.Value{}
}

func valuesToWire(values map[string]record.Value) map[string]*kindredv1.Value {
	if len(values) == 0 {
		return nil
	}
	w := make(map[string]*kindredv1.Value, len(values))
	for name, v := range values {
		w[name] = valueToWire(v)
	}
	return w
}

func valueToWire(v record.Value) *kindredv1.Value {
	if v.List {
		return listToWire(v)
	}
	if v.Len() == 0 {
		return &kindredv1.Value{}
	}
	switch v.Kind {
	case record.KindString:
		return &kindredv1.Value{Kind: &kindredv1.Value_StringValue{StringValue: v.Strings[0]}}
	case record.KindNumber:
		return &kindredv1.Value{Kind: &kindredv1.Value_NumberValue{NumberValue: v.Numbers[0]}}
	case record.KindBool:
		return &kindredv1.Value{Kind: &kindredv1.Value_BoolValue{BoolValue: v.Bools[0]}}
	default:
		return &kindredv1.Value{Kind: &kindredv1.Value_TimeValue{TimeValue: timestamppb.New(v.Times[0])}}
	}
}

func listToWire(v record.Value) *kindredv1.Value {
	switch v.Kind {
	case record.KindString:
		return &kindredv1.Value{Kind: &kindredv1.Value_StringList{StringList: &kindredv1.StringList{Values: v.Strings}}}
	case record.KindNumber:
		return &kindredv1.Value{Kind: &kindredv1.Value_NumberList{NumberList: &kindredv1.NumberList{Values: v.Numbers}}}
	case record.KindBool:
		return &kindredv1.Value{Kind: &kindredv1.Value_BoolList{BoolList: &kindredv1.BoolList{Values: v.Bools}}}
	default:
		list := &kindredv1.TimeList{}
		for _, t := range v.Times {
			list.Values = append(list.Values, timestamppb.New(t))
		}
		return &kindredv1.Value{Kind: &kindredv1.Value_TimeList{TimeList: list}}
	}
}

// patchFromWire converts and checks one patch.
func patchFromWire(w *kindredv1.ItemPatch) (*record.Patch, []record.Violation) {
	if w == nil {
		return nil, []record.Violation{{Field: "id", Description: "the row is empty: give a patch"}}
	}
	p := &record.Patch{
		ID: w.Id, Fields: patchFields(w.UpdateMask), Price: moneyFromWire(w.Price), Stock: w.Stock,
		AvailableFrom: timeOf(w.AvailableFrom), AvailableUntil: timeOf(w.AvailableUntil),
		Hidden: w.Hidden, SourceTime: timeOf(w.SourceTime),
	}
	faults := badTimes(map[string]*timestamppb.Timestamp{
		"available_from": w.AvailableFrom, "available_until": w.AvailableUntil, "source_time": w.SourceTime,
	})
	return p, append(faults, p.Validate()...)
}

func patchFields(mask *fieldmaskpb.FieldMask) []record.Field {
	var fields []record.Field
	for _, path := range mask.GetPaths() {
		fields = append(fields, record.Field(path))
	}
	return fields
}
