package service_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/quota"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/service"
)

// opened sends the headers of a call, and nothing of its message, and returns the headers that come back.
func opened(t *testing.T, addr, method string, more ...hpack.HeaderField) map[string]string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	encode := hpack.NewEncoder(&block)
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: method}, {Name: ":authority", Value: addr},
		{Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
	}, more...) {
		encode.WriteField(f) // a buffer takes all
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("no end of the call: %v, after %v", err, got)
		}
		if h, ok := frame.(*http2.MetaHeadersFrame); ok {
			for _, f := range h.Fields {
				got[f.Name] = f.Value
			}
			if h.StreamEnded() {
				return got
			}
		}
	}
}

func TestCallWithoutAMessageEndsByItself(t *testing.T) {
	s := start(t, func(c *service.Config) { c.ReadTimeout = 50 * time.Millisecond })
	const method = kindredv1.RecommendationService_Recommend_FullMethodName
	for _, more := range [][]hpack.HeaderField{nil, {{Name: "grpc-timeout", Value: "99999999H"}}} {
		if got := opened(t, s.service.Addr(), method, more...); got["grpc-status"] != fmt.Sprint(int(codes.DeadlineExceeded)) {
			t.Errorf("headers %v: %v", more, got)
		}
	}
	s.upsert(shelf()...)
	must(s.Recommend(context.Background(), &kindredv1.RecommendRequest{})) // one whose message comes has as long as it needs
}

func TestRefusalNeedsNoMessage(t *testing.T) {
	s := start(t, func(c *service.Config) {
		c.Quotas = quota.Settings{Tenants: map[string]record.Quota{"alpha": {Requests: 0.001}}}
	})
	op := s.operate()
	alpha := s.tenant(op, "alpha", kindredv1.Role_ROLE_FRONTEND)
	must(alpha.Recommend(ctx(t), &kindredv1.RecommendRequest{}))
	const method = kindredv1.RecommendationService_Recommend_FullMethodName
	got := opened(t, s.service.Addr(), method, hpack.HeaderField{Name: "authorization", Value: "Bearer " + alpha.key})
	if got["grpc-status"] != fmt.Sprint(int(codes.ResourceExhausted)) || got["grpc-status-details-bin"] == "" {
		t.Errorf("past its quota: %v", got)
	}
	if got := opened(t, s.service.Addr(), method); got["grpc-status"] != fmt.Sprint(int(codes.Unauthenticated)) {
		t.Errorf("without a key: %v", got)
	}
	// What callers see is the same however long their deadline is: with a short one the headers are enough, with a long one not.
	for _, patience := range []time.Duration{5 * time.Second, time.Minute} {
		call, cancel := context.WithTimeout(context.Background(), patience)
		_, err := alpha.Recommend(call, &kindredv1.RecommendRequest{})
		cancel()
		if subject, bound, _ := pastQuota(t, err); subject != "tenant alpha" || bound != "requests: 0.001 a second" {
			t.Errorf("with %v: %s, %s", patience, subject, bound)
		}
		if stream, err := alpha.StreamEvents(ctx(t)); err != nil {
			t.Errorf("a stream, which waits instead: %v", err)
		} else {
			stream.CloseSend()
		}
	}
}

func TestCallsOfOneKeyAtOnceAreBoundedByName(t *testing.T) {
	s := start(t, func(c *service.Config) { c.Quotas.KeyCalls = 2 })
	op := s.operate()
	alpha, beta := s.tenant(op, "alpha", kindredv1.Role_ROLE_FRONTEND), s.tenant(op, "beta", kindredv1.Role_ROLE_FRONTEND)
	var streams []kindredv1.EventService_StreamEventsClient
	for i := range 2 {
		stream, err := alpha.StreamEvents(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&kindredv1.StreamEventsRequest{Events: []*kindredv1.Event{view(fmt.Sprint("e", i), "ann", "pen-1")}}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		streams = append(streams, stream)
	}
	for _, patience := range []time.Duration{5 * time.Second, time.Minute} {
		call, cancel := context.WithTimeout(context.Background(), patience)
		_, err := alpha.Recommend(call, &kindredv1.RecommendRequest{})
		cancel()
		if _, bound, _ := pastQuota(t, err); bound != "calls under way: 2" {
			t.Errorf("a third call: %s", bound)
		}
	}
	must(beta.Recommend(ctx(t), &kindredv1.RecommendRequest{}))
	streams[0].CloseSend()
	for err := error(nil); err == nil; {
		_, err = streams[0].Recv()
	}
	must(alpha.Recommend(ctx(t), &kindredv1.RecommendRequest{}))
	streams[1].CloseSend()
}
