package api

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/audit"
)

// audited names the methods that are administrative acts: they change what others are served
// or who may do what, take data out, or end it.
var audited = map[string][]string{
	"AdminService": {
		"CreateTenant", "UpdateTenant", "CreateKey", "RevokeKey", "RotateKey", "RefreshGeneration", "ExportEvents", "ExportDecisions",
		"ReloadConfiguration",
	},
	"CatalogService":    {"RollbackCatalog"},
	"PolicyService":     {"PutPolicy", "DeletePolicy"},
	"ExperimentService": {"PutExperiment", "DeleteExperiment"},
	"ModelService":      {"UploadModel", "DownloadModel", "PromoteModel", "RollbackModel"},
	"ProfileService":    {"EraseProfile", "ExportProfile"},
	"OperationsService": {"Backup", "Compact"},
}

// Audited returns the full names of the methods whose calls are in the audit log.
func Audited() map[string]bool {
	names := map[string]bool{}
	for service, methods := range audited {
		for _, m := range methods {
			names["/kindred.v1."+service+"/"+m] = true
		}
	}
	return names
}

var isAudited = Audited()

// Auditor writes administrative acts into the audit log, those that are refused for the
// caller's role as well. It stands between the two steps of auth.Gate: the caller is known,
// and what the role says is an outcome. An act that cannot be written is refused with
// UNAVAILABLE before it is done.
type Auditor struct {
	Audit *audit.Log
	Now   func() time.Time
	Log   *slog.Logger
}

// Unary is the interceptor of unary calls.
func (a Auditor) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !isAudited[info.FullMethod] {
		return next(ctx, req)
	}
	act, err := a.begin(ctx, info.FullMethod, targetOf(req))
	if err != nil {
		return nil, err
	}
	// A panic goes on to Recovery, and the act stands without an outcome: it is not known.
	resp, err := next(ctx, req)
	act.end(ctx, err)
	return resp, err
}

// Stream is the interceptor of streams. The act begins with the first message.
func (a Auditor) Stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if !isAudited[info.FullMethod] {
		return next(srv, ss)
	}
	s := &auditedStream{ServerStream: ss, auditor: a, method: info.FullMethod}
	err := next(srv, s)
	if s.act == nil && status.Code(err) == codes.PermissionDenied {
		if s.act, _ = a.begin(ss.Context(), info.FullMethod, ""); s.act == nil {
			return err // refused in any case; begin has logged why it is not written
		}
	}
	if s.act != nil {
		s.act.end(ss.Context(), err)
	}
	return err
}

type auditedStream struct {
	grpc.ServerStream
	auditor Auditor
	method  string
	act     *act // nil: no message yet
}

func (s *auditedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil || s.act != nil {
		return err
	}
	var err error
	s.act, err = s.auditor.begin(s.Context(), s.method, targetOf(m))
	return err
}

// act is one that has begun.
type act struct {
	auditor Auditor
	tenant  string
	id      int64
	at      time.Time
}

func (a Auditor) begin(ctx context.Context, method, target string) (*act, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	e := audit.Entry{Time: a.Now(), Tenant: p.Tenant, KeyID: p.KeyID, Role: p.Role, Method: method, Target: target}
	if e.KeyID == "" {
		e.KeyID = "open"
	}
	if from, ok := peer.FromContext(ctx); ok {
		e.Peer = from.Addr.String()
	}
	id, err := a.Audit.Begin(e)
	if err != nil {
		a.Log.ErrorContext(ctx, "audit log not written: the act is refused", "method", method, "error", err)
		return nil, status.Error(codes.Unavailable, "the audit log cannot be written, so nothing was done; the service's log says why")
	}
	return &act{auditor: a, tenant: p.Tenant, id: id, at: e.Time}, nil
}

func (a *act) end(ctx context.Context, err error) {
	code := status.Code(err).String()
	if err := a.auditor.Audit.End(a.tenant, a.id, code, a.auditor.Now().Sub(a.at)); err != nil {
		a.auditor.Log.ErrorContext(ctx, "outcome not written to the audit log", "id", a.id, "code", code, "error", err)
	}
}

// targetOf says what a request is about, without ids of users and sessions.
func targetOf(req any) string {
	switch r := req.(type) {
	case *kindredv1.CreateTenantRequest:
		return "tenant " + r.Tenant.GetName()
	case *kindredv1.UpdateTenantRequest:
		return "tenant " + cmp.Or(r.Tenant.GetName(), "of the caller")
	case *kindredv1.CreateKeyRequest:
		return fmt.Sprintf("key %q of role %s, tenant %s", r.Name, roleNames[r.Role], cmp.Or(r.Tenant, "of the caller"))
	case *kindredv1.RevokeKeyRequest:
		return "key " + r.Id
	case *kindredv1.RotateKeyRequest:
		return fmt.Sprintf("key %s, overlap %v", r.Id, r.Overlap.AsDuration())
	case *kindredv1.PutPolicyRequest:
		if r.DryRun {
			return "dry run of policy " + r.Policy.GetName()
		}
		return "policy " + r.Policy.GetName()
	case *kindredv1.DeletePolicyRequest:
		return "policy " + r.Name
	case *kindredv1.PutExperimentRequest:
		return "experiment " + r.Experiment.GetName()
	case *kindredv1.DeleteExperimentRequest:
		return "experiment " + r.Name
	case *kindredv1.ReloadConfigurationRequest:
		if r.DryRun {
			return "dry run of the settings"
		}
		return "settings"
	case *kindredv1.DownloadModelRequest:
		return "model " + r.Hash
	case *kindredv1.PromoteModelRequest:
		if r.Force {
			return "model " + r.Hash + ", by force"
		}
		return "model " + r.Hash
	}
	return ""
}

const (
	auditPage    = 100
	maxAuditPage = 1000
)

func (s *adminService) ListAudit(ctx context.Context, req *kindredv1.ListAuditRequest) (*kindredv1.ListAuditResponse, error) {
	tenant, err := s.scope(ctx, req.Tenant)
	if err != nil {
		return nil, err
	}
	switch {
	case req.Limit < 0 || req.Limit > maxAuditPage:
		return nil, invalid(violation{"limit", fmt.Sprintf("is %d, 0 to %d are possible", req.Limit, maxAuditPage)})
	case req.BeforeId < 0:
		return nil, invalid(violation{"before_id", fmt.Sprintf("is %d: give next_before_id of a reply, or 0", req.BeforeId)})
	}
	if _, err := s.Tenants.Get(tenant); err != nil {
		return nil, s.statusOf(ctx, err)
	}
	limit := int(req.Limit)
	if limit == 0 {
		limit = auditPage
	}
	entries, next, err := s.Audit.List(tenant, req.BeforeId, limit)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	resp := &kindredv1.ListAuditResponse{NextBeforeId: next}
	for i := range entries {
		resp.Entries = append(resp.Entries, auditToWire(&entries[i]))
	}
	return resp, nil
}

func auditToWire(e *audit.Entry) *kindredv1.AuditEntry {
	w := &kindredv1.AuditEntry{
		Id: e.ID, Time: stampOf(e.Time), Tenant: e.Tenant, KeyId: printable(e.KeyID), Method: printable(e.Method), Target: printable(e.Target),
		Code: e.Code, Duration: durationpb.New(e.Duration), Peer: printable(e.Peer),
	}
	for wire, role := range roleNames {
		if role == e.Role {
			w.Role = wire
		}
	}
	return w
}
