package service_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
)

// withHTTP turns on the HTTP port.
func withHTTP(c *service.Config) { c.HTTP = "127.0.0.1:0" }

// url is the address of a method on the HTTP port.
func (s *shop) url(method string) string {
	return "http://" + s.service.HTTPAddr() + "/kindred.v1." + method
}

// post sends JSON to a method and returns the status and the body.
func (s *shop) post(method, body string, header http.Header) (int, string, http.Header) {
	s.t.Helper()
	return exchange(s.t, http.MethodPost, s.url(method), "application/json", body, header)
}

func exchange(t *testing.T, method, url, kind, body string, header http.Header) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx(t), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header[http.CanonicalHeaderKey(k)] = v
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw), resp.Header
}

// authorized sends a key with a call of a Connect client.
func authorized[T any](msg *T, key string) *connect.Request[T] {
	req := connect.NewRequest(msg)
	if key != "" {
		req.Header().Set("Authorization", "Bearer "+key)
	}
	return req
}

// h2c speaks HTTP/2 without encryption.
func h2c() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: protocols}}
}

func TestEveryProtocolOfTheHTTPPortAnswersAsGRPCDoes(t *testing.T) {
	s := start(t, withHTTP)
	s.upsert(shelf()...)
	s.applied(s.write(view("1", "ann", "pen-1")).WriteToken)
	op := s.operate()
	want := ids(op.recommend(&kindredv1.RecommendRequest{Subject: user("ann"), Seed: 7}).Items)
	if len(want) < 5 {
		t.Fatalf("gRPC answers %v", want)
	}
	for name, options := range map[string][]connect.ClientOption{
		"connect": nil, "connect with json": {connect.WithProtoJSON()},
		"grpc-web": {connect.WithGRPCWeb()}, "grpc-web with json": {connect.WithGRPCWeb(), connect.WithProtoJSON()},
		"with gzip": {connect.WithSendGzip()},
	} {
		c := connect.NewClient[kindredv1.RecommendRequest, kindredv1.RecommendResponse](
			http.DefaultClient, s.url("RecommendationService/Recommend"), options...)
		msg := &kindredv1.RecommendRequest{Subject: user("ann"), Seed: 7}
		resp, err := c.CallUnary(ctx(t), authorized(msg, op.key))
		if err != nil || strings.Join(ids(resp.Msg.Items), " ") != strings.Join(want, " ") {
			t.Errorf("%s: %v %v, want %v", name, ids(resp.Msg.GetItems()), err, want)
		}
		_, err = c.CallUnary(ctx(t), authorized(msg, ""))
		if connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("%s without a key: %v", name, err)
		}
		_, err = c.CallUnary(ctx(t), authorized(&kindredv1.RecommendRequest{Limit: -1}, op.key))
		var refused *connect.Error
		if !errors.As(err, &refused) || refused.Code() != connect.CodeInvalidArgument || len(refused.Details()) == 0 {
			t.Errorf("%s, a limit of -1: %v", name, err)
		}
	}
}

