package learned

import (
	"context"
	"errors"

	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/remote/histories"
	"github.com/kindred-rec/kindred/server/shop"
)

// Users has workers make the vectors of many users, for shop.ModelsConfig.Users. The
// client stays the caller's to close.
type Users struct {
	Client *histories.Client
	// Optional: workers that serve other things need not do this.
	Optional bool
}

// Open implements shop.UserEncoder.
func (u Users) Open(ctx context.Context, b *bundle.Bundle) (shop.UserSession, error) {
	s, err := u.Client.Open(ctx, b)
	if u.Optional && errors.Is(err, histories.ErrUnsupported) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &users{Session: s}, nil
}

// users is a session that knows the shop's acts.
type users struct {
	*histories.Session
	events []learned.Event   // of all users
	rows   [][]learned.Event // of each
}

// Encode implements shop.UserSession.
func (u *users) Encode(users [][]shop.Act, dst []float32) error {
	u.events, u.rows = u.events[:0], u.rows[:0]
	for _, acts := range users {
		from := len(u.events)
		u.events = appendEvents(u.events, acts)
		u.rows = append(u.rows, u.events[from:]) // of an earlier array too, once it has grown
	}
	return u.Session.Encode(u.rows, dst)
}

// appendEvents adds acts as the encoder knows them.
func appendEvents(events []learned.Event, acts []shop.Act) []learned.Event {
	for i := range acts {
		a := &acts[i]
		events = append(events, learned.Event{Item: a.Item, Text: a.Text, Type: typeOf(a), Weight: a.Weight, Time: a.Time})
	}
	return events
}
