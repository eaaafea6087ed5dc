package api

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/auth"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
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
			CachedProfiles: st.Profiles, MemoryBytes: st.MemoryBytes, Events: st.Events, DecisionsDropped: st.DecisionsDropped, RankingsReused: st.RankingsReused,
			Index: indexToWire(&st.Index), Encoding: encodingToWire(&st.Encoding),
			ServingModel: string(st.Models.Serving), PromotedModel: string(st.Models.Promoted), ModelFault: printable(st.Models.Fault),
			Training: s.trainingToWire(name), Kept: keptToWire(sh.Kept()),
		},
	}, nil
}

func keptToWire(list []shop.KeptStatus) (out []*kindredv1.KeptStatus) {
	for _, k := range list {
		out = append(out, &kindredv1.KeptStatus{
			Kind: k.Kind, Removed: k.Removed, OldestTime: stampOf(k.Oldest), KeptFor: lengthOf(k.For), LookTime: stampOf(k.Looked),
		})
	}
	return out
}

func encodingToWire(e *shop.EncodingStatus) *kindredv1.EncodingStatus {
	return &kindredv1.EncodingStatus{
		Encoder: e.Encoder, Immediate: e.Immediate, QueuedItems: e.Queued, RefusedItems: e.Refused,
		EncodedTexts: e.Encoded, ReusedTexts: e.Reused, TextsPerSecond: e.TextsPerSecond,
		Failing: e.Failing, NextTryTime: stampOf(e.NextTry), Failures: e.Failures,
		LastError: printable(e.LastError), LastErrorTime: stampOf(e.LastErrorTime), Bridged: e.Bridged, FilledItems: e.Filled,
	}
}

func indexToWire(x *shop.IndexStatus) *kindredv1.IndexStatus {
	return &kindredv1.IndexStatus{
		Engine: string(x.Engine), Storage: x.Storage, Items: x.Items, MemoryBytes: x.Bytes, MappedBytes: x.MappedBytes,
		Effort: int32(x.Effort), Recall: x.Recall, RecallK: int32(x.RecallK), RecallCheckTime: stampOf(x.RecallTime), RecallLow: x.RecallLow,
		SnapshotTime: stampOf(x.SnapshotTime), RestoredTime: stampOf(x.RestoredTime), RepairedItems: x.Repaired,
		BuildingEngine: string(x.Building), BuildingProgress: x.Progress,
	}
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
