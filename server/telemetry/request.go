package telemetry

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strconv"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// RequestIDHeader carries the id of a request, both ways.
const RequestIDHeader = "x-request-id"

// maxRequestID bounds an id that a caller gives.
const maxRequestID = 64

type requestKey struct{}

// RequestID is the id of the call that a context belongs to; "" outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// clean reports whether an id may stand in logs: 1 to 64 letters, digits, and "-_.".
func clean(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// identify gives a call its id: the caller's if it is clean, else a new one.
func identify(ctx context.Context) (context.Context, string) {
	if given := metadata.ValueFromIncomingContext(ctx, RequestIDHeader); len(given) > 0 && clean(given[0]) {
		return context.WithValue(ctx, requestKey{}, given[0]), given[0]
	}
	id := strconv.FormatUint(rand.Uint64()|1<<63, 16)
	return context.WithValue(ctx, requestKey{}, id), id
}

// Requests gives every call an id, returns it in the header x-request-id, and logs calls
// that failed by a fault of the service, by method, code and id: nothing that a user
// sent. Place its interceptors first.
type Requests struct{ Log *slog.Logger }

// Unary is the interceptor of unary calls.
func (r Requests) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, id := identify(ctx)
	// It fails only for a call that has ended: then nobody reads the header.
	_ = grpc.SetHeader(ctx, metadata.MD{RequestIDHeader: {id}})
	resp, err := next(ctx, req)
	r.fault(ctx, info.FullMethod, err)
	return resp, err
}

// Stream is the interceptor of streams.
func (r Requests) Stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, id := identify(ss.Context())
	_ = ss.SetHeader(metadata.MD{RequestIDHeader: {id}}) // as above
	err := next(srv, identified{ss, ctx})
	r.fault(ctx, info.FullMethod, err)
	return err
}

func (r Requests) fault(ctx context.Context, method string, err error) {
	if err == nil {
		return
	}
	switch code := status.Code(err); code {
	case codes.Internal, codes.Unknown, codes.DataLoss:
		r.Log.WarnContext(ctx, "call failed", "method", method, "code", code.String())
	}
}

// identified is a stream whose context has the id.
type identified struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s identified) Context() context.Context { return s.ctx }

// LogHandler adds request_id, and trace_id where the call is traced, to lines that are
// logged with the context of a call.
type LogHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h LogHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := RequestID(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h LogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return LogHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h LogHandler) WithGroup(name string) slog.Handler { return LogHandler{h.Handler.WithGroup(name)} }
