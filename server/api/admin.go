package api

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/auth"
	"github.com/kindred-rec/kindred/server/record"
)

type adminService struct {
	kindredv1.UnimplementedAdminServiceServer
	*Server
}

// scope returns the tenant that a call is about: the caller's, or another one if
// the caller is an admin of the default tenant.
func (s *Server) scope(ctx context.Context, name string) (string, error) {
	p, err := caller(ctx)
	if err != nil {
		return "", err
	}
	if name == "" || name == p.Tenant {
		return p.Tenant, nil
	}
	return name, operator(p)
}

// operator refuses whoever is no admin of the default tenant. The words are the
// same whether the tenant asked for exists or not.
func operator(p auth.Principal) error {
	if p.Tenant == auth.DefaultTenant && p.Role == record.RoleAdmin {
		return nil
	}
	return status.Error(codes.PermissionDenied, "other tenants are for admins of the tenant \"default\"")
}

func (s *adminService) CreateTenant(ctx context.Context, req *kindredv1.CreateTenantRequest) (*kindredv1.CreateTenantResponse, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := operator(p); err != nil {
		return nil, err
	}
	t, faults := tenantFromWire(req.GetTenant())
	if err := faulty("tenant", append(faults, t.Validate()...)); err != nil {
		return nil, err
	}
	made, err := s.Tenants.Create(ctx, t)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.CreateTenantResponse{Tenant: tenantToWire(&made)}, nil
}

func (s *adminService) GetTenant(ctx context.Context, req *kindredv1.GetTenantRequest) (*kindredv1.GetTenantResponse, error) {
	name, err := s.scope(ctx, req.Name)
	if err != nil {
		return nil, err
	}
	sh, err := s.Tenants.Get(name)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	settings, st := sh.Settings(), sh.Status()
	return &kindredv1.GetTenantResponse{
		Tenant: tenantToWire(&settings),
		Status: &kindredv1.TenantStatus{
			Items: st.Items, EncodedItems: st.Encoded, LogHead: int64(st.Head.Seq), LogApplied: int64(st.Applied.Seq),
			Generation: st.Generation, Encoder: st.Encoder, VectorDimension: int32(st.Dim), IndexEngine: st.Engine,
			CachedProfiles: st.Profiles, MemoryBytes: st.MemoryBytes, Events: st.Events, DecisionsDropped: st.DecisionsDropped,
		},
	}, nil
}

func (s *adminService) ListTenants(ctx context.Context, _ *kindredv1.ListTenantsRequest) (*kindredv1.ListTenantsResponse, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := operator(p); err != nil {
		return nil, err
	}
	resp := &kindredv1.ListTenantsResponse{}
	for _, t := range s.Tenants.List() {
		resp.Tenants = append(resp.Tenants, tenantToWire(&t))
	}
	return resp, nil
}

func (s *adminService) UpdateTenant(ctx context.Context, req *kindredv1.UpdateTenantRequest) (*kindredv1.UpdateTenantResponse, error) {
	change, faults := tenantFromWire(req.GetTenant())
	name, err := s.scope(ctx, change.Name)
	if err != nil {
		return nil, err
	}
	change.Name = name
	if err := faulty("tenant", append(faults, change.Validate()...)); err != nil {
		return nil, err
	}
	t, err := s.Tenants.Update(ctx, change)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.UpdateTenantResponse{Tenant: tenantToWire(&t)}, nil
}

func (s *adminService) RefreshGeneration(ctx context.Context, _ *kindredv1.RefreshGenerationRequest) (*kindredv1.RefreshGenerationResponse, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	begin := s.Now()
	if err := sh.Refresh(ctx); err != nil {
		return nil, s.statusOf(ctx, err)
	}
	st := sh.Status()
	return &kindredv1.RefreshGenerationResponse{
		Generation: st.Generation, Items: st.Items, EncodedItems: st.Encoded, Duration: durationpb.New(s.Now().Sub(begin)),
	}, nil
}

// roleNames holds the domain name of each role: "frontend" for ROLE_FRONTEND.
var roleNames = map[kindredv1.Role]record.Role{
	kindredv1.Role_ROLE_FRONTEND:  record.RoleFrontend,
	kindredv1.Role_ROLE_MERCHANT:  record.RoleMerchant,
	kindredv1.Role_ROLE_SCIENTIST: record.RoleScientist,
	kindredv1.Role_ROLE_ADMIN:     record.RoleAdmin,
}

