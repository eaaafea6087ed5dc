package api

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/auth"
	"github.com/kindred-rec/kindred/server/limit"
	"github.com/kindred-rec/kindred/server/record"
)

// CallClasses are the classes of calls whose number under way is bounded for each tenant: rank (lists but those of Recommend,
// which has permits of its own and is answered past them), write (rows, events and profiles), read (one row, or a page of them),
// and scan (what goes over much of a log or a catalog).
var CallClasses = []string{"rank", "write", "read", "scan"}

// classOf is the class of a method by full name. What has none takes no permit: Recommend, streams that clients keep open, and
// administrative acts.
var classOf = map[string]string{
	kindredv1.RecommendationService_SimilarItems_FullMethodName: "rank", kindredv1.RecommendationService_SearchItems_FullMethodName: "rank",
	kindredv1.RecommendationService_RankItems_FullMethodName: "rank", kindredv1.RecommendationService_Explain_FullMethodName: "rank",

	kindredv1.EventService_WriteEvents_FullMethodName: "write", kindredv1.CatalogService_UpsertItems_FullMethodName: "write",
	kindredv1.CatalogService_PatchItems_FullMethodName: "write", kindredv1.CatalogService_DeleteItems_FullMethodName: "write",
	kindredv1.ProfileService_UpsertProfile_FullMethodName: "write", kindredv1.ProfileService_MergeProfiles_FullMethodName: "write",

	kindredv1.CatalogService_GetItem_FullMethodName: "read", kindredv1.CatalogService_ListItems_FullMethodName: "read",
	kindredv1.ProfileService_GetProfile_FullMethodName: "read", kindredv1.ProfileService_ListEvents_FullMethodName: "read",

	kindredv1.RecommendationService_RecommendBulk_FullMethodName: "scan", kindredv1.RecommendationService_Reproduce_FullMethodName: "scan",
	kindredv1.CatalogService_GetExposure_FullMethodName: "scan", kindredv1.CatalogService_CatalogHealth_FullMethodName: "scan",
	kindredv1.PolicyService_TryPolicy_FullMethodName: "scan", kindredv1.ModelService_EvaluateModel_FullMethodName: "scan",
	kindredv1.AdminService_ExportEvents_FullMethodName: "scan", kindredv1.AdminService_ExportDecisions_FullMethodName: "scan",
	kindredv1.ProfileService_ExportProfile_FullMethodName: "scan",
}

// Permits bounds the calls of a tenant under way, class by class. A call without a permit is refused at once, with
// RESOURCE_EXHAUSTED, RetryInfo and the name of the bound. It stands behind Quotas.
type Permits struct {
	Classes *limit.Classes
}

// Unary is the interceptor of unary calls.
func (p Permits) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	l, err := p.acquire(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	if l != nil {
		begin := time.Now()
		defer func() { l.Release(time.Since(begin)) }()
	}
	return next(ctx, req)
}

// Stream is the interceptor of streams.
func (p Permits) Stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	l, err := p.acquire(ss.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	if l != nil {
		begin := time.Now()
		defer func() { l.Release(time.Since(begin)) }()
	}
	return next(srv, ss)
}

// acquire returns the limiter to release, nil where the method has no bound.
func (p Permits) acquire(ctx context.Context, method string) (*limit.Limiter, error) {
	class, has := classOf[method]
	caller, known := auth.From(ctx)
	if !has || !known {
		return nil, nil
	}
	l, ok := p.Classes.Acquire(caller.Tenant, class)
	if !ok {
		return nil, overloaded(fmt.Errorf("tenant %s has %d calls of class %s under way, as many as may be (call-permits): %w",
			caller.Tenant, l.Now(), class, record.ErrOverloaded))
	}
	return l, nil
}
