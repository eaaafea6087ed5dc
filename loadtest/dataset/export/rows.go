package export

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// service is a running service as a source: of its events, or of its items. Not safe for concurrent use.
type service struct {
	ctx     context.Context
	conn    grpc.ClientConnInterface
	o       Options
	leftOut int64 // items, in the last reading
}

// Events yields the log.
func (s *service) Events() iter.Seq2[dataset.Event, error] {
	return func(yield func(dataset.Event, error) bool) {
		if s.o.What != Events {
			return
		}
		err := eachEvent(s.ctx, s.conn, s.o.RetryFor, func(e *kindredv1.Event) error {
			if !yield(eventOf(e), nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(dataset.Event{}, err)
		}
	}
}

// eventOf is an event of the wire as files have it.
func eventOf(m *kindredv1.Event) dataset.Event {
	e := dataset.Event{ID: m.GetId(), User: m.GetUserId(), Session: m.GetSessionId(), Item: m.GetItemId(), Type: typeOf(m),
		Value: m.GetValue(), HasValue: m.Value != nil, Text: m.GetText(), Time: timeOf(m.GetTime()), Synthetic: m.GetSyntheticTime(),
		Surface: m.GetSurface(), RecommendationID: m.GetRecommendationId(), Position: int(m.GetPosition())}
	if len(m.GetContext()) > 0 {
		e.Context = m.GetContext()
	}
	return e
}

func typeOf(m *kindredv1.Event) string {
	if m.GetType() == kindredv1.EventType_EVENT_TYPE_UNSPECIFIED {
		return m.GetCustomType()
	}
	return strings.ToLower(strings.TrimPrefix(m.GetType().String(), "EVENT_TYPE_"))
}

func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// pageSize is how many items one call asks for: with the longest descriptions a page stays below what gRPC takes.
const pageSize = 100

// Items yields the catalog.
func (s *service) Items() iter.Seq2[dataset.Item, error] {
	return func(yield func(dataset.Item, error) bool) {
		if s.o.What != Items {
			return
		}
		s.leftOut = 0
		err := s.eachItem(func(m *kindredv1.Item) error {
			item, whole := itemOf(m)
			if !whole {
				s.leftOut++
			}
			if !yield(item, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(dataset.Item{}, err)
		}
	}
}

func (s *service) eachItem(fn func(*kindredv1.Item) error) error {
	catalog, token := kindredv1.NewCatalogServiceClient(s.conn), ""
	return takeUp(s.ctx, s.o.RetryFor, func() (progress bool, err error) {
		for {
			page, err := catalog.ListItems(s.ctx, &kindredv1.ListItemsRequest{PageSize: pageSize, PageToken: token})
			if err != nil {
				return progress, err
			}
			for _, item := range page.GetItems() {
				if err := fn(item); err != nil {
					return progress, err
				}
			}
			if token, progress = page.GetNextPageToken(), true; token == "" {
				return progress, nil
			}
		}
	})
}

// itemOf is an item of the wire as files have it; whole says whether all of it is.
func itemOf(m *kindredv1.Item) (item dataset.Item, whole bool) {
	whole = len(m.GetVector()) == 0
	item = dataset.Item{ID: m.GetId(), Title: m.GetTitle(), Description: m.GetDescription(), Categories: m.GetCategories(), Tags: m.GetTags(),
		Brand: m.GetBrand(), Seller: m.GetSeller(), Language: m.GetLanguage(), Stock: m.Stock, AvailableFrom: timeOf(m.GetAvailableFrom()),
		AvailableUntil: timeOf(m.GetAvailableUntil()), Created: timeOf(m.GetCreateTime()), SourceTime: timeOf(m.GetSourceTime()),
		URL: m.GetUrl(), ImageURL: m.GetImageUrl(), Group: m.GetVariantGroup(), Hidden: m.GetHidden()}
	if p := m.GetPrice(); p != nil {
		item.Price = dataset.Price{Currency: p.GetCurrencyCode(), Units: p.GetUnits(), Nanos: p.GetNanos(), Has: true}
	}
	for name, v := range m.GetAttributes() {
		value, known := valueOf(v)
		if !known {
			whole = false
			continue
		}
		if item.Attributes == nil {
			item.Attributes = map[string]dataset.Value{}
		}
		item.Attributes[name] = value
	}
	return item, whole
}

func valueOf(v *kindredv1.Value) (dataset.Value, bool) {
	switch k := v.GetKind().(type) {
	case *kindredv1.Value_StringValue:
		return dataset.StringValue(k.StringValue), true
	case *kindredv1.Value_NumberValue:
		return dataset.NumberValue(k.NumberValue), true
	case *kindredv1.Value_BoolValue:
		return dataset.BoolValue(k.BoolValue), true
	case *kindredv1.Value_TimeValue:
		return dataset.TimeValue(k.TimeValue.AsTime()), true
	case *kindredv1.Value_StringList:
		return dataset.StringsValue(k.StringList.GetValues()), true
	case *kindredv1.Value_NumberList:
		return dataset.NumbersValue(k.NumberList.GetValues()), true
	}
	return dataset.Value{}, false
}
