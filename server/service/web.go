package service

import (
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	"connectrpc.com/vanguard/vanguardgrpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// transcoder is the gRPC server for those that do not speak gRPC: Connect (a POST of JSON or
// protobuf), gRPC-Web, and gRPC itself over HTTP/2. It turns a request into one of gRPC and
// hands it to the server, so that all its interceptors hold. Streams work in every protocol
// as far as HTTP lets them: those both ways need HTTP/2.
//
// A field that is not in the message is refused: a misspelt one would have no effect and
// nobody would be told.
func (s *Service) transcoder() (http.Handler, error) {
	json := func(vanguard.TypeResolver) vanguard.Codec {
		return strictJSON{vanguard.JSONCodec{
			MarshalOptions:   protojson.MarshalOptions{Resolver: protoregistry.GlobalTypes},
			UnmarshalOptions: protojson.UnmarshalOptions{Resolver: protoregistry.GlobalTypes},
		}}
	}
	calls, err := vanguardgrpc.NewTranscoder(s.grpc, vanguard.WithCodec(json), vanguard.WithDefaultServiceOptions(
		vanguard.WithNoTargetCompression(), vanguard.WithMaxMessageBufferBytes(uint32(s.config.MaxMessage)),
	))
	if err != nil {
		return nil, err
	}
	return plain(calls), nil
}

// strictJSON tells callers that what cannot be read is their fault.
type strictJSON struct{ vanguard.JSONCodec }

// Unmarshal implements vanguard.Codec.
func (c strictJSON) Unmarshal(raw []byte, msg proto.Message) error {
	if err := c.JSONCodec.Unmarshal(raw, msg); err != nil {
		return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("the body is not JSON of this message: %w", err))
	}
	return nil
}

// plain takes a POST of JSON or protobuf for a call by Connect although it does not say so:
// there are no other meanings, and curl need not know of Connect.
func plain(next http.Handler) http.Handler {
	const version = "Connect-Protocol-Version"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err == nil && r.Method == http.MethodPost && (kind == "application/json" || kind == "application/proto") && r.Header.Get(version) == "" {
			r.Header.Set(version, "1")
		}
		next.ServeHTTP(w, r)
	})
}

// What pages may send and read beyond what browsers let them by themselves: the headers of
// Connect and gRPC-Web.
var (
	sentHeaders = strings.Join([]string{
		"Authorization", "Content-Type", "Connect-Protocol-Version", "Connect-Timeout-Ms", "Connect-Accept-Encoding", "Connect-Content-Encoding",
		"Grpc-Timeout", "X-Grpc-Web", "X-User-Agent",
	}, ", ")
	readHeaders = "Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin, Retry-After"
)

// cors lets pages of the origins call next, and refuses all others. Without a key a service
// lets everybody on the machine in: a page that a browser there has open must not be one of
// them, whatever name it gives the machine.
func cors(origins func() []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if origin == "" {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Add("Vary", "Origin")
		if !slices.Contains(origins(), origin) {
			http.Error(w, fmt.Sprintf("pages of origin %.253q may not call this service; the service's setting cors-origin names those that may", origin), http.StatusForbidden)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", origin)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			w.Header().Set("Access-Control-Allow-Methods", "POST, GET")
			w.Header().Set("Access-Control-Allow-Headers", sentHeaders)
			w.Header().Set("Access-Control-Max-Age", "7200")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Access-Control-Expose-Headers", readHeaders)
		next.ServeHTTP(w, r)
	})
}
