package training

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/clicks"
)

// Logged is a [Source] that knows what was shown.
type Logged interface {
	Source
	// Outcomes yields the events that carry a recommendation's id. An error is the last thing
	// yielded, as in the next.
	Outcomes(ctx context.Context) iter.Seq2[clicks.Outcome, error]
	// Decisions yields the lists that were shown, oldest first. One that has not the ranker's
	// features as this release knows them comes without items, and is counted as malformed.
	Decisions(ctx context.Context) iter.Seq2[clicks.Decision, error]
}

// Outcomes implements Logged.
func (t *Tenant) Outcomes(ctx context.Context) iter.Seq2[clicks.Outcome, error] {
	return func(yield func(clicks.Outcome, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := t.admin.ExportEvents(ctx, &kindredv1.ExportEventsRequest{})
		for err == nil {
			var page *kindredv1.ExportEventsResponse
			if page, err = stream.Recv(); err != nil {
				break
			}
			for _, e := range page.Events {
				if e.RecommendationId == "" || e.ItemId == "" {
					continue
				}
				x := clicks.Outcome{Decision: e.RecommendationId, Item: e.ItemId, Objective: typeName(e), Value: e.GetValue(), Time: moment(e.Time)}
				if !yield(x, nil) {
					return
				}
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(clicks.Outcome{}, err)
		}
	}
}

// Decisions implements Logged.
func (t *Tenant) Decisions(ctx context.Context) iter.Seq2[clicks.Decision, error] {
	return func(yield func(clicks.Decision, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := t.admin.ExportDecisions(ctx, &kindredv1.ExportDecisionsRequest{})
		var names columnNames
		for err == nil {
			var page *kindredv1.ExportDecisionsResponse
			if page, err = stream.Recv(); err != nil {
				break
			}
			for _, d := range page.Decisions {
				if x, ok := names.decision(d); ok && !yield(x, nil) {
					return
				}
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(clicks.Decision{}, err)
		}
	}
}

// columnNames finds the features of logged rows. Decisions of one release name the same.
type columnNames struct {
	names []string
	at    []ranker.Feature
	whole bool // all features are there
}

// read notes names that are not those of the decision before.
func (c *columnNames) read(names []string) {
	if c.names != nil && slices.Equal(c.names, names) {
		return
	}
	c.names, c.at = slices.Clone(names), c.at[:0]
	var met [ranker.FeatureCount]bool
	met[ranker.Position] = true // it is the slot, which is known anyway
	for _, name := range names {
		f, err := ranker.ParseFeature(name)
		if err != nil {
			c.whole = false // of a later release: its scores had parts that are not known here
			return
		}
		c.at, met[f] = append(c.at, f), true
	}
	c.whole = !slices.Contains(met[:], false)
}

// decision is one as clicks reads it, without items where its features are not those of this
// release; ok false: it is no list of recommendations.
func (c *columnNames) decision(d *kindredv1.Decision) (clicks.Decision, bool) {
	switch d.Kind {
	case kindredv1.DecisionKind_DECISION_KIND_UNSPECIFIED, kindredv1.DecisionKind_DECISION_KIND_RECOMMEND, kindredv1.DecisionKind_DECISION_KIND_PAGE:
	default:
		return clicks.Decision{}, false
	}
	out := clicks.Decision{ID: d.RecommendationId, Time: moment(d.Time)}
	if d.ClockTime != nil {
		out.Time = moment(d.ClockTime)
	}
	if c.read(d.FeatureNames); !c.whole {
		return out, true
	}
	out.Items = make([]clicks.Shown, len(d.Items))
	for i, x := range d.Items {
		if len(x.Features) != len(c.at) {
			out.Items = nil
			return out, true
		}
		s := &out.Items[i]
		s.Item, s.Slot, s.Propensity = x.ItemId, int(d.Offset)+i+1, x.Propensity
		for k, f := range c.at {
			s.Features[f] = x.Features[k]
		}
	}
	return out, true
}

// moment is a time of the wire; the zero time where there is none.
func moment(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
