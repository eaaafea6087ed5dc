package telemetry

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// headers is the transport of one call as grpc.SetHeader needs it.
type headers struct{ set metadata.MD }

func (h *headers) Method() string                  { return "/s.S/Do" }
func (h *headers) SetHeader(md metadata.MD) error  { h.set = metadata.Join(h.set, md); return nil }
func (h *headers) SendHeader(md metadata.MD) error { return h.SetHeader(md) }
func (h *headers) SetTrailer(metadata.MD) error    { return nil }

// call makes a call with an id of the caller's and returns the id in the header, that of
// the handler's context, and the log.
func call(given string, err error) (header, inside, log string) {
	var h headers
	var out bytes.Buffer
	logger := slog.New(LogHandler{slog.NewTextHandler(&out, nil)})
	ctx := grpc.NewContextWithServerTransportStream(context.Background(), &h)
	if given != "" {
		ctx = metadata.NewIncomingContext(ctx, metadata.Pairs(RequestIDHeader, given))
	}
	_, _ = Requests{logger}.Unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: "/s.S/Do"}, func(ctx context.Context, _ any) (any, error) {
		inside = RequestID(ctx)
		return nil, err
	})
	return strings.Join(h.set.Get(RequestIDHeader), ","), inside, out.String()
}

func TestACleanRequestIDIsKeptAndReturned(t *testing.T) {
	header, inside, _ := call("Order-7.retry_2", nil)
	if header != "Order-7.retry_2" || inside != header {
		t.Errorf("header %q, context %q", header, inside)
	}
}

func TestAnyOtherRequestIDIsReplaced(t *testing.T) {
	seen := map[string]bool{}
	for _, given := range []string{"", "two words", "line\nbreak", "ünicode", strings.Repeat("a", 65), `quo"te`} {
		header, inside, _ := call(given, nil)
		if header == given || len(header) != 16 || !clean(header) || inside != header {
			t.Errorf("%q became %q, context %q", given, header, inside)
		}
		seen[header] = true
	}
	if len(seen) != 6 {
		t.Errorf("%d ids for 6 calls", len(seen))
	}
}

func TestFaultsAreLoggedWithTheIDAndNothingThatWasSent(t *testing.T) {
	_, _, log := call("r-1", status.Error(codes.Internal, "user bob"))
	for _, want := range []string{"request_id=r-1", "method=/s.S/Do", "code=Internal"} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in %s", want, log)
		}
	}
	if strings.Contains(log, "bob") {
		t.Errorf("the log holds the message: %s", log)
	}
	if _, _, log := call("r-1", status.Error(codes.InvalidArgument, "x")); log != "" {
		t.Errorf("a caller's mistake is logged: %s", log)
	}
}

func TestAttributesAndGroupsKeepTheID(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(LogHandler{slog.NewJSONHandler(&out, nil)}).With("a", 1)
	log.InfoContext(context.WithValue(context.Background(), requestKey{}, "r-2"), "m")
	log.InfoContext(context.Background(), "outside")
	if got := out.String(); strings.Count(got, `"request_id":"r-2"`) != 1 || strings.Count(got, `"a":1`) != 2 {
		t.Error(got)
	}
}

type stream struct {
	grpc.ServerStream
	ctx context.Context
	set metadata.MD
}

func (s *stream) Context() context.Context       { return s.ctx }
func (s *stream) SetHeader(md metadata.MD) error { s.set = md; return nil }

func TestAStreamHasAnIDToo(t *testing.T) {
	s := &stream{ctx: context.Background()}
	inside := ""
	err := Requests{slog.New(slog.DiscardHandler)}.Stream(nil, s, &grpc.StreamServerInfo{}, func(_ any, ss grpc.ServerStream) error {
		inside = RequestID(ss.Context())
		return nil
	})
	if err != nil || inside == "" || s.set.Get(RequestIDHeader)[0] != inside {
		t.Errorf("%v: header %v, context %q", err, s.set, inside)
	}
}
