package service_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func TestExposureCountsWhatWasShownClickedAndPurchased(t *testing.T) {
	s := start(t)
	rows := labelled()
	rows[11].Stock = proto.Int64(0) // garden-6
	s.upsert(rows...)
	shown, slots := map[string]int64{}, map[string]int64{}
	for i := range 20 {
		list := s.recommend(&kindredv1.RecommendRequest{Subject: user(fmt.Sprint("u", i)), Limit: 4, Surface: []string{"home", "cart"}[i%2], Seed: uint64(i + 1)})
		for slot, it := range list.Items {
			shown[it.ItemId]++
			slots[it.ItemId] += int64(slot) + 1
		}
		click := act(fmt.Sprint("c", i), fmt.Sprint("u", i), kindredv1.EventType_EVENT_TYPE_CLICK, list.Items[0].ItemId)
		click.RecommendationId = list.RecommendationId
		s.write(click)
	}
	token := s.write(act("p", "u1", purchase, "pen-1"), act("other", "u1", kindredv1.EventType_EVENT_TYPE_CLICK, "pen-1")).WriteToken
	s.applied(token) // asks for lists of one item itself, without a surface
	r := must(s.GetExposure(ctx(t), &kindredv1.GetExposureRequest{Surface: "home"}))
	if r.Lists != 10 || r.Places != 40 || r.Omitted != "" || len(r.Verdicts) != 0 {
		t.Errorf("on home: %v", r)
	}
	r = must(s.GetExposure(ctx(t), &kindredv1.GetExposureRequest{Names: []string{"pen-1", "garden-6", "none"}, ExplainItemId: "garden-6"}))
	if len(r.Rows) != 3 || r.Rows[0].Name != "pen-1" || r.Rows[0].Purchased != 1 || r.Rows[0].Shown < shown["pen-1"] || r.Rows[1].Shown != 0 || r.Rows[2].Shown != 0 {
		t.Errorf("by name: %v", r.Rows)
	}
	if len(r.Verdicts) != 1 || r.Verdicts[0].Verdict != kindredv1.Verdict_VERDICT_OUT_OF_STOCK || r.Verdicts[0].Requests < 20 || r.Verdicts[0].Text != "out of stock" {
		t.Errorf("why: %v", r.Verdicts)
	}
	home := map[string]*kindredv1.Exposure{}
	var clicked int64
	for _, surface := range []string{"home", "cart"} {
		for _, x := range must(s.GetExposure(ctx(t), &kindredv1.GetExposureRequest{Surface: surface})).Rows {
			if home[x.Name] == nil {
				home[x.Name] = &kindredv1.Exposure{}
			}
			home[x.Name].Shown += x.Shown
			home[x.Name].SlotMean += x.SlotMean * float64(x.Shown)
		}
	}
	for id, n := range shown {
		if home[id].GetShown() != n || int64(home[id].GetSlotMean()+0.5) != slots[id] {
			t.Errorf("%s was shown %d times in slots that add up to %d, told is %v", id, n, slots[id], home[id])
		}
	}
	all := must(s.GetExposure(ctx(t), &kindredv1.GetExposureRequest{By: kindredv1.ExposureBy_EXPOSURE_BY_SELLER}))
	var places int64
	for _, x := range all.Rows {
		clicked += x.Clicked
		places += x.Shown
	}
	if len(all.Rows) == 0 || clicked != 20 || places != all.Places {
		t.Errorf("by seller: %v", all)
	}
	if old := must(s.GetExposure(ctx(t), &kindredv1.GetExposureRequest{UntilTime: timestamppb.New(time.Now().Add(-time.Hour))})); old.Lists != 0 || len(old.Rows) != 0 {
		t.Errorf("an hour ago: %v", old)
	}
	_, err := s.GetExposure(ctx(t), &kindredv1.GetExposureRequest{ExplainItemId: "none"})
	refused(t, err, "explain_item_id")
	_, err = s.GetExposure(ctx(t), &kindredv1.GetExposureRequest{By: 9})
	refused(t, err, "by")
	_, err = s.GetExposure(ctx(t), &kindredv1.GetExposureRequest{Limit: 1001})
	refused(t, err, "limit")
}

func TestCatalogHealthFindsWhatKeepsItemsFromBeingFound(t *testing.T) {
	s := start(t)
	rows := shelf()
	rows[0].Stock = proto.Int64(0)
	rows[1].Hidden = true
	rows[2].Title, rows[2].Categories = "", nil
	rows[4].Title = strings.ToUpper(rows[3].Title)
	rows[6].Title, rows[6].VariantGroup, rows[7].Title, rows[7].VariantGroup = "Hose", "hose", "Hose", "hose"
	s.upsert(rows...)
	list := s.recommend(&kindredv1.RecommendRequest{Limit: 3, Surface: "home"})
	r := must(s.CatalogHealth(ctx(t), &kindredv1.CatalogHealthRequest{}))
	checks := map[string]*kindredv1.CatalogCheck{}
	for _, c := range r.Checks {
		checks[c.Name] = c
	}
	for name, want := range map[string]string{
		"untitled": "[pen-3]", "uncategorised": "[pen-3]", "out_of_stock": "[pen-1]", "withheld": "[pen-2]", "duplicate_titles": "[pen-5]", "unencoded": "[pen-3]",
	} {
		if c := checks[name]; c == nil || fmt.Sprint(c.Sample) != want || c.Items != 1 || c.Share < 0.08 || c.Share > 0.09 || !strings.HasPrefix(c.Text, "1 of 12 items (8.3%) ") {
			t.Errorf("%s: %v, want %s", name, c, want)
		}
	}
	never := checks["never_shown"]
	if r.Items != 12 || len(r.Checks) != 7 || never.Items > 7 || never.Items < 6 {
		t.Errorf("%d items, never shown: %v", r.Items, never)
	}
	for _, id := range never.Sample {
		if has(list.Items, id) || id == "pen-1" || id == "pen-2" {
			t.Errorf("%s was shown, or may not be", id)
		}
	}
	op := s.operate()
	fresh := s.tenant(op, "alpha", kindredv1.Role_ROLE_MERCHANT)
	for _, c := range must(fresh.CatalogHealth(ctx(t), &kindredv1.CatalogHealthRequest{})).Checks {
		if c.Items != 0 || c.Text == "" {
			t.Errorf("an empty catalog: %v", c)
		}
	}
	front := s.tenant(op, "beta", kindredv1.Role_ROLE_FRONTEND)
	_, err := front.CatalogHealth(ctx(t), &kindredv1.CatalogHealthRequest{})
	code(t, err, codes.PermissionDenied)
	_, err = fresh.CatalogHealth(ctx(t), &kindredv1.CatalogHealthRequest{FromTime: timestamppb.Now(), UntilTime: timestamppb.New(time.Now().Add(-time.Hour))})
	refused(t, err, "from_time")
}
