package service_test

import (
	"encoding/base64"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"google.golang.org/protobuf/proto"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func TestClickChangesTheNextRecommendation(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	before := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Limit: 5})
	if before.Tier != kindredv1.Tier_TIER_POPULAR {
		t.Fatalf("before any event: %v", before.Tier)
	}
	for i, want := range []string{"garden", "pen"} {
		reply := s.write(act(fmt.Sprint("e", i), "u", kindredv1.EventType_EVENT_TYPE_CLICK, want+"-2"))
		after := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Limit: 5, MinWriteToken: reply.WriteToken})
		if after.Tier != kindredv1.Tier_TIER_PERSONALIZED || after.Info.Lag != 0 {
			t.Fatalf("after the click: %v, lag %d", after.Tier, after.Info.Lag)
		}
		if top := after.Items[0].ItemId; top[:3] != want[:3] {
			t.Errorf("after a click on %s-2 the first item is %s", want, top)
		}
		if after.Info.ProfileToken != reply.WriteToken {
			t.Errorf("profile token %q is not that of the click %q", after.Info.ProfileToken, reply.WriteToken)
		}
	}
}

func TestEveryWriterReadsItsOwnWrites(t *testing.T) {
	s := start(t)
	items := shelf()
	s.upsert(items...)
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			who := fmt.Sprint("user-", w)
			for i := range 20 {
				it := items[(w+i)%len(items)].Id
				reply, err := s.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{
					view(fmt.Sprint(w, "/", i), who, it),
				}})
				if err != nil {
					t.Error(err)
					return
				}
				list, err := s.Recommend(ctx(t), &kindredv1.RecommendRequest{
					Subject: user(who), MinWriteToken: reply.WriteToken, MaxWait: durationpb.New(2 * time.Second),
					SeenPolicy: kindredv1.SeenPolicy_SEEN_POLICY_HIDE_INTERACTED, Limit: 20,
				})
				if err != nil {
					t.Error(err)
					return
				}
				if list.Info.Lag != 0 || list.Info.ProfileToken != reply.WriteToken || has(list.Items, it) {
					t.Errorf("%s viewed %s and got %v, lag %d", who, it, ids(list.Items), list.Info.Lag)
				}
			}
		})
	}
	writers.Wait()
	if n := len(s.exported()); n != 160 {
		t.Errorf("%d events, want 160", n)
	}
}

// shift changes a write token: by bytes of its epoch or its sequence.
func shift(t *testing.T, token string, at int, by byte) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	raw[at] += by
	return base64.RawURLEncoding.EncodeToString(raw)
}

func TestTokenOfAnotherPastIsAnsweredWithLagUnknown(t *testing.T) {
	s := start(t)
	token := s.upsert(shelf()...)
	for _, other := range []string{shift(t, token, 5, 1), shift(t, token, 12, 1), shift(t, token, 19, 1)} {
		begin := time.Now()
		list := s.recommend(&kindredv1.RecommendRequest{MinWriteToken: other})
		if list.Info.Lag != -1 || len(list.Items) == 0 {
			t.Errorf("lag %d with %d items, want -1 and a list", list.Info.Lag, len(list.Items))
		}
		if list.Info.StageTimes.WaitUs > time.Since(begin).Microseconds() || list.Info.StageTimes.WaitUs > 1_000_000 {
			t.Errorf("waited %d µs for what can never come", list.Info.StageTimes.WaitUs)
		}
	}
	_, err := s.Recommend(ctx(t), &kindredv1.RecommendRequest{MinWriteToken: shift(t, token, 0, 1)})
	contains(t, refused(t, err, "min_write_token"), "another tenant")
}

// tiers asks for a list on every tier and by every method; the name says which.
func tiers(s *shop) map[string][]string {
	t := s.t
	lists := map[string][]string{}
	for name, req := range map[string]*kindredv1.RecommendRequest{
		"personalized":    {Subject: user("u")},
		"session":         {Subject: session("s")},
		"item_neighbours": {ContextItemIds: []string{"pen-5"}},
		"popular":         {},
	} {
		req.Limit, req.SeenPolicy = 50, kindredv1.SeenPolicy_SEEN_POLICY_KEEP
		list := s.recommend(req)
		if got := list.Tier.String(); got != "TIER_"+map[string]string{
			"personalized": "PERSONALIZED", "session": "SESSION", "item_neighbours": "ITEM_NEIGHBOURS", "popular": "POPULAR",
		}[name] {
			t.Errorf("%s is answered from %s: %s", name, got, list.TierReason)
		}
		lists[name] = ids(list.Items)
	}
	rows := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Rows: []*kindredv1.RowRequest{{Limit: 30}, {Limit: 30}}})
	lists["rows"] = append(ids(rows.Rows[0].Items), ids(rows.Rows[1].Items)...)
	lists["similar"] = ids(must(s.SimilarItems(ctx(t), &kindredv1.SimilarItemsRequest{ItemId: "pen-5", Limit: 50})).Items)
	lists["together"] = ids(must(s.SimilarItems(ctx(t), &kindredv1.SimilarItemsRequest{
		ItemId: "pen-5", Limit: 50, Relation: kindredv1.Relation_RELATION_BOUGHT_TOGETHER,
	})).Items)
	lists["search"] = ids(must(s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{Query: "gel pen", Limit: 50})).Items)
	lists["rank"] = ids(must(s.RankItems(ctx(t), &kindredv1.RankItemsRequest{Subject: user("u"), ItemIds: []string{"pen-1", "pen-2", "pen-3"}})).Items)
	return lists
}

