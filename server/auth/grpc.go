package auth

import (
	"context"
	"errors"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/kindred-rec/kindred/server/record"
)

// Gate checks every call in two steps, so that what stands between them knows who calls: who
// it is ([Gate.Unary], [Gate.Stream]), and whether the role may use the method
// ([Gate.PermitUnary], [Gate.PermitStream]).
type Gate struct {
	// Ring checks keys.
	Ring *Keyring
	// AllowOpen lets calls without a key in as Open. For loopback only.
	AllowOpen bool
	// Roles says which roles beside admin may call a method, by full name. A method
	// that is not named is for admins alone.
	Roles map[string][]record.Role
	// Public names methods that need no key, such as health checks.
	Public map[string]bool
}

type principalKey struct{}

// From returns the principal of a call that passed a Gate; ok is false otherwise.
func From(ctx context.Context) (p Principal, ok bool) {
	p, ok = ctx.Value(principalKey{}).(Principal)
	return p, ok
}

// With returns a context that carries p, for callers in process.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// Unary is the interceptor of unary calls that asks who calls.
func (g *Gate) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, err := g.admit(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return next(ctx, req)
}

// Stream is the interceptor of streaming calls that asks who calls.
func (g *Gate) Stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, err := g.admit(ss.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	return next(srv, &stream{ServerStream: ss, ctx: ctx})
}

type stream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *stream) Context() context.Context { return s.ctx }

// Early asks who calls before anything else is done for the call: what it refuses costs no goroutine and no message. Unary and
// Stream then take its word. The context returned carries the principal; that of a public method carries none.
func (g *Gate) Early(ctx context.Context, method string) (context.Context, error) {
	return g.admit(ctx, method)
}

func (g *Gate) admit(ctx context.Context, method string) (context.Context, error) {
	if g.Public[method] {
		return ctx, nil
	}
	if _, known := From(ctx); known { // Early has asked
		return ctx, nil
	}
	p, err := g.authenticate(ctx)
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	if p.Role == record.RoleBrowser {
		if err := checkOrigin(ctx, p); err != nil {
			return nil, err
		}
	}
	return With(ctx, p), nil
}

// checkOrigin refuses a browser's key that is used from elsewhere. Browsers cannot be made to
// send another origin than the page's; whoever is no browser can, and has its quota.
func checkOrigin(ctx context.Context, p Principal) error {
	origins := metadata.ValueFromIncomingContext(ctx, "origin")
	if len(origins) != 1 || !slices.Contains(p.Origins, origins[0]) {
		return status.Errorf(codes.PermissionDenied,
			"a key of role %q is for web pages of its origins alone: make one for this page's origin, or use a key of role %q from a server",
			record.RoleBrowser, record.RoleFrontend)
	}
	return nil
}

// PermitUnary is the interceptor of unary calls that asks whether the role may. It comes
// after Unary.
func (g *Gate) PermitUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := g.permit(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

// PermitStream is the interceptor of streaming calls that asks whether the role may. It
// comes after Stream.
func (g *Gate) PermitStream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := g.permit(ss.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(srv, ss)
}

func (g *Gate) permit(ctx context.Context, method string) error {
	if g.Public[method] {
		return nil
	}
	p, ok := From(ctx)
	if !ok {
		return status.Error(codes.Internal, "the call was not asked for a key")
	}
	if p.Role != record.RoleAdmin && !slices.Contains(g.Roles[method], p.Role) {
		return status.Errorf(codes.PermissionDenied,
			"a key of role %q may not call %s: use a key of another role", p.Role, method)
	}
	return nil
}

func (g *Gate) authenticate(ctx context.Context) (Principal, error) {
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(values) > 1 {
		return Principal{}, errors.New("more than one authorization header: send one")
	}
	if len(values) == 0 {
		if g.AllowOpen {
			return Open, nil
		}
		return Principal{}, ErrNoKey
	}
	return g.Ring.Authenticate(values[0])
}
