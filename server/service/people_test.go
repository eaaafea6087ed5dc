package service_test

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func inSession(id, session, item string) *kindredv1.Event {
	e := view(id, "", item)
	e.SessionId = session
	return e
}

func TestOptOutIsAnsweredWithoutTheEvents(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.applied(s.write(view("1", "u", "garden-2"), act("2", "u", hide, "pen-1")).WriteToken)
	out := must(s.profiles.UpsertProfile(ctx(t), &kindredv1.UpsertProfileRequest{Profile: &kindredv1.Profile{UserId: "u", PersonalizationOptOut: true}}))
	list := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), MinWriteToken: out.WriteToken, Limit: 50})
	if list.Tier != kindredv1.Tier_TIER_POPULAR {
		t.Errorf("opted out and answered from %v", list.Tier)
	}
	contains(t, list.TierReason, "personalization is off")
	if has(list.Items, "pen-1") {
		t.Error("what the user asked not to see again comes back with the opt-out")
	}
	if n := len(must(s.profiles.ListEvents(ctx(t), &kindredv1.ListEventsRequest{Subject: user("u")})).Events); n != 2 {
		t.Errorf("%d events kept, want 2", n)
	}
	in := must(s.profiles.UpsertProfile(ctx(t), &kindredv1.UpsertProfileRequest{Profile: &kindredv1.Profile{UserId: "u"}}))
	if list := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), MinWriteToken: in.WriteToken}); list.Tier != kindredv1.Tier_TIER_PERSONALIZED {
		t.Errorf("opted in again and answered from %v", list.Tier)
	}
}

func TestSessionMergedIntoAUserBringsItsEventsAndItsLateOnes(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.applied(s.write(inSession("1", "s", "garden-1"), inSession("2", "s", "garden-3"), view("3", "u", "pen-1")).WriteToken)
	both := s.recommend(&kindredv1.RecommendRequest{
		Subject: &kindredv1.Subject{UserId: "u", SessionId: "s"}, SeenPolicy: kindredv1.SeenPolicy_SEEN_POLICY_HIDE_INTERACTED, Limit: 50,
	})
	if both.Tier != kindredv1.Tier_TIER_PERSONALIZED || has(both.Items, "pen-1") || has(both.Items, "garden-1") {
		t.Errorf("user and session together: %v %v", both.Tier, ids(both.Items))
	}
	merge := must(s.profiles.MergeProfiles(ctx(t), &kindredv1.MergeProfilesRequest{SessionId: "s", UserId: "u"}))
	merged := s.recommend(&kindredv1.RecommendRequest{
		Subject: user("u"), MinWriteToken: merge.WriteToken, SeenPolicy: kindredv1.SeenPolicy_SEEN_POLICY_HIDE_INTERACTED, Limit: 50,
	})
	if has(merged.Items, "garden-1") || has(merged.Items, "garden-3") || has(merged.Items, "pen-1") || len(merged.Items) != 9 {
		t.Errorf("after the merge: %v", ids(merged.Items))
	}
	late := s.write(inSession("4", "s", "garden-5"))
	after := s.recommend(&kindredv1.RecommendRequest{
		Subject: user("u"), MinWriteToken: late.WriteToken, SeenPolicy: kindredv1.SeenPolicy_SEEN_POLICY_HIDE_INTERACTED, Limit: 50,
	})
	if has(after.Items, "garden-5") {
		t.Error("a late event of the session does not follow the user")
	}
	profile := must(s.profiles.GetProfile(ctx(t), &kindredv1.GetProfileRequest{Subject: user("u")}))
	if len(profile.Profile.SessionIds) != 1 || profile.RecentEvents != 4 || !profile.HasVector {
		t.Errorf("profile %v", profile)
	}
	_, err := s.profiles.MergeProfiles(ctx(t), &kindredv1.MergeProfilesRequest{SessionId: "s", UserId: "other"})
	code(t, err, codes.AlreadyExists)
	_, err = s.profiles.MergeProfiles(ctx(t), &kindredv1.MergeProfilesRequest{SessionId: "s"})
	refused(t, err, "user_id")
}