func TestStreamsGoOverHTTP(t *testing.T) {
	s := start(t, withHTTP)
	s.upsert(shelf()...)
	for i := range 2500 {
		if i%500 == 0 {
			var events []*kindredv1.Event
			for j := range 500 {
				events = append(events, view(fmt.Sprint("e", i+j), "ann", "pen-1"))
			}
			s.write(events...)
		}
	}
	for name, options := range map[string][]connect.ClientOption{"connect": {connect.WithProtoJSON()}, "grpc-web": {connect.WithGRPCWeb()}} {
		c := connect.NewClient[kindredv1.ExportEventsRequest, kindredv1.ExportEventsResponse](http.DefaultClient, s.url("AdminService/ExportEvents"), options...)
		stream, err := c.CallServerStream(ctx(t), connect.NewRequest(&kindredv1.ExportEventsRequest{}))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		n := 0
		for stream.Receive() {
			n += len(stream.Msg().Events)
		}
		if stream.Err() != nil || n != 2500 {
			t.Errorf("%s: %d events, %v", name, n, stream.Err())
		}
		stream.Close()
	}
	// Both ways over HTTP/2.
	both := connect.NewClient[kindredv1.StreamEventsRequest, kindredv1.StreamEventsResponse](h2c(), s.url("EventService/StreamEvents"))
	stream := both.CallBidiStream(ctx(t))
	for i := range 3 {
		if err := stream.Send(&kindredv1.StreamEventsRequest{Events: []*kindredv1.Event{view(fmt.Sprint("s", i), "ann", "pen-2")}}); err != nil {
			t.Fatal(err)
		}
		if reply, err := stream.Receive(); err != nil || reply.GetAdded() != 1 {
			t.Fatalf("message %d: %v %v", i, reply, err)
		}
	}
	stream.CloseRequest()
	stream.CloseResponse()
	// gRPC itself.
	conn, err := grpc.NewClient(s.service.HTTPAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := kindredv1.NewRecommendationServiceClient(conn).Recommend(ctx(t), &kindredv1.RecommendRequest{}); err != nil {
		t.Errorf("gRPC on the HTTP port: %v", err)
	}
}

func TestJSONIsPlainAndFaultsAreNamed(t *testing.T) {
	s := start(t, withHTTP, func(c *service.Config) { c.MaxMessage = 1 << 20 })
	s.upsert(shelf()...)
	code, body, _ := s.post("RecommendationService/Recommend", `{"subject":{"user_id":"ann"},"limit":2}`, nil)
	var reply struct {
		Items []struct{ ItemID string }
		Tier  string
	}
	if err := json.Unmarshal([]byte(body), &reply); code != 200 || err != nil || len(reply.Items) != 2 || reply.Tier != "TIER_POPULAR" {
		t.Errorf("%d %s: %v", code, body, err)
	}
	for _, c := range []struct {
		why, method, kind, body string
		want                    int
		says                    string
	}{
		{"a field that is not there", "RecommendationService/Recommend", "application/json", `{"subjekt":{}}`, 400, "subjekt"},
		{"no JSON", "RecommendationService/Recommend", "application/json", `{"limit":`, 400, "invalid_argument"},
		{"a value out of range", "RecommendationService/Recommend", "application/json", `{"limit":-1}`, 400, "limit"},
		{"no protobuf", "RecommendationService/Recommend", "application/proto", "\xff\xff\xff", 400, "invalid_argument"},
		{"not UTF-8", "RecommendationService/Recommend", "application/proto", "\x12\x02\xff\xfe", 400, "surface"},
		{"another type", "RecommendationService/Recommend", "text/plain", `{}`, 404, ""},
		{"no such method", "RecommendationService/Guess", "application/json", `{}`, 404, ""},
		{"a giant", "EventService/WriteEvents", "application/json", `{"events":[{"id":"` + strings.Repeat("x", 2<<20) + `"}]}`, 429, "resource_exhausted"},
		{"deep", "CatalogService/UpsertItems", "application/json", strings.Repeat(`{"items":[`, 20_000), 400, "invalid_argument"},
	} {
		code, body, _ := exchange(t, http.MethodPost, s.url(c.method), c.kind, c.body, nil)
		if code != c.want || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %.300s, want %d that says %q", c.why, code, body, c.want, c.says)
		}
	}
	if code, _, _ := exchange(t, http.MethodGet, s.url("RecommendationService/Recommend"), "", "", nil); code != http.StatusNotFound {
		t.Errorf("GET: %d", code)
	}
	if list := s.recommend(&kindredv1.RecommendRequest{}); len(list.Items) == 0 {
		t.Error("nothing is served after bad input")
	}
}

