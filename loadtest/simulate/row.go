package simulate

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// currency of all prices.
const currency = "EUR"

// ItemID is the id of an item: "i" and its number.
func ItemID(n int) string { return "i" + strconv.Itoa(n) }

// ItemNumber is the number of an id; false: it is no item of a world.
func ItemNumber(id string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimPrefix(id, "i"))
	return n, err == nil && n >= 0 && id == ItemID(n)
}

// UserID is the id of a user or a bot: "u" and its number.
func UserID(n int) string { return "u" + strconv.Itoa(n) }

// Row is an item as a catalog has it. Its text says what the latent vector is made of, but for a part that has no name.
func (w *World) Row(it Item) dataset.Item {
	t := topics[it.Topic]
	row := dataset.Item{
		ID: ItemID(it.Number), Title: string(appendTitle(nil, it)), Description: string(appendDescription(nil, it)),
		Categories: []string{t.department + dataset.CategorySeparator + t.shelf}, Tags: []string{t.words[it.Words[0]], styles[it.Style]},
		Brand: string(appendBrand(nil, it)), Seller: "seller-" + strconv.Itoa(it.Seller), Language: "en",
		Price:   dataset.Price{Currency: currency, Units: it.Cents / 100, Nanos: int32(it.Cents%100) * 10_000_000, Has: true},
		Created: w.Created(it),
	}
	if it.Variant > 0 {
		row.Group = "p" + strconv.Itoa(it.Product)
	}
	return row
}

// The texts append themselves, so that a catalog of millions is written without a string for each part.

func appendBrand(b []byte, it Item) []byte {
	k := (it.Topic*7 + it.Brand*11) % (len(brandStarts) * len(brandEnds)) // no two of a topic are the same: 11 and 120 have no factor in common
	b = append(b, brandStarts[k/len(brandEnds)]...)
	return append(b, brandEnds[k%len(brandEnds)]...)
}

func appendTitle(b []byte, it Item) []byte {
	t := topics[it.Topic]
	b = appendBrand(b, it)
	b = append(append(b, ' '), styles[it.Style]...)
	b = append(append(b, ' '), t.words[it.Words[0]]...)
	b = append(append(b, " with "...), t.words[it.Words[1]]...)
	if it.Variant > 0 {
		b = append(append(b, ", size "...), "SMLX"[it.Variant-1])
	}
	return b
}

func appendDescription(b []byte, it Item) []byte {
	t := topics[it.Topic]
	b = append(b, "A "...)
	b = append(append(b, styles[it.Style]...), ' ')
	b = append(append(b, t.words[it.Words[0]]...), " for "...)
	b = append(append(b, t.words[it.Words[1]]...), " and "...)
	b = append(append(b, t.words[it.Words[2]]...), ", made of "...)
	return append(append(b, materials[it.Material]...), '.')
}

// comment is a text that agrees with a number of stars.
func comment(it Item, stars int, d *draws) string {
	texts := lukewarm
	switch {
	case stars >= 4:
		texts = praise
	case stars <= 2:
		texts = blame
	}
	text := texts[d.below(len(texts))]
	if !strings.Contains(text, "%s") {
		return text
	}
	return fmt.Sprintf(text, topics[it.Topic].words[it.Words[0]])
}

// Act is one event, with the numbers behind its ids.
type Act struct {
	dataset.Event
	UserNumber, ItemNumber int
}

// newAct is the k-th act of a visit.
func newAct(v Visit, k int, kind string, item int, at time.Time) Act {
	id := make([]byte, 0, 32)
	for i, n := range []int{v.User, v.Day, v.Ordinal, k} {
		if i > 0 {
			id = append(id, '.')
		}
		id = strconv.AppendInt(id, int64(n), 10)
	}
	return Act{Event: dataset.Event{ID: string(id), User: UserID(v.User), Item: ItemID(item), Type: kind, Time: at}, UserNumber: v.User, ItemNumber: item}
}
