package service

import (
	"context"
	"log/slog"
	"net"
	"runtime/debug"

	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// recovery turns a panic of one call into INTERNAL for that call, with its stack in
// the log. Others go on.
type recovery struct{ log *slog.Logger }

func (r *recovery) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer r.recover(ctx, info.FullMethod, &err)
	return next(ctx, req)
}

func (r *recovery) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer r.recover(ss.Context(), info.FullMethod, &err)
	return next(srv, ss)
}

func (r *recovery) recover(ctx context.Context, method string, err *error) {
	if cause := recover(); cause != nil {
		r.log.ErrorContext(ctx, "panic in a call", "method", method, "cause", cause, "stack", string(debug.Stack()))
		*err = status.Error(codes.Internal, "internal error; the service's log has the cause")
	}
}

// limitConnections bounds the connections that are open at once; further ones wait
// in the kernel's queue.
func limitConnections(l net.Listener, n int) net.Listener { return netutil.LimitListener(l, n) }
