package service

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/auth"
	"github.com/kindred-rec/kindred/server/telemetry"
)

// early refuses calls of the gRPC port as soon as their headers are read: those without a key and those past a quota. Such
// a call costs no goroutine, and its message is never read. Whoever floods is answered on its own connection's reader, which then
// waits: see calmer.
//
// It is a shortcut: the interceptors ask the same again, for the HTTP port does not come by here. What it refuses has no
// x-request-id and no trace, and counts in the metrics.
type early struct {
	gate    *auth.Gate
	quotas  api.Quotas
	calmer  calmer
	metrics *telemetry.Metrics
	streams map[string]bool // by full name: whether the client sends several messages; absent: not ours
	message time.Duration   // how long the message of a unary call may take to come
	unary   map[string]bool // by full name
}

// know notes the methods of the server.
func (e *early) know(services map[string]grpc.ServiceInfo) {
	e.streams, e.unary = map[string]bool{}, map[string]bool{}
	for service, info := range services {
		for _, m := range info.Methods {
			name := "/" + service + "/" + m.Name
			e.streams[name] = m.IsClientStream
			e.unary[name] = !m.IsClientStream && !m.IsServerStream
		}
	}
}

// longest is the longest deadline of a call that is refused here; the interceptors refuse those with a longer one, and nobody is
// calmed for them. gRPC keeps the timer of a call that a tap handle refuses, about 300 bytes, until its deadline.
const longest = 10 * time.Second

// handle is the tap handle.
func (e *early) handle(ctx context.Context, call *tap.Info) (context.Context, error) {
	clientStream, ours := e.streams[call.FullMethodName]
	if !ours {
		return ctx, nil
	}
	deadline, bounded := ctx.Deadline()
	left := time.Until(deadline) // of use if bounded
	if !bounded || left <= longest {
		known, err := e.admit(ctx, call.FullMethodName, clientStream)
		if err != nil {
			e.metrics.Refused(call.FullMethodName, status.Code(err))
			return nil, err
		}
		ctx = known
	}
	if e.unary[call.FullMethodName] && (!bounded || left > e.message) {
		ctx = awaitMessage(ctx, e.message)
	}
	return ctx, nil
}

// admit returns the context with who calls, or the refusal, after which the connection is read more slowly.
func (e *early) admit(ctx context.Context, method string, clientStream bool) (context.Context, error) {
	known, err := e.gate.Early(ctx, method)
	if err != nil {
		e.calmer.note(ctx, nobody, true)
		return nil, err
	}
	p, ok := auth.From(known)
	if !ok { // a method that is for all
		return known, nil
	}
	err = e.quotas.Ahead(p, method, clientStream)
	e.calmer.note(ctx, p.KeyID, err != nil)
	return known, err
}

// nobody is who calls without a key that is known. It is no id of a key.
const nobody = "-"
