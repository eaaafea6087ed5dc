package storetest

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/server/record"
)

// fullPolicy has every field.
func fullPolicy(at time.Time) record.Policy {
	return record.Policy{
		Name: "calm", Version: 4, Created: at, By: "k", Note: "n", Seen: record.SeenKeep, Diversity: 0, HasDiversity: true,
		Caps: []record.PolicyCap{{Label: record.LabelBrand, Most: 2, Within: 10}},
		Rules: []record.PolicyRule{
			{
				Name: "pin", Condition: "in_stock", Item: "i1", Surfaces: []string{"home"}, From: at, Until: at.Add(time.Hour),
				Action: record.RulePin, Slot: 3,
			},
			{Name: "cap", Condition: "true", Action: record.RuleDailyCap, PerDay: 7},
			{Name: "share", Condition: "true", Action: record.RuleReserve, Share: 0.25},
			{Name: "boost", Condition: "true", Action: record.RuleBoost, Factor: 2},
		},
		Temperature: 0.5, NewItems: record.NewItems{Share: 0.1, MaxAge: time.Hour, MaxImpressions: 9, Method: record.NewByUCB},
		Fatigue: record.Fatigue{Weight: 1, HalfLife: time.Hour}, KeepVariants: true,
	}
}

func testTenants[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	full := record.Tenant{
		Name: "books", Currency: "EUR", Clock: record.ClockLog, Retention: 50 * 24 * time.Hour, RemovalShare: 0.5,
		Kept:       record.Kept{Decisions: time.Hour, Lists: time.Minute, Vectors: 2 * time.Hour, Audit: 31 * 24 * time.Hour, CatalogBefore: 3 * time.Hour},
		EventTypes: []record.EventType{{Name: "wish", Weight: -1.5, NeedsItem: true}},
		Surfaces:   []record.Surface{{Name: "home", Limit: 5, Seen: record.SeenKeep, Diversity: 0.5, Filter: "in_stock", Policy: "calm"}},
		Attributes: []record.Attribute{{Name: "pages", Kind: record.KindNumber, List: true}},
		Policies:   []record.Policy{fullPolicy(f.now), {Name: "calm", Version: 5, Deleted: true}},
		Experiments: []record.Experiment{{
			Name: "tea", Revision: 2, Updated: f.now, By: "k", Note: "n", Salt: "s", Surfaces: []string{"home"}, Layer: "l",
			LayerFrom: 0.25, LayerUntil: 0.5, Start: f.now, End: f.now.Add(time.Hour), Status: record.ExperimentRunning,
			Excluded: []string{"ann"}, Spans: []record.Span{{From: 0, Until: 9, Variant: "a"}},
			Variants: []record.Variant{{Name: "a", Policy: "calm", Share: 0.5, Users: []string{"bob"}}},
		}},
	}
	created, err := f.store.CreateTenant(t.Context(), full)
	if err != nil {
		t.Fatal(err)
	}
	want := full
	want.Number, want.Created = created.Number, f.now
	if d := cmp.Diff(want, created); d != "" || created.Number == 0 || created.Number == f.tenant.Settings().Number {
		t.Errorf("created as number %d:\n%s", created.Number, d)
	}
	if _, err := f.store.CreateTenant(t.Context(), full); !errors.Is(err, record.ErrExists) {
		t.Errorf("the same name again: %v", err)
	}
	for _, name := range []string{"", "Books", "-x"} {
		if _, err := f.store.CreateTenant(t.Context(), record.Tenant{Name: name}); !errors.Is(err, record.ErrInvalid) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if _, err := f.store.UpdateTenant(t.Context(), record.Tenant{Name: "none"}); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("update of none: %v", err)
	}
	if _, err := f.store.Tenant("none"); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("tenant of none: %v", err)
	}
	want.Currency = "USD"
	if _, err := f.store.UpdateTenant(t.Context(), record.Tenant{
		Name: "books", Currency: "USD", Clock: full.Clock, Retention: full.Retention, RemovalShare: full.RemovalShare, Kept: full.Kept,
		EventTypes: full.EventTypes, Surfaces: full.Surfaces, Attributes: full.Attributes,
		Policies: full.Policies, Experiments: full.Experiments,
	}); err != nil {
		t.Fatal(err)
	}
	f.restart()
	all, err := f.store.Tenants(t.Context())
	if err != nil || len(all) != 2 || all[1].Name != "shop" || cmp.Diff(want, all[0]) != "" {
		t.Errorf("tenants: %v\n%s", err, cmp.Diff(want, all))
	}
	books, err := f.store.Tenant("books")
	if err != nil {
		t.Fatal(err)
	}
	// The same ids in both: nothing crosses.
	f.write(of(f.event("e", "ann", "i1")), row(record.Item{ID: "i1", Title: "Pen"}))
	f.writeTo(books, row(record.Item{ID: "i0"}), row(record.Item{ID: "i1", Title: "Book"}), of(f.event("e", "ann", "i1")), eraseUser("ann"))
	if got := f.history(f.number("ann", "")); len(got) != 1 {
		t.Errorf("an erase in another tenant left %v", got)
	}
	if it, n, err := f.tenant.Item("i1"); err != nil || it.Title != "Pen" || n != 0 {
		t.Errorf("item %q number %d, %v", it.Title, n, err)
	}
	if it, n, err := books.Item("i1"); err != nil || it.Title != "Book" || n != 1 {
		t.Errorf("item %q number %d, %v", it.Title, n, err)
	}
	if n := len(f.log(0)); n != 2 {
		t.Errorf("the log holds %d entries", n)
	}
}

