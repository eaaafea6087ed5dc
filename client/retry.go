package client

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

const (
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
	// longestHint bounds what a service may ask a caller to wait, so that a wrong figure
	// stalls nobody who has no deadline.
	longestHint = 10 * time.Second
)

// reads are the calls that change nothing a caller can see: they may be repeated as they
// are. A repeated Recommend may leave a second row in the decision log, of a reply that
// nobody received.
var reads = map[string][]string{
	"kindred.v1.RecommendationService": {"Recommend", "SimilarItems", "SearchItems", "RankItems", "Explain", "Reproduce"},
	"kindred.v1.CatalogService":        {"GetItem", "ListItems", "GetExposure", "CatalogHealth"},
	"kindred.v1.ProfileService":        {"GetProfile", "ListEvents"},
	"kindred.v1.PolicyService":         {"GetPolicy", "ListPolicies"},
	"kindred.v1.ExperimentService":     {"GetExperiment", "ListExperiments"},
	"kindred.v1.ModelService":          {"ListModels", "GetModel"},
	"kindred.v1.AdminService":          {"GetTenant", "ListTenants", "ListKeys", "ListAudit"},
	"kindred.v1.OperationsService":     {"GetStorage"},
	"grpc.health.v1.Health":            {"Check"},
}

// serviceConfig lets gRPC repeat reads that found nobody there.
func serviceConfig(attempts int) string {
	if attempts == 1 {
		return "{}" // gRPC asks for two tries at least
	}
	type method struct {
		Service string `json:"service"`
		Method  string `json:"method"`
	}
	type policy struct {
		MaxAttempts          int      `json:"maxAttempts"`
		InitialBackoff       string   `json:"initialBackoff"`
		MaxBackoff           string   `json:"maxBackoff"`
		BackoffMultiplier    float64  `json:"backoffMultiplier"`
		RetryableStatusCodes []string `json:"retryableStatusCodes"`
	}
	var names []method
	for service, methods := range reads {
		for _, m := range methods {
			names = append(names, method{service, m})
		}
	}
	raw, err := json.Marshal(map[string]any{"methodConfig": []any{map[string]any{
		"name": names,
		"retryPolicy": policy{
			MaxAttempts: attempts, InitialBackoff: seconds(firstPause), MaxBackoff: seconds(longestPause),
			BackoffMultiplier: 2, RetryableStatusCodes: []string{"UNAVAILABLE"},
		},
	}}})
	if err != nil {
		panic(err) // strings and numbers alone
	}
	return string(raw)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3fs", d.Seconds()) }

func isRead(method string) bool {
	service, name, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	for _, m := range reads[service] {
		if m == name {
			return true
		}
	}
	return false
}

// deadline bounds calls whose context does not.
func deadline(timeout time.Duration) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if _, has := ctx.Deadline(); !has {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout)
			defer cancel()
		}
		return invoke(ctx, method, req, reply, cc, opts...)
	}
}

// repeater tries again what the service config cannot tell: it knows codes and methods,
// but neither a RetryInfo nor whether events have ids. Safe for concurrent use.
type repeater struct{ attempts int }

func (r *repeater) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	read := isRead(method)
	repeatable := read || haveIDs(req)
	for try := 1; ; try++ {
		err := invoke(ctx, method, req, reply, cc, opts...)
		if err == nil || !repeatable || try == r.attempts {
			return err
		}
		if read && status.Code(err) == codes.Unavailable {
			return err // gRPC has tried already
		}
		pause, again := pauseAfter(err, try)
		if !again || !sleep(ctx, pause) {
			return err
		}
	}
}

// haveIDs reports whether a request writes events that all have an id.
func haveIDs(req any) bool {
	w, ok := req.(*kindredv1.WriteEventsRequest)
	if !ok {
		return false
	}
	for _, e := range w.GetEvents() {
		if e.GetId() == "" {
			return false
		}
	}
	return true
}

// pauseAfter says how long to wait after the failed try number try, from 1, and whether
// another can go better at all.
func pauseAfter(err error, try int) (time.Duration, bool) {
	switch status.Code(err) {
	case codes.Unavailable:
		pause := min(firstPause<<min(try-1, 10), longestPause)
		return pause/2 + rand.N(pause/2+1), true
	case codes.ResourceExhausted:
		if hint := retryHint(err); hint > 0 {
			return hint + rand.N(hint/4+1), true
		}
	}
	return 0, false
}

// retryHint is how long the service asks its caller to wait; 0: it does not.
func retryHint(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return min(info.GetRetryDelay().AsDuration(), longestHint)
		}
	}
	return 0
}

// sleep waits, and reports whether there is time left after it. It does not wait for a
// deadline that would pass meanwhile: the caller has more of an answer now.
func sleep(ctx context.Context, pause time.Duration) bool {
	if until, has := ctx.Deadline(); has && time.Until(until) <= pause {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