func TestGzipBombIsRefused(t *testing.T) {
	s := start(t, withHTTP, func(c *service.Config) { c.MaxMessage = 1 << 20 })
	c := connect.NewClient[kindredv1.WriteEventsRequest, kindredv1.WriteEventsResponse](http.DefaultClient, s.url("EventService/WriteEvents"), connect.WithSendGzip())
	_, err := c.CallUnary(ctx(t), connect.NewRequest(&kindredv1.WriteEventsRequest{Events: []*kindredv1.Event{{Id: strings.Repeat("x", 100<<20)}}}))
	if connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Errorf("100 MB in 100 KB: %v", err)
	}
}

func TestPagesOfOtherOriginsAreRefused(t *testing.T) {
	s := start(t, withHTTP)
	from := func(origin string) http.Header { return http.Header{"Origin": {origin}} }
	preflight := func(origin string) (int, http.Header) {
		h := from(origin)
		h.Set("Access-Control-Request-Method", "POST")
		h.Set("Access-Control-Request-Headers", "authorization,content-type")
		code, _, reply := exchange(t, http.MethodOptions, s.url("RecommendationService/Recommend"), "", "", h)
		return code, reply
	}
	const shopOrigin = "https://shop.example"
	// Off by default, and a name that points to this machine is an origin like others.
	if code, reply := preflight(shopOrigin); code != 403 || reply.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight: %d %v", code, reply)
	}
	for _, origin := range []string{shopOrigin, "http://" + s.service.HTTPAddr(), "null"} {
		if code, _, _ := s.post("RecommendationService/Recommend", `{}`, from(origin)); code != 403 {
			t.Errorf("a page of %s: %d", origin, code)
		}
	}
	s.stop()
	s.config.Origins = []string{shopOrigin}
	s.run(t)
	code, reply := preflight(shopOrigin)
	if code != 204 || reply.Get("Access-Control-Allow-Origin") != shopOrigin || !strings.Contains(reply.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight: %d %v", code, reply)
	}
	if code, _, reply := s.post("RecommendationService/Recommend", `{}`, from(shopOrigin)); code != 200 || reply.Get("Access-Control-Allow-Origin") != shopOrigin {
		t.Errorf("a call: %d %v", code, reply)
	}
	if code, _ := preflight("https://evil.example"); code != 403 {
		t.Errorf("another origin: %d", code)
	}
	s.stop()
	s.config.Origins = []string{"*"}
	if svc, err := service.Start(ctx(t), s.config); err == nil {
		svc.Stop()
		t.Error("any origin is allowed")
	}
}

