package store

import (
	"time"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store/internal/storepb"
)

// instant keeps any time.Time but its zone; the zero time is absence.
func instant(t time.Time) *storepb.Instant {
	if t.IsZero() {
		return nil
	}
	return &storepb.Instant{Seconds: t.Unix(), Nanos: int32(t.Nanosecond())}
}

func fromInstant(i *storepb.Instant) time.Time {
	if i == nil {
		return time.Time{}
	}
	return time.Unix(i.Seconds, int64(i.Nanos)).UTC()
}

func itemMessage(it *record.Item) *storepb.Item {
	m := &storepb.Item{
		Id: it.ID, Title: it.Title, Description: it.Description,
		Categories: it.Categories, Tags: it.Tags,
		Brand: it.Brand, Seller: it.Seller, Language: it.Language,
		Stock:         it.Stock,
		AvailableFrom: instant(it.AvailableFrom), AvailableUntil: instant(it.AvailableUntil),
		Hidden: it.Hidden, Url: it.URL, ImageUrl: it.ImageURL,
		Created: instant(it.Created), SourceTime: instant(it.SourceTime),
		Group: it.Group, Vector: it.Vector,
		Attributes: attributeMessages(it.Attributes),
	}
	if it.Price != nil {
		m.Price = &storepb.Money{Currency: it.Price.Currency, Units: it.Price.Units, Nanos: it.Price.Nanos}
	}
	return m
}

func fromItemMessage(m *storepb.Item) *record.Item {
	it := &record.Item{
		ID: m.Id, Title: m.Title, Description: m.Description,
		Categories: m.Categories, Tags: m.Tags,
		Brand: m.Brand, Seller: m.Seller, Language: m.Language,
		Stock:         m.Stock,
		AvailableFrom: fromInstant(m.AvailableFrom), AvailableUntil: fromInstant(m.AvailableUntil),
		Hidden: m.Hidden, URL: m.Url, ImageURL: m.ImageUrl,
		Created: fromInstant(m.Created), SourceTime: fromInstant(m.SourceTime),
		Group: m.Group, Vector: m.Vector,
		Attributes: fromAttributeMessages(m.Attributes),
	}
	if m.Price != nil {
		it.Price = &record.Money{Currency: m.Price.Currency, Units: m.Price.Units, Nanos: m.Price.Nanos}
	}
	return it
}

func attributeMessages(values map[string]record.Value) map[string]*storepb.AttributeValue {
	if len(values) == 0 {
		return nil
	}
	out := make(map[string]*storepb.AttributeValue, len(values))
	for name, v := range values {
		m := &storepb.AttributeValue{
			Kind: uint32(v.Kind), List: v.List,
			Strings: v.Strings, Numbers: v.Numbers, Bools: v.Bools,
		}
		for _, t := range v.Times {
			m.Times = append(m.Times, &storepb.Instant{Seconds: t.Unix(), Nanos: int32(t.Nanosecond())})
		}
		out[name] = m
	}
	return out
}

func fromAttributeMessages(ms map[string]*storepb.AttributeValue) map[string]record.Value {
	if len(ms) == 0 {
		return nil
	}
	out := make(map[string]record.Value, len(ms))
	for name, m := range ms {
		v := record.Value{
			Kind: record.Kind(m.GetKind()), List: m.GetList(),
			Strings: m.GetStrings(), Numbers: m.GetNumbers(), Bools: m.GetBools(),
		}
		for _, t := range m.GetTimes() {
			v.Times = append(v.Times, fromInstant(t))
		}
		out[name] = v
	}
	return out
}

// itemContent hashes what a caller says of an item, but for the source time: the
// same content from a newer feed is the same content. An accidental match of two
// contents of one item, one in 2^64, would be taken as no change.
func itemContent(m *storepb.Item) (uint64, error) {
	source := m.SourceTime
	m.SourceTime = nil
	defer func() { m.SourceTime = source }()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return 0, err
	}
	return xxhash.Sum64(b), nil
}