func (s *adminService) CreateKey(ctx context.Context, req *kindredv1.CreateKeyRequest) (*kindredv1.CreateKeyResponse, error) {
	role, ok := roleNames[req.Role]
	if !ok {
		return nil, invalid(violation{"role", "is not set: use ROLE_FRONTEND, ROLE_MERCHANT, ROLE_SCIENTIST or ROLE_ADMIN"})
	}
	if len(req.Name) > record.MaxID {
		return nil, invalid(violation{"name", fmt.Sprintf("is %d bytes, at most %d are taken", len(req.Name), record.MaxID)})
	}
	tenant, err := s.scope(ctx, req.Tenant)
	if err != nil {
		return nil, err
	}
	if _, err := s.Tenants.Get(tenant); err != nil {
		return nil, s.statusOf(ctx, err)
	}
	key, secret, err := s.Keys.Create(ctx, tenant, role, req.Name, s.Now())
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.CreateKeyResponse{Key: keyToWire(&key), Secret: secret}, nil
}

func (s *adminService) ListKeys(ctx context.Context, req *kindredv1.ListKeysRequest) (*kindredv1.ListKeysResponse, error) {
	tenant, err := s.scope(ctx, req.Tenant)
	if err != nil {
		return nil, err
	}
	resp := &kindredv1.ListKeysResponse{}
	for _, k := range s.Keys.List(tenant) {
		resp.Keys = append(resp.Keys, keyToWire(&k))
	}
	return resp, nil
}

func (s *adminService) RevokeKey(ctx context.Context, req *kindredv1.RevokeKeyRequest) (*kindredv1.RevokeKeyResponse, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	key, ok := s.Keys.Get(req.Id)
	if !ok || key.Tenant != p.Tenant && operator(p) != nil {
		return nil, status.Errorf(codes.NotFound, "key %q: not found", printable(req.Id))
	}
	key, err = s.Keys.Revoke(ctx, req.Id, s.Now())
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.RevokeKeyResponse{Key: keyToWire(&key)}, nil
}

func keyToWire(k *record.Key) *kindredv1.Key {
	w := &kindredv1.Key{Id: k.ID, Tenant: k.Tenant, Name: k.Name, CreateTime: stampOf(k.Created), RevokeTime: stampOf(k.Revoked)}
	for wire, role := range roleNames {
		if role == k.Role {
			w.Role = wire
		}
	}
	return w
}

func tenantFromWire(w *kindredv1.Tenant) (record.Tenant, []record.Violation) {
	var faults []record.Violation
	t := record.Tenant{Name: w.GetName(), Currency: w.GetCurrencyCode(), Retention: w.GetRetention().AsDuration()}
	switch w.GetClock() {
	case kindredv1.Clock_CLOCK_WALL:
		t.Clock = record.ClockWall
	case kindredv1.Clock_CLOCK_LOG:
		t.Clock = record.ClockLog
	case kindredv1.Clock_CLOCK_UNSPECIFIED:
	default:
		faults = append(faults, record.Violation{Field: "clock", Description: fmt.Sprintf("%d is no clock of this version", w.GetClock())})
	}
	for _, e := range w.GetEventTypes() {
		t.EventTypes = append(t.EventTypes, record.EventType{Name: e.GetName(), Weight: e.GetWeight(), NeedsItem: e.GetNeedsItem()})
	}
	for _, f := range w.GetSurfaces() {
		t.Surfaces = append(t.Surfaces, record.Surface{
			Name: f.GetName(), Limit: f.GetLimit(), Seen: f.GetSeenPolicy(), Diversity: f.GetDiversity(), Filter: f.GetFilter(),
		})
	}
	for _, a := range w.GetAttributes() {
		// One that this version does not know is no kind, which Validate names.
		t.Attributes = append(t.Attributes, record.Attribute{Name: a.GetName(), Kind: domainKinds[a.GetKind()], List: a.GetList()})
	}
	return t, faults
}

// domainKinds holds the domain kind of each attribute kind.
var domainKinds = map[kindredv1.AttributeKind]record.Kind{
	kindredv1.AttributeKind_ATTRIBUTE_KIND_STRING: record.KindString,
	kindredv1.AttributeKind_ATTRIBUTE_KIND_NUMBER: record.KindNumber,
	kindredv1.AttributeKind_ATTRIBUTE_KIND_BOOL:   record.KindBool,
	kindredv1.AttributeKind_ATTRIBUTE_KIND_TIME:   record.KindTime,
}

func kindToWire(kind record.Kind) kindredv1.AttributeKind {
	for wire, k := range domainKinds {
		if k == kind {
			return wire
		}
	}
	return kindredv1.AttributeKind_ATTRIBUTE_KIND_UNSPECIFIED
}

