package importer

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"time"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// checkEvents is the dry run of the log: each event is held against the bounds of the wire contract, and none is sent. What
// only the service knows (declared types, retention, ids used before with other content) is not looked at.
func (t *transfer) checkEvents(ctx context.Context) error {
	bar := newProgress(t.progressOut, "events, checked only")
	defer bar.finish()
	now := time.Now()
	for e, err := range t.source.Events() {
		row, isRow := rowError(err)
		switch {
		case err != nil && !isRow:
			return fmt.Errorf("importer: %w", err)
		case isRow:
			t.badEvent(row)
		default:
			t.sum.Events.Read++
			m := EventMessage(e)
			t.remember(m)
			if p := checkEvent(m, now); p != nil {
				t.sum.Events.Rejected++
				t.bad.add(BadRow{Kind: kindEvent, By: byCheck, Number: t.sum.Events.Read, ID: m.GetId(), Column: p.field, Reason: p.reason})
			} else {
				t.sum.Events.Valid++
			}
		}
		bar.add(1)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if t.bad.enough() {
			return fmt.Errorf("importer: %w: %s", ErrTooManyErrors, count(t.bad.total, "row"))
		}
	}
	return nil
}

type problem struct{ field, reason string }

func fault(field, reason string, args ...any) *problem {
	return &problem{field, fmt.Sprintf(reason, args...)}
}

var customType = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

// checkEvent holds an event against the bounds that stand in event.proto.
func checkEvent(m *kindredv1.Event, now time.Time) *problem {
	for _, text := range []struct {
		field, value string
		max          int
	}{
		{"id", m.GetId(), 128}, {"user_id", m.GetUserId(), 128}, {"session_id", m.GetSessionId(), 128},
		{"item_id", m.GetItemId(), 128}, {"text", m.GetText(), 8192},
		{"recommendation_id", m.GetRecommendationId(), 64}, {"surface", m.GetSurface(), 63},
	} {
		if len(text.value) > text.max {
			return fault(text.field, "has %s bytes, at most %s are allowed", grouped(int64(len(text.value))), grouped(int64(text.max)))
		}
	}
	if m.GetUserId() == "" && m.GetSessionId() == "" {
		return fault("user_id", "user and session are both empty: one is required")
	}
	if p := m.GetPosition(); p < 0 || p > 10_000 {
		return fault("position", "is %d, must lie between 0 and 10,000", p)
	}
	if m.GetTime() != nil && m.GetTime().AsTime().After(now.Add(time.Hour)) {
		return fault("time", "is %s, more than an hour in the future", m.GetTime().AsTime().Format(time.RFC3339))
	}
	if m.Value != nil && (math.IsNaN(m.GetValue()) || math.IsInf(m.GetValue(), 0)) {
		return fault("value", "is %v, must be finite", m.GetValue())
	}
	return checkType(m)
}

func checkType(m *kindredv1.Event) *problem {
	switch m.GetType() {
	case kindredv1.EventType_EVENT_TYPE_UNSPECIFIED:
		if !customType.MatchString(m.GetCustomType()) {
			return fault("type", "%q is no built-in type, and one of your own must be 1 to 63 of a-z, 0-9, '_'", m.GetCustomType())
		}
		return nil // whether it needs an item is for its declaration to say
	case kindredv1.EventType_EVENT_TYPE_SEARCH:
		return nil
	case kindredv1.EventType_EVENT_TYPE_RATING:
		if m.Value == nil || m.GetValue() < 0 || m.GetValue() > 5 {
			return fault("value", "a rating needs a value from 0 to 5")
		}
	}
	if m.GetItemId() == "" {
		return fault("item_id", "is empty: this type needs an item")
	}
	return nil
}
