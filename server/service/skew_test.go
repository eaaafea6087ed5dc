package service_test

import (
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/demo"
	"github.com/kindred-rec/kindred/server/service"
)

// impress is what a frontend sends when it has shown items, and what became of some.
func impress(s *shop, small *demo.Shop) {
	s.t.Helper()
	var events []*kindredv1.Event
	at := small.Events[len(small.Events)-1].Time.AsTime()
	for i, e := range small.Events {
		if e.UserId == "" || i%3 == 0 {
			continue
		}
		kind := kindredv1.EventType_EVENT_TYPE_IMPRESSION
		switch {
		case i%7 == 0:
			kind = kindredv1.EventType_EVENT_TYPE_CLICK
		case i%31 == 0:
			kind = kindredv1.EventType_EVENT_TYPE_PURCHASE
		}
		item := small.Items[(i*5+11)%len(small.Items)].Id
		next := act(fmt.Sprint("seen-", i), e.UserId, kind, item)
		next.Time = timestamppb.New(at)
		events = append(events, next)
		if len(events) == 400 {
			break
		}
	}
	s.applied(s.write(events...).WriteToken)
}

// asked puts questions of every kind and returns the logged rows, by recommendation and
// item: "home u12 pen-3".
func asked(s *shop, people []string, page string) map[string]*kindredv1.ShownItem {
	s.t.Helper()
	of := map[string]string{}
	for i, id := range people {
		req := &kindredv1.RecommendRequest{Subject: user(id), Surface: []string{"home", "product", ""}[i%3], Limit: 12, Seed: uint64(i + 1)}
		if i%2 == 1 {
			req.ContextItemIds = []string{page}
		}
		of[s.recommend(req).RecommendationId] = fmt.Sprint(req.Surface, " ", id)
	}
	rows := map[string]*kindredv1.ShownItem{}
	for _, d := range s.decisions() {
		name, ok := of[d.RecommendationId]
		if !ok {
			continue
		}
		for _, list := range [][]*kindredv1.ShownItem{d.Items, d.Losers} {
			for _, shown := range list {
				rows[name+" "+shown.ItemId] = shown
			}
		}
	}
	return rows
}

// TestFeaturesAreThoseOfTheLogAsOfThen asks a shop that has lived through its events one by
// one, and one that was made from the log alone as it was at that moment, the same. Their
// decisions hold the same rows, bit for bit: what is trained on is what was served with.
func TestFeaturesAreThoseOfTheLogAsOfThen(t *testing.T) {
	s := start(t, func(c *service.Config) { c.Shop.RankingAge = -1 })
	must(s.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{Clock: kindredv1.Clock_CLOCK_LOG}}))
	small := s.upload()
	var people []string
	for _, u := range small.Users[:12] {
		people = append(people, u.ID)
	}
	// Profiles are in memory from here on, and grow by what is applied.
	asked(s, people, small.Items[3].Id)
	impress(s, small)
	must(s.admin.RefreshGeneration(ctx(t), &kindredv1.RefreshGenerationRequest{})) // labels are counted as a start does

	then := s.config
	then.Data = t.TempDir()
	if err := os.CopyFS(then.Data, os.DirFS(s.config.Data)); err != nil {
		t.Fatal(err)
	}
	served := asked(s, people, small.Items[3].Id)
	s.applied(s.write(act("later", people[0], kindredv1.EventType_EVENT_TYPE_PURCHASE, small.Items[5].Id)).WriteToken)

	replayed := &shop{config: then}
	replayed.run(t)
	defer replayed.stop()
	computed := asked(replayed, people, small.Items[3].Id)
	if len(served) < 12*12 || len(computed) != len(served) {
		t.Fatalf("%d rows were served and %d computed anew", len(served), len(computed))
	}
	names := s.decisions()[0].FeatureNames
	met := make([]int, len(names))
	for name, want := range served {
		got := computed[name]
		if got == nil || len(got.Features) != len(names) || got.Score != want.Score {
			t.Fatalf("%s: served as %v, computed as %v", name, want, got)
		}
		for f, x := range want.Features {
			if math.Float32bits(got.Features[f]) != math.Float32bits(x) {
				t.Errorf("%s: %s was served as %v and computed anew as %v", name, names[f], x, got.Features[f])
			}
			if x != 0 {
				met[f]++
			}
		}
	}
	// What is never other than 0 here proves nothing.
	idle := map[string]bool{"position": true, "repeat_count": true, "freshness": true, "weekday": time.Now().UTC().Weekday() == time.Monday}
	for f, n := range met {
		if n == 0 && !idle[names[f]] {
			t.Errorf("%s is 0 in every row: the test does not reach it", names[f])
		}
	}
}
