package service_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/demo"
	"github.com/kindred-rec/kindred/server/service"
	shops "github.com/kindred-rec/kindred/server/shop"
)

// upload sends the small simulated shop and waits until it serves.
func (s *shop) upload() *demo.Shop {
	s.t.Helper()
	small := demo.Small(time.Now())
	up, err := demo.Upload(ctx(s.t), s.conn, small)
	if err != nil {
		s.t.Fatal(err)
	}
	if up.Items != int64(len(small.Items)) || up.Events != int64(len(small.Events)) {
		s.t.Fatalf("uploaded %d items and %d events of %d and %d", up.Items, up.Events, len(small.Items), len(small.Events))
	}
	s.applied(up.WriteToken)
	return small
}

// answers asks many things whose answers rest on all that is kept in memory.
func (s *shop) answers(small *demo.Shop) []string {
	s.t.Helper()
	var got []string
	add := func(what string, items []*kindredv1.RecommendedItem) {
		line := what + ":"
		for _, it := range items {
			line += fmt.Sprintf(" %s %.9g", it.ItemId, it.Score)
		}
		got = append(got, line)
	}
	at := small.Events[len(small.Events)-1].Time
	for _, u := range small.Users[:12] {
		add(u.ID, s.recommend(&kindredv1.RecommendRequest{Subject: user(u.ID), Limit: 20, Seed: 1, AsOf: at}).Items)
		profile := must(s.profiles.GetProfile(ctx(s.t), &kindredv1.GetProfileRequest{Subject: user(u.ID)}))
		got = append(got, fmt.Sprint(u.ID, profile.RecentEvents, profile.HasVector))
	}
	for i := 0; i < len(small.Items); i += 40 {
		id := small.Items[i].Id
		add("similar to "+id, must(s.SimilarItems(ctx(s.t), &kindredv1.SimilarItemsRequest{ItemId: id, Limit: 8})).Items)
		add("together with "+id, must(s.SimilarItems(ctx(s.t), &kindredv1.SimilarItemsRequest{
			ItemId: id, Limit: 8, Relation: kindredv1.Relation_RELATION_BOUGHT_TOGETHER,
		})).Items)
	}
	add("popular", s.recommend(&kindredv1.RecommendRequest{Limit: 50, AsOf: at}).Items)
	st := must(s.admin.GetTenant(ctx(s.t), &kindredv1.GetTenantRequest{})).Status
	got = append(got, fmt.Sprint("items ", st.Items, " encoded ", st.EncodedItems, " events ", st.Events, " head ", st.LogHead))
	return got
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Errorf("%s: %d answers, want %d, at least one", what, len(got), len(want))
		return
	}
	for i := range want {
		g, w := strings.Fields(got[i]), strings.Fields(want[i])
		for k := range max(len(g), len(w)) {
			if k >= len(g) || k >= len(w) || g[k] != w[k] {
				t.Errorf("%s, %s differs at word %d:\n got %v\nwant %v", what, w[0], k, g[min(k, len(g)):min(k+8, len(g))], w[min(k, len(w)):min(k+8, len(w))])
				return
			}
		}
	}
}

