package service_test

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
)

// operate makes a key for the operator, restarts so that keys are asked for, and
// returns a client that has it.
func (s *shop) operate() *client {
	s.t.Helper()
	key := must(s.admin.CreateKey(ctx(s.t), &kindredv1.CreateKeyRequest{Role: kindredv1.Role_ROLE_ADMIN}))
	s.restart()
	return dial(s.t, s.service.Addr(), key.Secret)
}

// as returns a client of the caller of c to the service as it runs now.
func (s *shop) as(c *client) *client { return dial(s.t, s.service.Addr(), c.key) }

// tenant makes a tenant and returns a client of its admin.
func (s *shop) tenant(operator *client, name string, role kindredv1.Role) *client {
	s.t.Helper()
	_, err := operator.admin.CreateTenant(ctx(s.t), &kindredv1.CreateTenantRequest{Tenant: &kindredv1.Tenant{Name: name}})
	if err != nil && role == kindredv1.Role_ROLE_ADMIN {
		s.t.Fatal(err)
	}
	key := must(operator.admin.CreateKey(ctx(s.t), &kindredv1.CreateKeyRequest{Tenant: name, Role: role}))
	return dial(s.t, s.service.Addr(), key.Secret)
}

func TestTenantsSeeNothingOfEachOther(t *testing.T) {
	s := start(t)
	op := s.operate()
	a, b := s.tenant(op, "alpha", kindredv1.Role_ROLE_ADMIN), s.tenant(op, "beta", kindredv1.Role_ROLE_ADMIN)
	token := a.upsert(shelf()...)
	a.applied(a.write(view("1", "u", "pen-1"), view("2", "u", "pen-2")).WriteToken)
	page := a.recommend(&kindredv1.RecommendRequest{Subject: user("u"), Limit: 2, Paginate: true})
	b.upsert(item("theirs", "Gel pen, black", "Office"))

	if list := b.recommend(&kindredv1.RecommendRequest{Subject: user("u"), ContextItemIds: []string{"pen-1"}, Limit: 50}); len(list.Items) != 1 || list.Tier != kindredv1.Tier_TIER_POPULAR {
		t.Errorf("beta is shown %v from %v", ids(list.Items), list.Tier)
	}
	_, err := b.GetItem(ctx(t), &kindredv1.GetItemRequest{Id: "pen-1"})
	code(t, err, codes.NotFound)
	if n := len(must(b.ListItems(ctx(t), &kindredv1.ListItemsRequest{})).Items); n != 1 {
		t.Errorf("beta lists %d items", n)
	}
	if n := len(b.exported()); n != 0 {
		t.Errorf("beta exports %d events", n)
	}
	for _, d := range b.decisions() {
		for _, it := range d.Items {
			if it.ItemId != "theirs" {
				t.Errorf("beta exports a decision with %s", it.ItemId)
			}
		}
	}
	_, err = b.profiles.GetProfile(ctx(t), &kindredv1.GetProfileRequest{Subject: user("u")})
	code(t, err, codes.NotFound)
	_, err = b.profiles.EraseProfile(ctx(t), &kindredv1.EraseProfileRequest{Subject: user("u")})
	code(t, err, codes.NotFound)
	_, err = b.Recommend(ctx(t), &kindredv1.RecommendRequest{Subject: user("u"), PageToken: page.NextPageToken})
	refused(t, err, "page_token")
	_, err = b.Recommend(ctx(t), &kindredv1.RecommendRequest{MinWriteToken: token})
	refused(t, err, "min_write_token")
	stream, err := b.admin.ExportEvents(ctx(t), &kindredv1.ExportEventsRequest{AfterWriteToken: token})
	if err == nil {
		_, err = stream.Recv()
	}
	refused(t, err, "after_write_token")
	_, err = b.profiles.ListEvents(ctx(t), &kindredv1.ListEventsRequest{Subject: user("u"), PageToken: token})
	refused(t, err, "page_token")
	if n := len(must(b.SearchItems(ctx(t), &kindredv1.SearchItemsRequest{Query: "gel pen"})).Items); n != 1 {
		t.Errorf("beta finds %d items", n)
	}
	if r := must(b.DeleteItems(ctx(t), &kindredv1.DeleteItemsRequest{Ids: []string{"pen-1"}})); r.Counts.Removed != 0 {
		t.Error("beta removed an item of alpha")
	}
	// The same event id is another event there.
	if r := b.write(view("1", "u", "theirs")); r.Added != 1 {
		t.Errorf("beta's event 1: %v", r)
	}
	for _, name := range []string{"alpha", "nowhere"} {
		_, err = b.admin.GetTenant(ctx(t), &kindredv1.GetTenantRequest{Name: name})
		code(t, err, codes.PermissionDenied)
	}
	_, err = b.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{Tenant: "alpha", Role: kindredv1.Role_ROLE_ADMIN})
	code(t, err, codes.PermissionDenied)
	_, err = b.admin.ListTenants(ctx(t), &kindredv1.ListTenantsRequest{})
	code(t, err, codes.PermissionDenied)
	_, err = b.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{Name: "alpha"}})
	code(t, err, codes.PermissionDenied)
	keys := must(a.admin.ListKeys(ctx(t), &kindredv1.ListKeysRequest{})).Keys
	_, err = b.admin.RevokeKey(ctx(t), &kindredv1.RevokeKeyRequest{Id: keys[0].Id})
	code(t, err, codes.NotFound)
	s.restart()
	op = dial(t, s.service.Addr(), "")
	_, err = op.ListItems(ctx(t), &kindredv1.ListItemsRequest{})
	code(t, err, codes.Unauthenticated)
}