func TestBrowserKeyActsForSessionsOfItsOriginAlone(t *testing.T) {
	const origin, session = "https://shop.example", "0f8fad5b-d9cb-469f-a165-70867728950e"
	s := start(t, withHTTP, func(c *service.Config) { c.Origins = []string{origin, "https://other.example"} })
	op := s.operate()
	op.upsert(shelf()...)
	made := must(op.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{Role: kindredv1.Role_ROLE_BROWSER, Origins: []string{origin}}))
	_, err := op.admin.CreateKey(ctx(t), &kindredv1.CreateKeyRequest{Role: kindredv1.Role_ROLE_BROWSER})
	refused(t, err, "origins")
	header := func(origin string) http.Header {
		return http.Header{"Origin": {origin}, "Authorization": {"Bearer " + made.Secret}}
	}
	for _, c := range []struct {
		why, method, body, origin string
		want                      int
		says                      string
	}{
		{"its session", "RecommendationService/Recommend", `{"subject":{"session_id":"` + session + `"}}`, origin, 200, "pen"},
		{"its session's event", "EventService/WriteEvents", `{"events":[{"type":"EVENT_TYPE_VIEW","item_id":"pen-1","session_id":"` + session + `"}]}`, origin, 200, `"added":"1"`},
		{"a user", "RecommendationService/Recommend", `{"subject":{"user_id":"ann"}}`, origin, 400, "subject.user_id"},
		{"a user and a session", "RecommendationService/Recommend", `{"subject":{"user_id":"ann","session_id":"` + session + `"}}`, origin, 400, "subject.user_id"},
		{"nobody", "RecommendationService/Recommend", `{}`, origin, 400, "subject.session_id"},
		{"a session that can be guessed", "RecommendationService/Recommend", `{"subject":{"session_id":"123456"}}`, origin, 400, "subject.session_id"},
		{"a user's event", "EventService/WriteEvents", `{"events":[{"type":"EVENT_TYPE_VIEW","item_id":"pen-1","session_id":"` + session + `"},{"type":"EVENT_TYPE_VIEW","item_id":"pen-1","user_id":"ann"}]}`, origin, 400, "events[1].user_id"},
		{"a session with a policy", "RecommendationService/Recommend", `{"subject":{"session_id":"` + session + `"},"policy":"default"}`, origin, 403, ""},
		{"another allowed page", "RecommendationService/Recommend", `{"subject":{"session_id":"` + session + `"}}`, "https://other.example", 403, "origin"},
		{"a profile", "ProfileService/GetProfile", `{"subject":{"session_id":"` + session + `"}}`, origin, 403, "browser"},
		{"a merge", "ProfileService/MergeProfiles", `{}`, origin, 403, "browser"},
		{"a search", "RecommendationService/SearchItems", `{"query":"pen"}`, origin, 403, "browser"},
		{"the catalog", "CatalogService/ListItems", `{}`, origin, 403, "browser"},
		{"keys", "AdminService/ListKeys", `{}`, origin, 403, "browser"},
	} {
		code, body, _ := s.post(c.method, c.body, header(c.origin))
		if code != c.want || !strings.Contains(strings.ReplaceAll(body, " ", ""), strings.ReplaceAll(c.says, " ", "")) {
			t.Errorf("%s: %d %s, want %d that says %q", c.why, code, body, c.want, c.says)
		}
	}
	if n := len(op.exported()); n != 1 {
		t.Errorf("%d events were taken, want the one", n)
	}
	// A program that is no browser can claim an origin, but not leave it out.
	web := dial(t, s.service.Addr(), made.Secret)
	_, err = web.Recommend(ctx(t), &kindredv1.RecommendRequest{Subject: &kindredv1.Subject{SessionId: session}})
	code(t, err, codes.PermissionDenied)
	_, err = web.Recommend(metadata.AppendToOutgoingContext(ctx(t), "origin", origin), &kindredv1.RecommendRequest{Subject: &kindredv1.Subject{SessionId: session}})
	code(t, err, codes.OK)
}

func TestMetricsAreNotServedToOthers(t *testing.T) {
	s := start(t, withHTTP)
	get := func(addr, path string) int {
		code, _, _ := exchange(t, http.MethodGet, "http://"+addr+path, "", "", nil)
		return code
	}
	if code := get(s.service.HTTPAddr(), "/metrics"); code != 200 {
		t.Errorf("metrics on loopback: %d", code)
	}
	s.operate()
	s.stop()
	s.config.HTTP, s.config.Plaintext = "0.0.0.0:0", true
	s.run(t)
	_, port, err := net.SplitHostPort(s.service.HTTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	if code := get("127.0.0.1:"+port, "/metrics"); code != 404 {
		t.Errorf("metrics beyond loopback: %d", code)
	}
	if code := get("127.0.0.1:"+port, "/healthz"); code != 200 {
		t.Errorf("health: %d", code)
	}
	s.stop()
	s.config.HTTP, s.config.Ops = "127.0.0.1:0", "127.0.0.1:0"
	s.run(t)
	for path, want := range map[string]int{"/metrics": 200, "/debug/pprof/": 200, "/healthz": 200, "/kindred.v1.RecommendationService/Recommend": 404} {
		if code := get(s.service.OpsAddr(), path); code != want {
			t.Errorf("%s on the port for operators: %d, want %d", path, code, want)
		}
	}
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		if code := get(s.service.HTTPAddr(), path); code != 404 {
			t.Errorf("%s on the port for calls: %d", path, code)
		}
	}
}
