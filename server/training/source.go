package training

import (
	"context"
	"iter"
	"slices"

	"github.com/kindred-rec/kindred/embed/train/history"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// Source is what is trained on.
type Source interface {
	// Types are the types of events that the log may hold, with their weights.
	Types() []record.EventType
	// Acts yields the log in its order, at most so many acts of it; 0: all. An error is the
	// last thing yielded.
	Acts(ctx context.Context, limit int64) iter.Seq2[history.Act, error]
	// Items yields the catalog, in any order. An error is the last thing yielded.
	Items(ctx context.Context) iter.Seq2[Item, error]
}

// Item is a row of a catalog.
type Item struct {
	ID     string
	Text   string    // what the encoder reads, as embed/itemtext has it; empty: nothing
	Vector []float32 // the caller's own, which is taken for the text's; empty: none
}

// maxRating is the most that a rating can be; half of it says nothing.
const maxRating = 5

// weigh are the types that say something of an item, as history reads them.
func weigh(types []record.EventType) []history.Type {
	var out []history.Type
	for _, t := range types {
		h := history.Type{Name: t.Name, Weight: float32(t.Weight)}
		switch t.Name {
		case record.TypeRating:
			h.Weight, h.Most = float32(t.Weight*maxRating/2), maxRating
		case record.TypeComment:
			h.Comment = true
		}
		if h.Weight != 0 {
			out = append(out, h)
		}
	}
	return out
}

// served is the name that a type has when a model serves: a shop does not tell declared
// types from views, nor what is hidden from what is disliked.
func served(t history.Type) string {
	switch {
	case slices.Contains(own, t.Name):
		return t.Name
	case t.Weight < 0:
		return record.TypeDislike
	}
	return record.TypeView
}

var own = []string{
	record.TypeView, record.TypeClick, record.TypeLike, record.TypeAddToCart, record.TypePurchase,
	record.TypeRating, record.TypeComment, record.TypeShare,
}

// person is who acted: a session without a user is somebody of its own. The byte before it
// keeps it apart from a user of that name.
func person(user, session string) string {
	if user == "" && session != "" {
		return "\x1f" + session
	}
	return user
}

// DefaultTypes are the built-in types with their default weights.
func DefaultTypes() []record.EventType { return shop.EventTypes(nil) }
