package service_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
)

// behind starts a service of which what serves has stopped at an item whose text takes
// long: what is written later is on disk and not served until the encoder is released.
func behind(t *testing.T) (*shop, *gated) {
	g := newGated(t)
	s := start(t, func(c *service.Config) { c.Shop.Encoder = g })
	s.upsert(shelf()...)
	must(s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{{Id: "slow", Title: "wait"}}}))
	<-g.waiting
	return s, g
}

// notBefore checks that a call ends after the release and not before.
func notBefore(t *testing.T, release chan struct{}, call func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() { defer close(ended); call() }()
	select {
	case <-ended:
		t.Error("the call was answered before what serves had come so far")
	case <-time.After(150 * time.Millisecond):
	}
	close(release)
	<-ended
}

func TestPatchIsAnsweredWhenItServes(t *testing.T) {
	s, g := behind(t)
	notBefore(t, g.release, func() {
		must(s.PatchItems(ctx(t), &kindredv1.PatchItemsRequest{Patches: []*kindredv1.ItemPatch{
			{Id: "pen-1", Hidden: true, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"hidden"}}},
		}}))
	})
	if list := s.recommend(&kindredv1.RecommendRequest{Limit: 50}); has(list.Items, "pen-1") {
		t.Error("the next reply shows what the patch hid")
	}
}

func TestReplaceRemovesAlsoWhatWasWrittenJustBefore(t *testing.T) {
	s, g := behind(t)
	must(s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{item("just-now", "Pen", "A")}}))
	notBefore(t, g.release, func() {
		reply, err := s.importItems(&kindredv1.ImportOptions{Mode: replace, ConfirmDropShare: proto.Float64(1)}, shelf()...)
		if err != nil || reply.Counts.Removed != 2 || reply.CatalogItems != 12 {
			t.Errorf("%v %v", reply, err)
		}
	})
}

func TestStopWaitsForAHandlerPastTheDrainTime(t *testing.T) {
	g := newGated(t)
	s := start(t, func(c *service.Config) { c.Shop.Encoder, c.Drain = g, 50*time.Millisecond })
	s.upsert(shelf()...)
	go s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{Query: "wait"}) // is cut off
	<-g.waiting
	notBefore(t, g.release, func() {
		if err := s.service.Stop(); err != nil {
			t.Error(err)
		}
	})
	s.stopped = true
}

func TestPopularItemsAreUpToDateAfterAFewEvents(t *testing.T) {
	s := start(t)
	s.upsert(item("late-hit", "Stapler", "Office"))
	var items []*kindredv1.Item
	var events []*kindredv1.Event
	for i := range 130 {
		id := fmt.Sprint("bolt-", i)
		items = append(items, item(id, fmt.Sprint("Steel bolt M", i), "Hardware"))
		for k := range 5 {
			events = append(events, view(fmt.Sprint(id, k), fmt.Sprint("u", i, k), id))
		}
	}
	s.upsert(items...)
	s.write(events...)
	events = events[:0]
	for i := range 7 {
		events = append(events, view(fmt.Sprint("hit", i), fmt.Sprint("v", i), "late-hit"))
	}
	list := s.recommend(&kindredv1.RecommendRequest{MinWriteToken: s.write(events...).WriteToken})
	if list.Items[0].ItemId != "late-hit" {
		t.Errorf("the most popular item is not in front: %v", ids(list.Items))
	}
}

func TestNoDecisionOutlivesItsPerson(t *testing.T) {
	s := start(t)
	s.upsert(shelf()...)
	for i := range 100 {
		who := user(fmt.Sprint("u", i))
		token := s.write(view(fmt.Sprint(i), who.UserId, "pen-1")).WriteToken
		s.recommend(&kindredv1.RecommendRequest{Subject: who, MinWriteToken: token})
		must(s.profiles.EraseProfile(ctx(t), &kindredv1.EraseProfileRequest{Subject: who}))
	}
	for _, d := range s.decisions() {
		if d.UserNumber != 0 {
			t.Fatalf("a decision about an erased person is kept: %v", d.RecommendationId)
		}
	}
}
