package api

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/auth"
	"github.com/kindred-rec/kindred/server/record"
)

// roleNames holds the domain name of each role: "frontend" for ROLE_FRONTEND.
var roleNames = map[kindredv1.Role]record.Role{
	kindredv1.Role_ROLE_FRONTEND:  record.RoleFrontend,
	kindredv1.Role_ROLE_MERCHANT:  record.RoleMerchant,
	kindredv1.Role_ROLE_SCIENTIST: record.RoleScientist,
	kindredv1.Role_ROLE_ADMIN:     record.RoleAdmin,
	kindredv1.Role_ROLE_BROWSER:   record.RoleBrowser,
}

func (s *adminService) CreateKey(ctx context.Context, req *kindredv1.CreateKeyRequest) (*kindredv1.CreateKeyResponse, error) {
	draft := record.Key{Role: roleNames[req.Role], Name: req.Name, Origins: req.Origins, Quota: quotaFromWire(req.Quota)}
	if draft.Role == "" {
		return nil, invalid(violation{"role", "is not set: use ROLE_FRONTEND, ROLE_MERCHANT, ROLE_SCIENTIST, ROLE_ADMIN or ROLE_BROWSER"})
	}
	if faults := auth.Check(draft); len(faults) > 0 {
		list := make([]violation, len(faults))
		for i, f := range faults {
			list[i] = violation{f.Field, f.Description}
		}
		return nil, invalid(list...)
	}
	tenant, err := s.scope(ctx, req.Tenant)
	if err != nil {
		return nil, err
	}
	if _, err := s.Tenants.Get(tenant); err != nil {
		return nil, s.statusOf(ctx, err)
	}
	draft.Tenant = tenant
	key, secret, err := s.Keys.Create(ctx, draft, s.Now())
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
	if err := s.ownsKey(ctx, req.Id); err != nil {
		return nil, err
	}
	key, err := s.Keys.Revoke(ctx, req.Id, s.Now())
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.RevokeKeyResponse{Key: keyToWire(&key)}, nil
}

func (s *adminService) RotateKey(ctx context.Context, req *kindredv1.RotateKeyRequest) (*kindredv1.RotateKeyResponse, error) {
	if err := s.ownsKey(ctx, req.Id); err != nil {
		return nil, err
	}
	if err := req.Overlap.CheckValid(); req.Overlap != nil && err != nil {
		return nil, invalid(violation{"overlap", "is no valid duration: " + err.Error()})
	}
	if d := req.Overlap.AsDuration(); d < 0 || d > auth.MaxOverlap {
		return nil, invalid(violation{"overlap", fmt.Sprintf("is %v, 0 to %v are possible", d, auth.MaxOverlap)})
	}
	key, secret, err := s.Keys.Rotate(ctx, req.Id, req.Overlap.AsDuration(), s.Now())
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	return &kindredv1.RotateKeyResponse{Key: keyToWire(&key), Secret: secret}, nil
}

// ownsKey refuses a key that is not the caller's tenant's. The words are the same whether
// another tenant has it or none.
func (s *Server) ownsKey(ctx context.Context, id string) error {
	p, err := caller(ctx)
	if err != nil {
		return err
	}
	key, ok := s.Keys.Get(id)
	if !ok || key.Tenant != p.Tenant && operator(p) != nil {
		return status.Errorf(codes.NotFound, "key %.80q: not found", printable(id))
	}
	return nil
}

func quotaFromWire(w *kindredv1.Quota) record.Quota {
	return record.Quota{Requests: w.GetRequests(), Events: w.GetEvents(), Bytes: w.GetBytes()}
}

func quotaToWire(q record.Quota) *kindredv1.Quota {
	if q == (record.Quota{}) {
		return nil
	}
	return &kindredv1.Quota{Requests: q.Requests, Events: q.Events, Bytes: q.Bytes}
}

func keyToWire(k *record.Key) *kindredv1.Key {
	w := &kindredv1.Key{Id: k.ID, Tenant: k.Tenant, Name: k.Name, CreateTime: stampOf(k.Created), RevokeTime: stampOf(k.Revoked),
		RotateTime: stampOf(k.Rotated), PriorSecretUntil: stampOf(k.PriorUntil), Origins: k.Origins, Quota: quotaToWire(k.Quota)}
	for wire, role := range roleNames {
		if role == k.Role {
			w.Role = wire
		}
	}
	return w
}