func TestErasedPersonIsUnknownAndTheirHistoryEmpty(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	s.write(inSession("1", "s", "garden-1"), view("2", "u", "pen-1"), view("3", "v", "pen-2"))
	s.applied(must(s.profiles.MergeProfiles(ctx(t), &kindredv1.MergeProfilesRequest{SessionId: "s", UserId: "u"})).WriteToken)
	page := s.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Limit: 2, Paginate: true})
	if page.Tier != kindredv1.Tier_TIER_PERSONALIZED {
		t.Fatalf("before: %v", page.Tier)
	}
	must(s.profiles.EraseProfile(ctx(t), &kindredv1.EraseProfileRequest{Subject: user("u")}))
	if list := s.recommend(&kindredv1.RecommendRequest{Subject: user("u")}); list.Tier != kindredv1.Tier_TIER_POPULAR {
		t.Errorf("an erased user is answered from %v: %s", list.Tier, list.TierReason)
	}
	if list := s.recommend(&kindredv1.RecommendRequest{Subject: session("s")}); list.Tier != kindredv1.Tier_TIER_POPULAR {
		t.Errorf("their session is answered from %v", list.Tier)
	}
	_, err := s.profiles.GetProfile(ctx(t), &kindredv1.GetProfileRequest{Subject: user("u")})
	code(t, err, codes.NotFound)
	_, err = s.profiles.ListEvents(ctx(t), &kindredv1.ListEventsRequest{Subject: user("u")})
	code(t, err, codes.NotFound)
	_, err = s.Recommend(ctx(t), &kindredv1.RecommendRequest{Subject: user("u"), PageToken: page.NextPageToken})
	refused(t, err, "page_token")
	if log := s.exported(); len(log) != 1 || log[0].UserId != "v" {
		t.Errorf("the log holds %v", log)
	}
	for _, d := range s.decisions() {
		if d.RecommendationId == page.RecommendationId {
			t.Error("what was shown to them is still in the decision log")
		}
	}
	_, err = s.profiles.EraseProfile(ctx(t), &kindredv1.EraseProfileRequest{Subject: user("u")})
	code(t, err, codes.NotFound)
	s.restart()
	if list := s.recommend(&kindredv1.RecommendRequest{Subject: user("u")}); list.Tier != kindredv1.Tier_TIER_POPULAR {
		t.Errorf("after a restart: %v", list.Tier)
	}
	again := s.write(view("2", "u", "pen-1"))
	if again.Added != 1 {
		t.Errorf("the id of an erased event is still used: %v", again)
	}
}

func TestExportOfAProfileIsWholeAndOldestFirst(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	var events []*kindredv1.Event
	const n = 2100 // more than two pages of the store
	for i := range n {
		events = append(events, view(fmt.Sprint(i), "u", "pen-1"))
		if len(events) == 700 {
			s.write(events...)
			events = events[:0]
		}
	}
	must(s.profiles.UpsertProfile(ctx(t), &kindredv1.UpsertProfileRequest{Profile: &kindredv1.Profile{
		UserId: "u", Attributes: map[string]*kindredv1.Value{"plan": {Kind: &kindredv1.Value_StringValue{StringValue: "gold"}}},
	}}))
	stream, err := s.profiles.ExportProfile(ctx(t), &kindredv1.ExportProfileRequest{Subject: user("u")})
	parts := all(t, stream, err)
	if parts[0].GetProfile().GetAttributes()["plan"].GetStringValue() != "gold" {
		t.Errorf("the first part is %v", parts[0])
	}
	if len(parts) != n+1 {
		t.Fatalf("%d parts, want the profile and %d events", len(parts), n)
	}
	for i, p := range parts[1:] {
		if p.GetEvent().GetId() != fmt.Sprint(i) || p.GetEvent().GetUserId() != "u" {
			t.Fatalf("event %d of the export is %v", i, p.GetEvent())
		}
	}
	var listed []string
	for token := ""; ; {
		page := must(s.profiles.ListEvents(ctx(t), &kindredv1.ListEventsRequest{Subject: user("u"), PageSize: 999, PageToken: token}))
		for _, e := range page.Events {
			listed = append(listed, e.Id)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	if len(listed) != n || listed[0] != fmt.Sprint(n-1) || listed[n-1] != "0" {
		t.Errorf("ListEvents: %d events from %s to %s, want newest first", len(listed), listed[0], listed[len(listed)-1])
	}
}

func TestProfileRequestsNeedOnePerson(t *testing.T) {
	s := start(t)
	for _, sub := range []*kindredv1.Subject{nil, {}, {UserId: "u", SessionId: "s"}} {
		_, err := s.profiles.GetProfile(ctx(t), &kindredv1.GetProfileRequest{Subject: sub})
		refused(t, err, "subject")
	}
	_, err := s.profiles.UpsertProfile(ctx(t), &kindredv1.UpsertProfileRequest{})
	refused(t, err, "profile.user_id")
}

// decisions reads the whole decision log.
func (c *client) decisions() []*kindredv1.Decision {
	c.t.Helper()
	stream, err := c.admin.ExportDecisions(ctx(c.t), &kindredv1.ExportDecisionsRequest{})
	var list []*kindredv1.Decision
	for _, page := range all(c.t, stream, err) {
		list = append(list, page.Decisions...)
	}
	return list
}
