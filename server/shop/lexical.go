package shop

import (
	"cmp"
	"fmt"

	"github.com/kindred-rec/kindred/index/lexical"
	"github.com/kindred-rec/kindred/server/record"
)

// The lexical index is of the tenant, not of a generation: an item's words do not
// depend on the encoder. The applier keeps it in step with the item table.

// document is what a search by words reads of an item.
func document(it *record.Item) *lexical.Document {
	return &lexical.Document{Title: it.Title, Brand: it.Brand, Categories: it.Categories, Tags: it.Tags, Description: it.Description}
}

// putWords has changed rows found by their words. What does not fit is logged: other
// searches still find it.
func (s *Shop) putWords(items []numbered) {
	var first error
	failed := 0
	for _, it := range items {
		if err := s.texts.Put(it.number, document(it.item)); err != nil {
			first = cmp.Or(first, fmt.Errorf("item %q: %w", it.item.ID, err))
			failed++
		}
	}
	if first != nil {
		s.config.Log.Error("items not found by their words; their vectors still find them", "items", failed, "first", first)
	}
}

// encodeAndPutWords gives changed rows their vectors and their words, side by side.
func (s *Shop) encodeAndPutWords(items []numbered) {
	done := make(chan struct{})
	go func() { defer close(done); s.putWords(items) }()
	s.encode(items)
	<-done
}

// refillWords brings in what a scan of the catalog says, where the applier has not set a
// newer row since. What is known already costs next to nothing. Under Shop.applying.
func (s *Shop) refillWords(items []numbered) {
	var standing []numbered
	for _, it := range items {
		if s.table.Row(it.number) != nil && !s.touched.has(it.number) {
			standing = append(standing, it)
		}
	}
	s.putWords(standing)
}