func TestRolesMayDoTheirPartAlone(t *testing.T) {
	s := start(t)
	op := s.operate()
	admin := s.tenant(op, "shop", kindredv1.Role_ROLE_ADMIN)
	admin.upsert(shelf()...)
	frontend := s.tenant(op, "shop", kindredv1.Role_ROLE_FRONTEND)
	merchant := s.tenant(op, "shop", kindredv1.Role_ROLE_MERCHANT)
	scientist := s.tenant(op, "shop", kindredv1.Role_ROLE_SCIENTIST)
	past := timestamppb.Now()
	for _, c := range []struct {
		why  string
		call func(*client) error
		may  []*client
		not  []*client
	}{
		{"recommend", func(c *client) error { _, err := c.Recommend(ctx(t), &kindredv1.RecommendRequest{}); return err },
			[]*client{frontend, scientist, admin}, []*client{merchant}},
		{"recommend as of", func(c *client) error {
			_, err := c.Recommend(ctx(t), &kindredv1.RecommendRequest{AsOf: past})
			return err
		}, []*client{scientist, admin}, []*client{frontend}},
		{"rank as of", func(c *client) error {
			_, err := c.RankItems(ctx(t), &kindredv1.RankItemsRequest{AsOf: past, ItemIds: []string{"a"}})
			return err
		}, []*client{scientist}, []*client{frontend}},
		{"explain as of", func(c *client) error {
			_, err := c.Explain(ctx(t), &kindredv1.ExplainRequest{Request: &kindredv1.RecommendRequest{AsOf: past}, ItemIds: []string{"a"}})
			return err
		}, []*client{scientist}, []*client{frontend}},
		{"events", func(c *client) error {
			_, err := c.WriteEvents(ctx(t), &kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{view("", "u", "pen-1")}})
			return err
		}, []*client{frontend, admin}, []*client{merchant, scientist}},
		{"catalog", func(c *client) error {
			_, err := c.UpsertItems(ctx(t), &kindredv1.UpsertItemsRequest{Items: shelf()})
			return err
		}, []*client{merchant, admin}, []*client{frontend, scientist}},
		{"settings", func(c *client) error {
			_, err := c.admin.UpdateTenant(ctx(t), &kindredv1.UpdateTenantRequest{Tenant: &kindredv1.Tenant{}})
			return err
		}, []*client{admin}, []*client{frontend, merchant, scientist}},
	} {
		for i, who := range c.may {
			if err := c.call(who); err != nil {
				t.Errorf("%s, allowed caller %d: %v", c.why, i, err)
			}
		}
		for _, who := range c.not {
			code(t, c.call(who), codes.PermissionDenied)
		}
	}
}

func TestKeyIsCheckedUntilItIsRevoked(t *testing.T) {
	s := start(t)
	op := s.operate()
	if s.service.Open() {
		t.Error("a service with a key says that it needs none")
	}
	made := must(op.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{Role: kindredv1.Role_ROLE_FRONTEND, Name: "web"}))
	web := dial(t, s.service.Addr(), made.Secret)
	if _, err := web.Recommend(ctx(t), &kindredv1.RecommendRequest{}); err != nil {
		t.Fatal(err)
	}
	must(op.admin.RevokeKey(ctx(t), &kindredv1.RevokeKeyRequest{Id: made.Key.Id}))
	_, err := web.Recommend(ctx(t), &kindredv1.RecommendRequest{})
	code(t, err, codes.Unauthenticated)
	_, err = s.Recommend(ctx(t), &kindredv1.RecommendRequest{}) // no key
	code(t, err, codes.Unauthenticated)
	if r, err := healthpb.NewHealthClient(s.conn).Check(ctx(t), &healthpb.HealthCheckRequest{}); err != nil || r.Status != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health without a key: %v %v", r, err)
	}
	_, err = op.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{})
	refused(t, err, "role")
	_, err = op.admin.CreateTenant(ctx(t), &kindredv1.CreateTenantRequest{Tenant: &kindredv1.Tenant{Name: "default"}})
	code(t, err, codes.AlreadyExists)
}

func TestServeRefusesBeyondLoopbackWithoutKeys(t *testing.T) {
	s := start(t)
	s.stop()
	open := s.config
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0"} {
		open.GRPC = addr
		svc, err := service.Start(ctx(t), open)
		if !errors.Is(err, service.ErrNoKeys) {
			t.Errorf("%s: got %v, want ErrNoKeys", addr, err)
		}
		if err == nil {
			svc.Stop()
		}
	}
	s.run(t)
	s.operate()
	s.stop()
	open.GRPC, open.Plaintext = "0.0.0.0:0", true
	svc, err := service.Start(ctx(t), open)
	if err != nil {
		t.Fatalf("with a key: %v", err)
	}
	defer svc.Stop()
	_, err = dial(t, fmt.Sprint("127.0.0.1", svc.Addr()[len("[::]"):]), "").Recommend(ctx(t), &kindredv1.RecommendRequest{})
	code(t, err, codes.Unauthenticated)
	open.GRPC = "nonsense"
	if _, err := service.Start(ctx(t), open); err == nil {
		t.Error("an address without a port is taken")
	}
}
