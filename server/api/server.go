package api

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/audit"
	"github.com/kindred-rec/kindred/server/auth"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
	"github.com/kindred-rec/kindred/server/training/schedule"
)

// Server holds what the handlers need. All fields but Training, Bounds and Reload are required.
type Server struct {
	Tenants *shop.Registry
	Keys    *auth.Keyring
	Audit   *audit.Log
	Now     func() time.Time
	Log     *slog.Logger
	// EraseWithin is the time within which what was erased leaves the disk.
	EraseWithin time.Duration
	// Training says how scheduled training of a tenant goes; false: nothing is trained.
	Training func(tenant string) (schedule.Status, bool)
	// Bounds are limits of requests; the zero value has the contract's. Register puts them within it.
	Bounds Bounds
	// Reload reads the settings again; nil: there are none to read.
	Reload Reload
}

// Register adds the services to a gRPC server.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	s.Bounds = s.Bounds.withinContract()
	kindredv1.RegisterCatalogServiceServer(r, &catalogService{Server: s})
	kindredv1.RegisterEventServiceServer(r, &eventService{Server: s})
	kindredv1.RegisterRecommendationServiceServer(r, &recommendationService{Server: s})
	kindredv1.RegisterProfileServiceServer(r, &profileService{Server: s})
	kindredv1.RegisterAdminServiceServer(r, &adminService{Server: s})
	kindredv1.RegisterModelServiceServer(r, &modelService{Server: s})
	kindredv1.RegisterPolicyServiceServer(r, &policyService{Server: s})
	kindredv1.RegisterExperimentServiceServer(r, &experimentService{Server: s})
}

// Roles says which roles beside admin may call each method. A method that is
// not named is for admins alone.
func Roles() map[string][]record.Role {
	const (
		frontend, merchant, scientist, browser = record.RoleFrontend, record.RoleMerchant, record.RoleScientist, record.RoleBrowser
	)
	roles := map[string][]record.Role{}
	allow := func(service string, methods []string, who ...record.Role) {
		for _, m := range methods {
			roles["/kindred.v1."+service+"/"+m] = who
		}
	}
	allow("CatalogService", []string{"UpsertItems", "ImportItems", "PatchItems", "DeleteItems", "RollbackCatalog"}, merchant)
	allow("CatalogService", []string{"GetItem", "ListItems", "GetExposure", "CatalogHealth"}, merchant, scientist)
	allow("EventService", []string{"StreamEvents"}, frontend)
	allow("EventService", []string{"WriteEvents"}, frontend, browser)
	allow("RecommendationService", []string{"Recommend"}, frontend, scientist, browser)
	allow("RecommendationService", []string{"SimilarItems", "SearchItems", "RankItems", "Explain", "RecommendBulk"}, frontend, scientist)
	allow("RecommendationService", []string{"Reproduce"}, scientist)
	// Whoever may hide every item may say what is shown first.
	allow("PolicyService", []string{"PutPolicy", "GetPolicy", "ListPolicies", "DeletePolicy", "TryPolicy"}, merchant, scientist)
	allow("ExperimentService", []string{"PutExperiment", "GetExperiment", "ListExperiments", "DeleteExperiment"}, scientist)
	allow("ProfileService", []string{"UpsertProfile", "MergeProfiles", "EraseProfile"}, frontend)
	allow("ProfileService", []string{"GetProfile", "ListEvents", "ExportProfile"}, frontend, scientist)
	allow("AdminService", []string{"GetTenant", "ExportEvents", "ExportDecisions"}, scientist)
	allow("ModelService", []string{
		"ListModels", "GetModel", "UploadModel", "DownloadModel", "EvaluateModel", "PromoteModel", "RollbackModel",
	}, scientist)
	return roles
}

// caller returns who calls; every method that reaches a handler passed the gate.
func caller(ctx context.Context) (auth.Principal, error) {
	p, ok := auth.From(ctx)
	if !ok {
		return p, status.Error(codes.Internal, "the call reached a handler without passing the gate")
	}
	return p, nil
}

// shop returns the tenant of the caller.
func (s *Server) shop(ctx context.Context) (*shop.Shop, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	sh, err := s.Tenants.Get(p.Tenant)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return sh, nil
}
