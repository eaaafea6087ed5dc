package main

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/durationpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/audit"
	"github.com/kindred-rec/kindred/server/record"
)

// remoteKeys asks a running service.
type remoteKeys struct {
	conn   *grpc.ClientConn
	client kindredv1.AdminServiceClient
	key    string
}

func (r *remoteKeys) authorized(ctx context.Context) context.Context {
	if r.key == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+r.key)
}

func (r *remoteKeys) create(ctx context.Context, draft record.Key) (record.Key, string, error) {
	req := &kindredv1.CreateKeyRequest{
		Tenant: draft.Tenant, Role: kindredv1.Role(kindredv1.Role_value["ROLE_"+strings.ToUpper(string(draft.Role))]),
		Name: draft.Name, Origins: draft.Origins,
	}
	if q := draft.Quota; q != (record.Quota{}) {
		req.Quota = &kindredv1.Quota{Requests: q.Requests, Events: q.Events, Bytes: q.Bytes}
	}
	resp, err := r.client.CreateKey(r.authorized(ctx), req)
	if err != nil {
		return record.Key{}, "", err
	}
	return keyFromWire(resp.Key), resp.Secret, nil
}

func (r *remoteKeys) list(ctx context.Context, tenant string) ([]record.Key, error) {
	resp, err := r.client.ListKeys(r.authorized(ctx), &kindredv1.ListKeysRequest{Tenant: tenant})
	if err != nil {
		return nil, err
	}
	var keys []record.Key
	for _, k := range resp.Keys {
		keys = append(keys, keyFromWire(k))
	}
	return keys, nil
}

func (r *remoteKeys) rotate(ctx context.Context, id string, overlap time.Duration) (record.Key, string, error) {
	resp, err := r.client.RotateKey(r.authorized(ctx), &kindredv1.RotateKeyRequest{Id: id, Overlap: durationpb.New(overlap)})
	if err != nil {
		return record.Key{}, "", err
	}
	return keyFromWire(resp.Key), resp.Secret, nil
}

func (r *remoteKeys) audit(ctx context.Context, tenant string, before int64, limit int) ([]audit.Entry, int64, error) {
	resp, err := r.client.ListAudit(r.authorized(ctx), &kindredv1.ListAuditRequest{Tenant: tenant, BeforeId: before, Limit: int32(limit)})
	if err != nil {
		return nil, 0, err
	}
	entries := make([]audit.Entry, len(resp.Entries))
	for i, e := range resp.Entries {
		entries[i] = audit.Entry{
			ID: e.Id, Time: e.Time.AsTime(), Tenant: e.Tenant, KeyID: e.KeyId, Role: roleFromWire(e.Role), Method: e.Method,
			Target: e.Target, Peer: e.Peer, Code: e.Code, Duration: e.Duration.AsDuration(),
		}
	}
	return entries, resp.NextBeforeId, nil
}

func (r *remoteKeys) revoke(ctx context.Context, id string) (record.Key, error) {
	resp, err := r.client.RevokeKey(r.authorized(ctx), &kindredv1.RevokeKeyRequest{Id: id})
	if err != nil {
		return record.Key{}, err
	}
	return keyFromWire(resp.Key), nil
}

func (r *remoteKeys) Close() error { return r.conn.Close() }

func keyFromWire(w *kindredv1.Key) record.Key {
	k := record.Key{
		ID: w.GetId(), Tenant: w.GetTenant(), Name: w.GetName(), Created: w.GetCreateTime().AsTime(), Role: roleFromWire(w.GetRole()),
		Origins: w.GetOrigins(),
	}
	if w.GetRevokeTime() != nil {
		k.Revoked = w.GetRevokeTime().AsTime()
	}
	if w.GetPriorSecretUntil() != nil {
		k.PriorUntil = w.GetPriorSecretUntil().AsTime()
	}
	return k
}

// roleFromWire is empty for a role that is not set.
func roleFromWire(w kindredv1.Role) record.Role {
	if w == kindredv1.Role_ROLE_UNSPECIFIED {
		return ""
	}
	return record.Role(strings.ToLower(strings.TrimPrefix(w.String(), "ROLE_")))
}
