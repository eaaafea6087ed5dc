package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// ErrNothing is wrapped when the logs hold no user of the experiment.
var ErrNothing = errors.New("nobody was assigned to the experiment")

// list is one decision of the experiment.
type list struct {
	user  int32 // in collector.users
	shown int32
	time  time.Time
}

// user is one unit.
type user struct {
	variant int
	number  uint64
	first   time.Time // their first list
	moved   bool      // was in another variant later
	lists   int       // within the window, as all that follows
	shown   int
	clicks  int
	bought  int
}

// act is a click or purchase that may count.
type act struct {
	time     time.Time
	list     int32 // that it names; -1: none of the experiment
	purchase bool
	item     string
	who      string // user id, or session id
}

// Left counts what was left out, with the reason.
type Left struct {
	Listed    int `json:"listed"`    // lists of people who are listed for a variant
	Requested int `json:"requested"` // lists whose request named the variant
	Anonymous int `json:"anonymous"` // lists for nobody
	// Newcomers counts lists of people who were assigned, but whom the server had no number for: they had written no event
	// yet, so that their lists cannot be told to be of one person.
	Newcomers int `json:"newcomers"`
	Bulk      int `json:"bulk"`     // lists made in bulk, which nobody need have seen
	Unknown   int `json:"unknown"`  // lists of variants that the experiment does not have
	Switched  int `json:"switched"` // users who were in another variant later; they count for the first
}

// collector joins decisions and events.
type collector struct {
	o        Options
	variants []VariantShare
	lists    []list
	byID     map[string]int32
	users    []user
	byNumber map[uint64]int32
	acts     []act
	seen     map[string]bool // events by id
	left     Left
	last     time.Time // latest time of any row
}

func (c *collector) decision(d *kindredv1.Decision) error {
	if !d.Time.IsValid() || d.RecommendationId == "" {
		return fmt.Errorf("decision %q at %v: recommendation_id and a valid time are required", d.RecommendationId, d.Time)
	}
	at := d.Time.AsTime()
	c.now(at)
	if d.Assignment.GetExperiment() != c.o.Name {
		return nil
	}
	variant := slices.IndexFunc(c.variants, func(v VariantShare) bool { return v.Name == d.Assignment.Variant })
	switch kind := d.Assignment.Kind; {
	case kind == kindredv1.AssignmentKind_ASSIGNMENT_KIND_LISTED:
		c.left.Listed++
	case kind == kindredv1.AssignmentKind_ASSIGNMENT_KIND_REQUEST:
		c.left.Requested++
	case kind != kindredv1.AssignmentKind_ASSIGNMENT_KIND_HASH:
		c.left.Anonymous++
	case d.UserNumber == 0:
		c.left.Newcomers++
	case d.Kind == kindredv1.DecisionKind_DECISION_KIND_BULK:
		c.left.Bulk++
	case variant < 0:
		c.left.Unknown++
	default:
		return c.add(d, variant, at)
	}
	return nil
}

func (c *collector) add(d *kindredv1.Decision, variant int, at time.Time) error {
	if _, twice := c.byID[d.RecommendationId]; twice {
		return fmt.Errorf("decision %q comes twice: were two exports put together?", d.RecommendationId)
	}
	if len(c.lists) == c.o.MaxDecisions {
		return fmt.Errorf("experiment: more than %d decisions; raise --max-decisions, at about 100 bytes each, or name a later --since", c.o.MaxDecisions)
	}
	number, known := c.byNumber[d.UserNumber]
	if !known {
		number = int32(len(c.users))
		c.byNumber[d.UserNumber] = number
		c.users = append(c.users, user{variant: variant, number: d.UserNumber, first: at})
	}
	u := &c.users[number]
	if u.variant != variant && !u.moved {
		u.moved = true
		c.left.Switched++
	}
	if at.Before(u.first) {
		u.first, u.variant = at, variant
	}
	c.byID[d.RecommendationId] = int32(len(c.lists))
	c.lists = append(c.lists, list{user: number, shown: int32(len(d.Items)), time: at})
	return nil
}

func (c *collector) event(e *kindredv1.Event) error {
	if !e.Time.IsValid() {
		return fmt.Errorf("event %q: its time %v is not valid", e.Id, e.Time)
	}
	at := e.Time.AsTime()
	c.now(at)
	a := act{time: at, list: -1, item: e.ItemId, who: cmp.Or(e.UserId, e.SessionId), purchase: e.Type == kindredv1.EventType_EVENT_TYPE_PURCHASE}
	if !a.purchase && !slices.Contains(c.o.Clicks, typeName(e)) {
		return nil
	}
	if number, known := c.byID[e.RecommendationId]; known && e.RecommendationId != "" {
		a.list = number
	}
	if a.list < 0 && !a.purchase || c.seen[e.Id] && e.Id != "" {
		return nil
	}
	if len(c.acts) == c.o.MaxDecisions {
		return fmt.Errorf("experiment: more than %d clicks and purchases; raise --max-decisions", c.o.MaxDecisions)
	}
	if e.Id != "" {
		c.seen[e.Id] = true
	}
	c.acts = append(c.acts, a)
	return nil
}

// typeName is how an event's type is named in Options.Clicks.
func typeName(e *kindredv1.Event) string {
	return cmp.Or(e.CustomType, strings.ToLower(strings.TrimPrefix(e.Type.String(), "EVENT_TYPE_")))
}

func (c *collector) now(at time.Time) {
	if at.After(c.last) {
		c.last = at
	}
}

// click is an item of a list that was clicked.
type click struct {
	list int32
	item string
}

// owned is an item that somebody clicked.
type owned struct{ who, item string }

// settle counts everything to its user, once all is read.
func (c *collector) settle() {
	for _, l := range c.lists {
		if u := &c.users[l.user]; c.inWindow(u, l.time) {
			u.lists++
			u.shown += int(l.shown)
		}
	}
	slices.SortStableFunc(c.acts, func(a, b act) int { return a.time.Compare(b.time) })
	clicked, clickers := map[click]bool{}, map[owned]int32{}
	for _, a := range c.acts {
		number, attributed := int32(-1), a.list >= 0
		if attributed {
			number = c.lists[a.list].user
		} else if n, has := clickers[owned{a.who, a.item}]; has {
			number = n
		}
		if number < 0 {
			continue
		}
		u := &c.users[number]
		if !c.inWindow(u, a.time) {
			continue
		}
		switch {
		case a.purchase:
			u.bought++
		case !clicked[click{a.list, a.item}]:
			clicked[click{a.list, a.item}] = true
			clickers[owned{a.who, a.item}] = number
			u.clicks++
		}
	}
}

func (c *collector) inWindow(u *user, at time.Time) bool {
	return !at.Before(u.first) && at.Before(u.first.Add(c.o.Window))
}

func (c *collector) read(ctx context.Context, from Source) error {
	if err := from.Decisions(ctx, c.o.Since, c.decision); err != nil {
		return err
	}
	if len(c.users) == 0 {
		return fmt.Errorf("experiment: %w %q in the decisions since %s (%+v left out); is it running, and are decisions logged?", ErrNothing, c.o.Name, sinceText(c.o.Since), c.left)
	}
	return from.Events(ctx, c.event)
}

func sinceText(t time.Time) string {
	if t.IsZero() {
		return "the first kept"
	}
	return t.Format(time.RFC3339)
}
