// Package learned reads the trained behaviour encoders of bundles for server/shop: it
// speaks both of the shop's acts and of the events of embed/behaviour/learned, and checks
// that a bundle's encoder is of the text encoder that its manifest names.
//
// # Events
//
// An encoder knows events by the names of the event types in the log. A shop keeps what
// the ranker must know of an act, which is less: a type that the tenant declared is a view,
// and so is a dislike, which is told from one by its weight. What somebody hides has the
// name of a dislike, too.
//
// # The ranker
//
// What scores is the bundle's trees, else its network, else its weights: the first of the
// payloads that there is. A calibration makes probabilities of its scores. A file that names a
// feature which this release does not have, or that is malformed, makes the bundle unfit.
//
// # The contract
//
// What [Load] returns needs the bundle's files no more, is immutable, and safe for
// concurrent use. It computes each user's vector anew, from the last acts: in a fraction
// of a millisecond, when events have arrived. What an encoder cannot compute, since a
// vector is not finite, counts as nothing to say, and the shop answers from a lower tier.
package learned

import (
	"fmt"
	"runtime"

	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// model is a trained encoder as a shop sees it.
type model struct {
	encoder *learned.Encoder
	idle    chan *[]learned.Event
}

// Load reads the behaviour encoder of a verified bundle and, where it has one, the model
// of the ranker; what it returns is then a [shop.Ranked]. Errors wrap [shop.ErrUnfit], or
// are those of [learned.Open].
func Load(b *bundle.Bundle) (shop.Behaviour, error) {
	e, err := learned.Open(b)
	if err != nil {
		return nil, err
	}
	switch about := b.Manifest(); {
	case e.PlainDim() != about.BehaviourDim:
		return nil, fmt.Errorf("%w: its weights have dimension %d, its manifest says %d", shop.ErrUnfit, e.PlainDim(), about.BehaviourDim)
	case e.TextDim() != 0 && e.TextDim() != about.TextEncoder.Dim:
		return nil, fmt.Errorf("%w: it reads texts of dimension %d, the manifest's encoder %q has %d",
			shop.ErrUnfit, e.TextDim(), about.TextEncoder.Name, about.TextEncoder.Dim)
	}
	m := &model{encoder: e, idle: make(chan *[]learned.Event, runtime.GOMAXPROCS(0))}
	scores, err := ranking(b)
	if err != nil || scores == nil {
		return m, err
	}
	return &ranked{model: m, scores: scores}, nil
}

// ranked is a model with one of the ranker.
type ranked struct {
	*model
	scores ranker.Model
}

// Ranking implements shop.Ranked.
func (r *ranked) Ranking() ranker.Model { return r.scores }

// Dim implements shop.Behaviour.
func (m *model) Dim() int { return m.encoder.Dim() }

// Window implements shop.Behaviour.
func (m *model) Window() int { return m.encoder.Window() }

// ItemVector implements shop.Behaviour.
func (m *model) ItemVector(dst, text []float32, id string) bool {
	ok, err := m.encoder.Item(dst, text, id)
	return ok && err == nil
}

// Encode implements shop.Behaviour.
func (m *model) Encode(dst []float32, acts []shop.Act) bool {
	events := m.take()
	defer m.put(events)
	*events = appendEvents(*events, acts)
	ok, err := m.encoder.User(dst, *events)
	return ok && err == nil
}

// types are the names of the ranker's kinds of acts, by kind.
var types = [...]string{
	ranker.Viewed: record.TypeView, ranker.Clicked: record.TypeClick, ranker.Liked: record.TypeLike,
	ranker.Carted: record.TypeAddToCart, ranker.Purchased: record.TypePurchase, ranker.Rated: record.TypeRating,
	ranker.Commented: record.TypeComment, ranker.Shared: record.TypeShare,
}

// typeOf is the name of an act's type.
func typeOf(a *shop.Act) string {
	switch {
	case int(a.Kind) >= len(types):
		return ""
	case a.Kind == ranker.Viewed && a.Weight < 0:
		return record.TypeDislike
	}
	return types[a.Kind]
}

// take returns memory for a call. As much is kept as calls can run at once.
func (m *model) take() *[]learned.Event {
	select {
	case events := <-m.idle:
		return events
	default:
		return new([]learned.Event)
	}
}

func (m *model) put(events *[]learned.Event) {
	clear(*events) // they point at vectors of the catalog
	*events = (*events)[:0]
	select {
	case m.idle <- events:
	default:
	}
}