func tenantToWire(t *record.Tenant) *kindredv1.Tenant {
	w := &kindredv1.Tenant{
		Name: t.Name, CreateTime: stampOf(t.Created), CurrencyCode: t.Currency, Clock: kindredv1.Clock_CLOCK_WALL,
		Retention: durationpb.New(t.Retention),
	}
	if t.Retention == 0 {
		w.Retention = durationpb.New(record.DefaultRetention)
	}
	if t.Clock == record.ClockLog {
		w.Clock = kindredv1.Clock_CLOCK_LOG
	}
	for _, e := range t.EventTypes {
		w.EventTypes = append(w.EventTypes, &kindredv1.EventTypeSettings{Name: e.Name, Weight: e.Weight, NeedsItem: e.NeedsItem})
	}
	for _, f := range t.Surfaces {
		w.Surfaces = append(w.Surfaces, &kindredv1.SurfaceSettings{
			Name: f.Name, Limit: f.Limit, SeenPolicy: f.Seen, Diversity: f.Diversity, Filter: f.Filter,
		})
	}
	for _, a := range t.Attributes {
		w.Attributes = append(w.Attributes, &kindredv1.AttributeDeclaration{Name: a.Name, Kind: kindToWire(a.Kind), List: a.List})
	}
	return w
}

func (s *adminService) ExportEvents(req *kindredv1.ExportEventsRequest, stream kindredv1.AdminService_ExportEventsServer) error {
	ctx := stream.Context()
	if req.Limit < 0 {
		return invalid(violation{"limit", fmt.Sprintf("is %d: give 1 or more, or 0 for all", req.Limit)})
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return err
	}
	after, err := sh.ParseToken(req.AfterWriteToken)
	if err != nil {
		return s.statusOf(ctx, named(err, "after_write_token"))
	}
	page := &kindredv1.ExportEventsResponse{}
	flush := func() error {
		if len(page.Events) == 0 {
			return nil
		}
		err := stream.Send(page)
		page = &kindredv1.ExportEventsResponse{}
		return err
	}
	err = sh.ExportEvents(after, req.Limit, func(at record.Token, e *record.Event) error {
		page.Events = append(page.Events, eventToWire(e))
		page.WriteToken = sh.FormatToken(at)
		if len(page.Events) == maxRows {
			return flush()
		}
		return ctx.Err()
	})
	if err != nil {
		return s.statusOf(ctx, err)
	}
	return flush()
}

// decisionsPerMessage keeps an export message well under the message limit.
const decisionsPerMessage = 100

func (s *adminService) ExportDecisions(req *kindredv1.ExportDecisionsRequest, stream kindredv1.AdminService_ExportDecisionsServer) error {
	ctx := stream.Context()
	bounds := map[string]*timestamppb.Timestamp{"from_time": req.FromTime, "until_time": req.UntilTime}
	for _, f := range badTimes(bounds) {
		return invalid(violation(struct{ field, description string }{f.Field, f.Description}))
	}
	sh, err := s.shop(ctx)
	if err != nil {
		return err
	}
	until := timeOf(req.UntilTime)
	if until.IsZero() {
		until = s.Now()
	}
	page := &kindredv1.ExportDecisionsResponse{}
	flush := func() error {
		if len(page.Decisions) == 0 {
			return nil
		}
		err := stream.Send(page)
		page = &kindredv1.ExportDecisionsResponse{}
		return err
	}
	err = sh.ExportDecisions(timeOf(req.FromTime), until, func(d *record.Decision) error {
		page.Decisions = append(page.Decisions, &kindredv1.Decision{
			RecommendationId: d.ID, Time: stampOf(d.Time), UserNumber: d.UserNumber, Surface: d.Surface,
			ContextItemIds: d.Context, Policy: d.Policy, Generation: d.Generation, Seed: d.Seed,
			Tier: strings.ToLower(d.Tier), ProfileToken: sh.FormatToken(d.Profile), Candidates: d.Candidates,
			Items: shownToWire(sh.ItemID, d.Items), Losers: shownToWire(sh.ItemID, d.Losers), FeatureNames: d.FeatureNames,
		})
		if len(page.Decisions) == decisionsPerMessage {
			return flush()
		}
		return ctx.Err()
	})
	if err != nil {
		return s.statusOf(ctx, err)
	}
	return flush()
}

func shownToWire(id func(uint32) string, shown []record.Shown) []*kindredv1.ShownItem {
	list := make([]*kindredv1.ShownItem, len(shown))
	for i, sh := range shown {
		list[i] = &kindredv1.ShownItem{
			ItemId: id(sh.Item), Score: float64(sh.Score), Propensity: float64(sh.Propensity), Features: sh.Features,
		}
	}
	return list
}
