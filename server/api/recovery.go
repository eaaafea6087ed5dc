package api

import (
	"context"
	"log/slog"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Recovery turns a panic of one call into INTERNAL for that call, with its stack in the
// log. Others go on. Of names what serves, for the caller: "service", "worker".
type Recovery struct {
	Log *slog.Logger
	Of  string
}

// Unary is the interceptor of unary calls.
func (r Recovery) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer r.recover(ctx, info.FullMethod, &err)
	return next(ctx, req)
}

// Stream is the interceptor of streams.
func (r Recovery) Stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer r.recover(ss.Context(), info.FullMethod, &err)
	return next(srv, ss)
}

func (r Recovery) recover(ctx context.Context, method string, err *error) {
	if cause := recover(); cause != nil {
		r.Log.ErrorContext(ctx, "panic in a call", "method", method, "cause", cause, "stack", string(debug.Stack()))
		*err = status.Error(codes.Internal, "internal error; the "+r.Of+"'s log has the cause")
	}
}