func TestEverythingComesBackAfterARestart(t *testing.T) {
	s := start(t, func(c *service.Config) { c.Shop.CheckpointEvery = 300 })
	must(s.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{
		Clock: kindredv1.Clock_CLOCK_LOG, Surfaces: []*kindredv1.SurfaceSettings{{Name: "home", Limit: 3}},
		EventTypes: []*kindredv1.EventTypeSettings{{Name: "wish", Weight: 2, NeedsItem: true}},
	}}))
	small := s.upload()
	patched := small.Items[0].Id
	must(s.PatchItems(ctx(t), &kindredv1.PatchItemsRequest{Patches: []*kindredv1.ItemPatch{
		{Id: patched, Hidden: true, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"hidden"}}},
	}}))
	must(s.DeleteItems(ctx(t), &kindredv1.DeleteItemsRequest{Ids: []string{small.Items[1].Id}}))
	wish := act("wish", small.Users[0].ID, 0, small.Items[2].Id)
	wish.CustomType, wish.Time = "wish", small.Events[0].Time
	s.applied(s.write(wish).WriteToken)

	// How rare labels are is counted now and then; a new generation counts as a start does.
	must(s.admin.RefreshGeneration(ctx(t), &kindredv1.RefreshGenerationRequest{}))
	before := s.answers(small)
	settings := must(s.admin.GetTenant(ctx(t), &kindredv1.GetTenantRequest{})).Tenant
	s.restart() // counters from their checkpoint
	same(t, "after a restart from the checkpoint", s.answers(small), before)
	if got := must(s.admin.GetTenant(ctx(t), &kindredv1.GetTenantRequest{})).Tenant; !proto.Equal(got, settings) {
		t.Errorf("settings %v, want %v", got, settings)
	}
	if got := must(s.GetItem(ctx(t), &kindredv1.GetItemRequest{Id: patched})); !got.Item.Hidden || got.UnservableReason != "hidden" {
		t.Errorf("the patch is gone: %v", got)
	}
	if n := len(s.recommend(&kindredv1.RecommendRequest{Surface: "home"}).Items); n != 3 {
		t.Errorf("the surface is gone: %d items", n)
	}
	again, err := demo.Upload(ctx(t), s.conn, small)
	if err != nil || again.Events != 0 {
		t.Errorf("the same events again: %v %v", again, err)
	}
}

func TestRestartFromTheLogAloneEqualsOneFromTheCheckpoint(t *testing.T) {
	s := start(t)
	small := s.upload()
	want := s.answers(small)
	// A copy of the directory under a running service is what a crash leaves: no
	// checkpoint was written yet.
	crashed := s.config
	crashed.Data = t.TempDir()
	if err := os.CopyFS(crashed.Data, os.DirFS(s.config.Data)); err != nil {
		t.Fatal(err)
	}
	replayed := &shop{config: crashed}
	replayed.run(t)
	defer replayed.stop()
	same(t, "from the log alone", replayed.answers(small), want)
	s.restart()
	same(t, "from the checkpoint", s.answers(small), want)
}

func TestRefreshWhileWritingLosesNothing(t *testing.T) {
	for _, engine := range []shops.Engine{shops.Flat, shops.HNSW} {
		t.Run(string(engine), func(t *testing.T) { refreshWhileWriting(t, engine) })
	}
}

func refreshWhileWriting(t *testing.T, engine shops.Engine) {
	s := start(t, withIndex(func(c *shops.IndexConfig) { c.Engine = engine }))
	small := s.upload()
	stop := make(chan struct{})
	var writing sync.WaitGroup
	written := make([][]string, 3)
	for w := range written {
		writing.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprint("fresh-", w, "-", i)
				if _, err := s.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: []*kindredv1.Item{item(id, "Brass candle holder", "Home > Candles")}}); err != nil {
					t.Error(err)
					return
				}
				if i%3 == 2 {
					must(s.DeleteItems(ctx(t), &kindredv1.DeleteItemsRequest{Ids: []string{id}}))
				} else {
					written[w] = append(written[w], id)
				}
				if _, err := s.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{view("e"+id, "u", id)}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	generation := ""
	for range 6 {
		reply := must(s.admin.RefreshGeneration(ctx(t), &kindredv1.RefreshGenerationRequest{}))
		if reply.Generation == generation {
			t.Error("the generation did not change")
		}
		generation = reply.Generation
	}
	close(stop)
	writing.Wait()
	s.upsert(item("last", "Brass candle holder", "Home > Candles"))
	st := must(s.admin.GetTenant(ctx(t), &kindredv1.GetTenantRequest{})).Status
	kept := len(slices.Concat(written...))
	if want := int64(len(small.Items) + kept + 1); st.Items != want || st.EncodedItems != want || st.Index.Items != want || st.Generation != generation {
		t.Errorf("status %v, want %d items, all encoded, by %s", st, want, generation)
	}
	found := must(s.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{Query: "brass candle holder", Limit: int32(min(1000, kept+1))})).Items
	for _, id := range slices.Concat(written...) {
		if kept < 1000 && !has(found, id) {
			t.Errorf("%s was written during a refresh and is not found", id)
		}
	}
	if list := s.recommend(&kindredv1.RecommendRequest{}); list.Info.Generation != generation {
		t.Errorf("answered by %s", list.Info.Generation)
	}
}
