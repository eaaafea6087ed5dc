package api

import (
	"context"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/auth"
	"github.com/kindred-rec/kindred/server/internal/pause"
	"github.com/kindred-rec/kindred/server/quota"
)

// Quotas keeps callers within their quotas. It stands behind the first step of auth.Gate.
//
// [Quotas.Ahead] refuses most of what is past a quota before its message is read; the interceptors know the whole message and
// decide. A unary call past a quota is refused with RESOURCE_EXHAUSTED, RetryInfo and QuotaFailure. A
// message of a client's stream waits for its turn instead: the flow control of the connection
// carries that back to the client, which cannot know a quota in the midst of a file.
type Quotas struct {
	Keeper *quota.Keeper
}

// Unary is the interceptor of unary calls.
func (q Quotas) Unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if p, ok := auth.From(ctx); ok {
		place, over := q.Keeper.Enter(p)
		if over != nil {
			return nil, over.Answer(exceeded)
		}
		defer place.Leave()
		if over := q.Keeper.Take(p, q.cost(p, req)); over != nil {
			return nil, over.Answer(exceeded)
		}
	}
	return next(ctx, req)
}

// Stream is the interceptor of streams.
func (q Quotas) Stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if p, ok := auth.From(ss.Context()); ok {
		place, over := q.Keeper.Enter(p)
		if over != nil {
			return over.Answer(exceeded)
		}
		defer place.Leave()
		ss = &quotaStream{ServerStream: ss, quotas: q, caller: p, waits: info.IsClientStream}
	}
	return next(srv, ss)
}

// rowMethods are the unary methods whose messages hold rows or events.
var rowMethods = map[string]bool{
	kindredv1.EventService_WriteEvents_FullMethodName: true, kindredv1.CatalogService_UpsertItems_FullMethodName: true,
	kindredv1.CatalogService_PatchItems_FullMethodName: true, kindredv1.CatalogService_DeleteItems_FullMethodName: true,
}

// Ahead returns the refusal of a call whose message has not come, nil if there is none yet. It takes nothing: Unary and
// Stream ask again. clientStream says that the caller sends several messages, which wait for their turn.
func (q Quotas) Ahead(p auth.Principal, method string, clientStream bool) error {
	if over := q.Keeper.Full(p); over != nil {
		return over.Answer(exceeded)
	}
	if clientStream {
		return nil
	}
	cost := quota.Cost{Requests: 1, Bytes: 1}
	if rowMethods[method] {
		cost.Events = 1
	}
	if over := q.Keeper.Ahead(p, cost); over != nil {
		return over.Answer(exceeded)
	}
	return nil
}

type quotaStream struct {
	grpc.ServerStream
	quotas Quotas
	caller auth.Principal
	waits  bool
}

// RecvMsg receives a message and holds it back until it is within the quotas.
func (s *quotaStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	cost := s.quotas.cost(s.caller, m)
	for {
		over := s.quotas.Keeper.Take(s.caller, cost)
		if over == nil {
			return nil
		}
		if !s.waits {
			return over.Answer(exceeded)
		}
		if err := pause.For(s.Context(), over.Wait); err != nil {
			return status.FromContextError(err).Err()
		}
	}
}

// cost is what a message takes.
func (q Quotas) cost(p auth.Principal, m any) quota.Cost {
	c := quota.Cost{Requests: 1}
	switch r := m.(type) {
	case *kindredv1.WriteEventsRequest:
		c.Events = len(r.Events)
	case *kindredv1.StreamEventsRequest:
		c.Events = len(r.Events)
	case *kindredv1.UpsertItemsRequest:
		c.Events = len(r.Items)
	case *kindredv1.ImportItemsRequest:
		c.Events = len(r.GetItems().GetItems())
	case *kindredv1.PatchItemsRequest:
		c.Events = len(r.Patches)
	case *kindredv1.DeleteItemsRequest:
		c.Events = len(r.Ids)
	}
	if msg, ok := m.(proto.Message); ok && q.Keeper.CountsBytes(p) {
		c.Bytes = proto.Size(msg)
	}
	return c
}

func exceeded(over *quota.Exceeded) error {
	return detailed(codes.ResourceExhausted, over.Error(),
		&errdetails.RetryInfo{RetryDelay: durationpb.New(over.Wait)},
		&errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{{
			Subject: over.Subject, Description: boundOf(over),
		}}})
}

// boundOf is a quota and its bound in few words.
func boundOf(over *quota.Exceeded) string {
	if over.Name == quota.Calls {
		return fmt.Sprintf("%s: %g", over.Name, over.Rate)
	}
	return fmt.Sprintf("%s: %g a second", over.Name, over.Rate)
}
