package export

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// shownIn is an item of a reply.
type shownIn struct{ recommendation, item string }

// wanted is an item and who acted on it.
type wanted struct{ user, session, item string }

// outcome is when an item of a reply was first clicked and first purchased; zero: never.
type outcome struct{ clicked, purchased time.Time }

// outcomes are what became of replies, by the log.
type outcomes struct {
	o    Options
	of   map[shownIn]outcome
	last map[wanted]string // the reply in which somebody last clicked an item
}

// readOutcomes goes through the log.
func readOutcomes(ctx context.Context, conn grpc.ClientConnInterface, o Options) (*outcomes, error) {
	out := &outcomes{o: o, of: map[shownIn]outcome{}, last: map[wanted]string{}}
	err := eachEvent(ctx, conn, o.RetryFor, out.add)
	return out, err
}

func (o *outcomes) add(e *kindredv1.Event) error {
	if e.GetItemId() == "" {
		return nil
	}
	kind, who := typeOf(e), wanted{user: e.GetUserId(), item: e.GetItemId()}
	if who.user == "" {
		who.session = e.GetSessionId()
	}
	reply := e.GetRecommendationId()
	switch {
	case reply != "" && slices.Contains(o.o.ClickTypes, kind):
		if _, known := o.last[who]; !known && len(o.last) == o.o.MaxOutcomes {
			return o.full()
		}
		o.last[who] = reply
		return o.note(shownIn{reply, who.item}, e, false)
	case slices.Contains(o.o.PurchaseTypes, kind):
		if reply == "" {
			reply = o.last[who]
		}
		if reply != "" {
			return o.note(shownIn{reply, who.item}, e, true)
		}
	}
	return nil
}

func (o *outcomes) note(at shownIn, e *kindredv1.Event, purchase bool) error {
	out, known := o.of[at]
	if !known && len(o.of) == o.o.MaxOutcomes {
		return o.full()
	}
	when := &out.clicked
	if purchase {
		when = &out.purchased
	}
	if t := timeOf(e.GetTime()); when.IsZero() || t.Before(*when) {
		*when = t
	}
	o.of[at] = out
	return nil
}

func (o *outcomes) full() error {
	return fmt.Errorf("%w: more than %d items of replies were clicked; raise --max-outcomes, at about 200 bytes each", ErrLimit, o.o.MaxOutcomes)
}

// within says whether an item of a decision was clicked and purchased in time.
func (o *outcomes) within(d *kindredv1.Decision, item string) (clicked, purchased bool) {
	out, known := o.of[shownIn{d.GetRecommendationId(), item}]
	if !known {
		return false, false
	}
	at := timeOf(d.GetTime())
	if clock := d.GetClockTime(); clock != nil {
		at = clock.AsTime()
	}
	in := func(t time.Time) bool { return !t.IsZero() && t.Sub(at) <= o.o.Window }
	return in(out.clicked), in(out.purchased)
}
