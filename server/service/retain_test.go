package service_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
)

// keptBy waits until a look at what is kept came after a change, and returns it by kind.
func (s *shop) keptBy(done func(map[string]*kindredv1.KeptStatus) bool) map[string]*kindredv1.KeptStatus {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		kinds := map[string]*kindredv1.KeptStatus{}
		for _, k := range must(s.admin.GetTenant(ctx(s.t), &kindredv1.GetTenantRequest{})).Status.Kept {
			kinds[k.Kind] = k
		}
		if done(kinds) {
			return kinds
		}
	}
	s.t.Fatal("what is too old does not go")
	return nil
}

func TestATenantSaysHowLongWhatIsKept(t *testing.T) {
	const day = 24 * time.Hour
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	s := start(t, func(c *service.Config) {
		c.EraseWithin, c.HTTP = 2*time.Second, "127.0.0.1:0"
		c.Store.Now, c.Shop.Now = now, now
	})
	s.upsert(shelf()...)
	must(s.importItems(&kindredv1.ImportOptions{ImportId: "spring", Mode: replace, ConfirmRemoval: proto.Int64(1)}, shelf()[:11]...))
	old := func(i int) *kindredv1.Event {
		e := view(fmt.Sprint("old-", i), "ann", "pen-1")
		e.Time = timestamppb.New(time.Now().Add(-20 * day))
		return e
	}
	for i := range 10 {
		s.write(old(i), view(fmt.Sprint("new-", i), "bob", "pen-2"))
	}
	young := view("a", "ann", "garden-1")
	s.write(young, view("b", "ann", "garden-2"))
	s.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), Limit: 3})

	update := func(tenant *kindredv1.Tenant) error {
		_, err := s.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: tenant})
		return err
	}
	for field, kept := range map[string]*kindredv1.KeptSettings{
		"tenant.kept.decisions":      {Decisions: durationpb.New(time.Second)},
		"tenant.kept.page_lists":     {PageLists: durationpb.New(25 * time.Hour)},
		"tenant.kept.unused_vectors": {UnusedVectors: durationpb.New(time.Minute)},
		"tenant.kept.audit":          {Audit: durationpb.New(29 * day)},
		"tenant.kept.catalog_before": {CatalogBefore: durationpb.New(-time.Hour)},
	} {
		refused(t, update(&kindredv1.Tenant{Kept: kept}), field)
	}
	ahead.Store(int64(15 * day))
	for _, change := range []*kindredv1.Tenant{
		{Retention: durationpb.New(30 * day), Kept: &kindredv1.KeptSettings{Decisions: durationpb.New(2 * day)}},
		{Kept: &kindredv1.KeptSettings{CatalogBefore: durationpb.New(day), Audit: durationpb.New(60 * day)}},
	} {
		if err := update(change); err != nil {
			t.Fatal(err)
		}
	}
	settings := must(s.admin.GetTenant(ctx(t), &kindredv1.GetTenantRequest{})).Tenant.Kept
	if settings.Decisions.AsDuration() != 2*day || settings.CatalogBefore.AsDuration() != day || settings.PageLists != nil {
		t.Errorf("settings %v: one change took another's", settings)
	}
	kinds := s.keptBy(func(k map[string]*kindredv1.KeptStatus) bool {
		return k["events"].GetRemoved() > 0 && k["decisions"].GetRemoved() > 0 && k["catalog_before"].GetRemoved() > 0
	})
	if e := kinds["events"]; e.Removed != 10 || e.KeptFor.AsDuration() != 30*day || e.OldestTime.AsTime().Before(time.Now().Add(-day)) {
		t.Errorf("events: %v", e)
	}
	if kinds["audit"].Removed != 0 || kinds["audit"].OldestTime == nil || kinds["decisions"].OldestTime != nil || kinds["catalog_before"].OldestTime != nil {
		t.Errorf("kinds %v", kinds)
	}
	contains(t, get(t, "http://"+s.service.HTTPAddr()+"/metrics"), `kindred_tenant_expired_rows_total{kind="events",tenant="default"} 10`)
	// What is gone is gone everywhere, and what comes again is refused by name.
	if got := len(s.exported()); got != 12 {
		t.Errorf("%d events are left, want 12", got)
	}
	reply := must(s.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{old(3), young}}))
	if len(reply.Errors) != 1 || reply.Errors[0].Row != 0 || reply.Duplicates != 1 {
		t.Errorf("what went is taken again: %v", reply)
	} else {
		contains(t, reply.Errors[0].String(), "retention")
	}
	_, err := s.RollbackCatalog(ctx(t), &kindredv1.RollbackCatalogRequest{})
	code(t, err, codes.FailedPrecondition)
	// A start comes to the same.
	ask := &kindredv1.RecommendRequest{Subject: user("ann"), Limit: 6, Seed: 5}
	before := ids(s.recommend(ask).Items)
	s.restart()
	if after := ids(s.recommend(ask).Items); len(before) == 0 || !slices.Equal(before, after) {
		t.Errorf("after a restart %v is shown, before it %v", after, before)
	}
}