func testKeys[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	f.create(record.Tenant{Name: "books"})
	a := record.Key{
		ID: "ka", Tenant: "shop", Role: record.RoleFrontend, Name: "web", Hash: [32]byte{1, 31: 9}, Created: f.now,
		Rotated: f.now.Add(time.Minute), Prior: [32]byte{2, 31: 8}, PriorUntil: f.now.Add(2 * time.Hour),
		Origins: []string{"https://shop.example"}, Quota: record.Quota{Requests: 1.5, Events: 20, Bytes: 1 << 20},
	}
	b := record.Key{ID: "kb", Tenant: "books", Role: record.RoleAdmin, Created: f.now}
	for _, k := range []record.Key{b, a} {
		if err := f.store.PutKey(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	a.Revoked = f.now.Add(time.Hour)
	if err := f.store.PutKey(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if err := f.store.PutKey(t.Context(), record.Key{ID: "kc", Tenant: "none"}); !errors.Is(err, record.ErrNotFound) {
		t.Errorf("a key of no tenant: %v", err)
	}
	if err := f.store.PutKey(t.Context(), record.Key{Tenant: "shop"}); !errors.Is(err, record.ErrInvalid) {
		t.Errorf("a key without an id: %v", err)
	}
	f.restart()
	for tenant, want := range map[string][]record.Key{"": {a, b}, "shop": {a}, "books": {b}, "none": nil} {
		got, err := f.store.Keys(t.Context(), tenant)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("keys of %q: %v\n%s", tenant, err, d)
		}
	}
}

func testRestart[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	own := f.event("s", "", "i2")
	own.Session = "s1"
	f.write(of(f.event("a", "ann", "i1")), of(own), row(record.Item{ID: "i1", Title: "Pen"}), merge("s1", "ann"),
		of(f.event("b", "bob", "i1")), eraseUser("bob"))
	secret, head, ann, log := f.store.Secret(), f.tenant.Head(), f.number("ann", ""), f.log(0)
	if secret == [32]byte{} {
		t.Error("the secret is none")
	}
	f.restart()
	if f.store.Secret() != secret || f.tenant.Head() != head || f.number("ann", "") != ann {
		t.Errorf("secret, head %v or number changed", f.tenant.Head())
	}
	if d := cmp.Diff(log, f.log(0)); d != "" {
		t.Errorf("the log:\n%s", d)
	}
	f.put(record.Unchanged, of(f.event("a", "ann", "i1")))
	if o := f.put(record.Added, of(f.event("c", "ann", "i3"))); o.Seq != head.Seq+1 {
		t.Errorf("after place %d came %d", head.Seq, o.Seq)
	}
	if n, _ := f.tenant.ItemNumber("i3"); n != 2 {
		t.Errorf("the third item has number %d", n)
	}
	// The last place is not given again even if its row is gone.
	f.put(record.Removed, record.Mutation{Erase: &record.Erase{User: "ann"}})
	head = f.tenant.Head()
	f.restart()
	if o := f.put(record.Added, of(f.event("d", "cid", "i1"))); o.Seq <= head.Seq {
		t.Errorf("after place %d came %d", head.Seq, o.Seq)
	}
}

func testClosed[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	var box inbox
	if _, err := f.tenant.Follow(0, box.take); err != nil {
		t.Fatal(err)
	}
	f.put(record.Added, of(f.event("a", "ann", "i1")))
	f.stop()
	if err := f.store.Close(); err != nil {
		t.Errorf("the second close: %v", err)
	}
	_, _, appended := f.tenant.Append(t.Context(), []record.Mutation{of(f.event("b", "ann", "i1"))})
	_, _, item := f.tenant.Item("i1")
	_, history := f.tenant.History(1, 0, 1)
	_, follow := f.tenant.Follow(0, box.take)
	_, dry := f.tenant.DryRun(t.Context(), nil)
	for what, err := range map[string]error{
		"append": appended, "item": item, "history": history, "follow": follow, "dry run": dry,
		"scan":       f.tenant.ScanLog(0, func(record.Entry) error { return nil }),
		"vectors":    f.tenant.PutVectors(record.ModelHash{}, make([]record.TextHash, 1), []float32{1}),
		"decisions":  f.tenant.PutDecisions([]record.Decision{{ID: record.NewDecisionID(f.now, 1), Time: f.now}}),
		"checkpoint": f.tenant.PutCheckpoint("c", 1, func(w io.Writer) error { _, err := w.Write([]byte{1}); return err }),
		"key":        f.store.PutKey(t.Context(), record.Key{ID: "k", Tenant: "shop"}),
	} {
		if !errors.Is(err, record.ErrClosed) {
			t.Errorf("%s on a closed store: %v", what, err)
		}
	}
	f.start()
}
