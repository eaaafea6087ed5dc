package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// shown is how many items each list of the story has.
const shown = 6

// request is what the story asks for each person: varied, with reasons, and without what they have seen.
func request(subject *kindredv1.Subject, token string) *kindredv1.RecommendRequest {
	return &kindredv1.RecommendRequest{
		Subject: subject, Surface: "home", Limit: shown, Seed: 1,
		SeenPolicy: kindredv1.SeenPolicy_SEEN_POLICY_HIDE_INTERACTED, Diversity: proto.Float64(0.3),
		MinWriteToken: token, MaxWait: durationpb.New(2 * time.Second),
		IncludeItems: true, Explain: true,
	}
}

// act is one person's part: the recommendations before, the steps, the recommendations after. choose gives the steps once
// the list before is known.
func (t *teller) act(ctx context.Context, ask *kindredv1.RecommendRequest, name string, choose func(before []*kindredv1.RecommendedItem) []step) error {
	before, err := t.recommend.Recommend(ctx, ask)
	if err != nil {
		return fmt.Errorf("demo: recommending to %s: %w", name, err)
	}
	t.line("")
	t.line("   %s", t.bold("Before")+t.faint("  "+tier(before)))
	t.list(before.GetItems(), nil)
	steps := choose(before.GetItems())
	clicks, token, err := t.click(ctx, ask, before, steps)
	if err != nil {
		return err
	}
	t.line("")
	t.line("   %s", t.bold("Then "+name))
	for _, s := range steps {
		t.line("      %-19s %s", s.words(), cut(s.item.GetTitle(), 60))
	}
	ask = proto.Clone(ask).(*kindredv1.RecommendRequest)
	ask.MinWriteToken = token
	start := time.Now()
	after, err := t.recommend.Recommend(ctx, ask)
	if err != nil {
		return fmt.Errorf("demo: recommending to %s: %w", name, err)
	}
	took := time.Since(start)
	moves, gone := compareLists(before.GetItems(), after.GetItems())
	t.line("")
	t.line("   %s", t.bold("After")+t.faint("   "+tier(after)))
	t.list(after.GetItems(), moves)
	t.line("   %s; %s", changes(moves, gone), freshness(after, took))
	t.outcome.Visits = append(t.outcome.Visits, Visit{Subject: ask.GetSubject(), Before: before, After: after, Clicks: clicks})
	return nil
}

// click sends the steps as events, in order. A click on an item of the list says so, that both can be joined later.
func (t *teller) click(ctx context.Context, ask *kindredv1.RecommendRequest, before *kindredv1.RecommendResponse, steps []step) ([]*kindredv1.Event, string, error) {
	slot := map[string]int32{}
	for i, it := range before.GetItems() {
		slot[it.GetItemId()] = int32(i) + 1
	}
	now := time.Now()
	events := make([]*kindredv1.Event, len(steps))
	for i, s := range steps {
		t.clicks++
		e := &kindredv1.Event{
			Id: fmt.Sprintf("%s-%d", t.stem, t.clicks), UserId: ask.GetSubject().GetUserId(), SessionId: ask.GetSubject().GetSessionId(),
			ItemId: s.item.GetId(), Type: s.kind, Surface: ask.GetSurface(),
			Time: timestamppb.New(now.Add(time.Duration(i-len(steps)) * time.Second)),
		}
		if k := slot[e.ItemId]; k > 0 {
			e.RecommendationId, e.Position = before.GetRecommendationId(), k
		}
		events[i] = e
	}
	reply, err := t.events.WriteEvents(ctx, &kindredv1.WriteEventsRequest{Events: events})
	if err != nil {
		return nil, "", fmt.Errorf("demo: sending clicks: %w", err)
	}
	return events, reply.GetWriteToken(), firstRowError("click", reply.GetErrors())
}

// tier names the rung of the ladder that answered, and why.
func tier(r *kindredv1.RecommendResponse) string {
	name := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(r.GetTier().String(), "TIER_")), "_", " ")
	if r.GetTierReason() == "" {
		return name
	}
	return cut(name+": "+r.GetTierReason(), width-12)
}

// changes says in words what became of a list.
func changes(moves []move, gone []*kindredv1.RecommendedItem) string {
	added, moved := 0, 0
	for _, m := range moves {
		switch {
		case m.isNew:
			added++
		case m.up != 0:
			moved++
		}
	}
	if added+moved+len(gone) == 0 {
		return "nothing changed"
	}
	return fmt.Sprintf("%d new, %d moved, %d gone", added, moved, len(gone))
}

// freshness says whether the reply reflects the clicks.
func freshness(r *kindredv1.RecommendResponse, took time.Duration) string {
	if lag := r.GetInfo().GetLag(); lag > 0 {
		return fmt.Sprintf("the reply lags by %d writes", lag)
	}
	return fmt.Sprintf("the last click counted, the reply took %.1f ms", float64(took.Microseconds())/1000)
}

func grouped(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}