func TestPatchTakesEffectAtOnceOnEveryTier(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	inSession := view("s1", "", "pen-2")
	inSession.SessionId = "s"
	s.applied(s.write(view("1", "u", "pen-3"), view("2", "v", "pen-5"), view("3", "v", "pen-1"), view("4", "w", "pen-1"), inSession).WriteToken)
	// A first page is asked before each change; what is hidden drops out of the second.
	page := func() *kindredv1.RecommendResponse {
		return s.recommend(&kindredv1.RecommendRequest{Limit: 1, Paginate: true, ExcludeItemIds: []string{"garden-1"}})
	}
	change := func(p *kindredv1.ItemPatch, fields ...string) {
		p.Id, p.UpdateMask = "pen-1", &fieldmaskpb.FieldMask{Paths: fields}
		reply, err := s.PatchItems(ctx(t), &kindredv1.PatchItemsRequest{Patches: []*kindredv1.ItemPatch{p}})
		if err != nil || reply.Counts.Changed != 1 {
			t.Fatalf("patch: %v %v", reply, err)
		}
	}
	hour := timestamppb.New(time.Now().Add(time.Hour))
	for _, c := range []struct {
		why      string
		out      *kindredv1.ItemPatch
		back     *kindredv1.ItemPatch
		field    string
		withheld string
	}{
		{"hidden", &kindredv1.ItemPatch{Hidden: true}, &kindredv1.ItemPatch{}, "hidden", "hidden"},
		{"out of stock", &kindredv1.ItemPatch{Stock: proto.Int64(0)}, &kindredv1.ItemPatch{Stock: proto.Int64(3)}, "stock", "out of stock"},
		{"not yet", &kindredv1.ItemPatch{AvailableFrom: hour}, &kindredv1.ItemPatch{}, "available_from", "not yet available"},
		{"no longer", &kindredv1.ItemPatch{AvailableUntil: timestamppb.New(time.Now().Add(-time.Hour))}, &kindredv1.ItemPatch{}, "available_until", "no longer available"},
	} {
		for name, list := range tiers(s) {
			if !contained(list, "pen-1") {
				t.Fatalf("%s: %s does not show pen-1 before the patch: %v", c.why, name, list)
			}
		}
		s.upsert(item("pen-0", "Gel pen, violet", "Office > Pens")) // another first item for the page
		first := page()
		change(c.out, c.field)
		for name, list := range tiers(s) {
			if contained(list, "pen-1") {
				t.Errorf("%s: %s still shows it", c.why, name)
			}
		}
		rest := s.recommend(&kindredv1.RecommendRequest{PageToken: first.NextPageToken, Limit: 50})
		if has(rest.Items, "pen-1") {
			t.Errorf("%s: the next page still shows it", c.why)
		}
		got := must(s.GetItem(ctx(t), &kindredv1.GetItemRequest{Id: "pen-1"}))
		if got.UnservableReason != c.withheld {
			t.Errorf("%s: GetItem says %q", c.why, got.UnservableReason)
		}
		change(c.back, c.field)
	}
}

func contained(list []string, id string) bool {
	for _, x := range list {
		if x == id {
			return true
		}
	}
	return false
}

func TestPageChecksItsFilterAgain(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	first := s.recommend(&kindredv1.RecommendRequest{Limit: 2, Paginate: true, Filter: "price < 10.0 // cheap"})
	if len(first.Items) != 2 {
		t.Fatalf("first page %v", ids(first.Items))
	}
	var dearer string
	for _, id := range []string{"pen-1", "pen-2", "pen-3"} {
		if !has(first.Items, id) {
			dearer = id
		}
	}
	must(s.PatchItems(ctx(t), &kindredv1.PatchItemsRequest{Patches: []*kindredv1.ItemPatch{{
		Id: dearer, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"price"}}, Price: &kindredv1.Money{CurrencyCode: "EUR", Units: 99},
	}}}))
	rest := s.recommend(&kindredv1.RecommendRequest{PageToken: first.NextPageToken, Limit: 50})
	if has(rest.Items, dearer) || len(rest.Items) != 3 {
		t.Errorf("the second page is %v, want three items below 10 without %s", ids(rest.Items), dearer)
	}
}

func TestPagesAreStableAndRepeatNothing(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	for i := range 30 {
		s.upsert(item(fmt.Sprint("more-", i), fmt.Sprint("Notebook number ", i), "Office > Paper"))
	}
	s.applied(s.write(view("1", "u", "pen-1")).WriteToken)
	page := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Limit: 5, Paginate: true, Seed: 3})
	whole := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Limit: 42, Seed: 3})
	got, seen := ids(page.Items), map[string]bool{}
	for n := 0; page.NextPageToken != ""; n++ {
		// New events must not change the list under way.
		s.applied(s.write(view(fmt.Sprint("n", n), "u", "garden-3")).WriteToken)
		again := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), PageToken: page.NextPageToken, Limit: 7})
		page = s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), PageToken: page.NextPageToken, Limit: 7})
		if fmt.Sprint(ids(again.Items)) != fmt.Sprint(ids(page.Items)) {
			t.Errorf("the same page twice: %v and %v", ids(again.Items), ids(page.Items))
		}
		got = append(got, ids(page.Items)...)
	}
	for _, id := range got {
		if seen[id] {
			t.Errorf("%s stands on two pages", id)
		}
		seen[id] = true
	}
	if fmt.Sprint(got) != fmt.Sprint(ids(whole.Items)) {
		t.Errorf("pages give %v, one list gives %v", got, ids(whole.Items))
	}
}
