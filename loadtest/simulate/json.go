package simulate

import (
	"strconv"
	"time"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// The rows append themselves as JSON lines of package dataset's form. What they hold is of this package: letters, digits and
// punctuation without quotes, so that nothing needs escaping (a test reads them back).

func appendItem(b []byte, w *World, it Item) []byte {
	t := topics[it.Topic]
	b = append(b, `{"id":"i`...)
	b = strconv.AppendInt(b, int64(it.Number), 10)
	b = append(b, `","title":"`...)
	b = appendTitle(b, it)
	b = append(b, `","description":"`...)
	b = appendDescription(b, it)
	b = append(append(b, `","categories":["`...), t.department...)
	b = append(append(b, dataset.CategorySeparator...), t.shelf...)
	b = append(append(b, `"],"tags":["`...), t.words[it.Words[0]]...)
	b = append(append(b, `","`...), styles[it.Style]...)
	b = append(b, `"],"brand":"`...)
	b = appendBrand(b, it)
	b = append(b, `","seller":"seller-`...)
	b = strconv.AppendInt(b, int64(it.Seller), 10)
	b = append(b, `","language":"en","price":"`...)
	b = strconv.AppendInt(b, it.Cents/100, 10)
	b = append(b, '.', byte('0'+it.Cents%100/10), byte('0'+it.Cents%10))
	b = append(b, `","currency":"`+currency+`","create_time":"`...)
	b = w.Created(it).AppendFormat(b, time.RFC3339)
	if it.Variant > 0 {
		b = append(b, `","variant_group":"p`...)
		b = strconv.AppendInt(b, int64(it.Product), 10)
	}
	return append(b, "\"}\n"...)
}

func appendAct(b []byte, a *Act) []byte {
	text := func(name, value string) {
		if value != "" {
			b = append(append(append(b, `","`...), name...), `":"`...)
			b = append(b, value...)
		}
	}
	b = append(append(b, `{"id":"`...), a.ID...)
	text("user", a.User)
	text("item", a.Item)
	text("type", a.Type)
	text("text", a.Text)
	text("surface", a.Surface)
	text("recommendation_id", a.RecommendationID)
	b = append(b, `","time":"`...)
	b = append(a.Time.AppendFormat(b, time.RFC3339), '"')
	if a.HasValue {
		b = append(b, `,"value":`...)
		b = strconv.AppendFloat(b, a.Value, 'f', -1, 64)
	}
	if a.Position > 0 {
		b = append(b, `,"position":`...)
		b = strconv.AppendInt(b, int64(a.Position), 10)
	}
	return append(b, "}\n"...)
}

// appendFeedback appends a click or a purchase on a list as protobuf's JSON has kindred.v1.Event; nothing for other acts.
func appendFeedback(b []byte, a *Act) []byte {
	kind := "CLICK"
	switch {
	case a.Position == 0:
		return b
	case a.Type == dataset.TypePurchase:
		kind = "PURCHASE"
	case a.Type != dataset.TypeClick:
		return b
	}
	b = append(append(b, `{"id":"`...), a.ID...)
	b = append(append(b, `","userId":"`...), a.User...)
	b = append(append(b, `","itemId":"`...), a.Item...)
	b = append(append(b, `","type":"EVENT_TYPE_`...), kind...)
	b = append(append(b, `","recommendationId":"`...), a.RecommendationID...)
	b = append(b, `","time":"`...)
	b = a.Time.AppendFormat(b, time.RFC3339)
	b = append(b, `","position":`...)
	return append(strconv.AppendInt(b, int64(a.Position), 10), "}\n"...)
}
