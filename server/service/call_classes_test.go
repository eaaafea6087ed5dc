package service_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/limit"
	"github.com/kindred-rec/kindred/server/service"
)

func TestCallsOfAClassPastItsPermitsAreRefusedAndOthersAreNot(t *testing.T) {
	s := start(t, withHTTP, func(c *service.Config) {
		c.Permits = map[string]limit.Config{"scan": {Most: 1}, "write": {Most: 64, Target: time.Hour}}
	})
	op := s.operate()
	alpha, beta := s.tenant(op, "alpha", kindredv1.Role_ROLE_ADMIN), s.tenant(op, "beta", kindredv1.Role_ROLE_ADMIN)
	alpha.upsert(shelf()...)
	for batch := range 5 { // more than a client that does not read is sent
		var events []*kindredv1.Event
		for i := range 500 {
			e := view(fmt.Sprint(batch, "-", i), "u", "pen-1")
			e.Text = strings.Repeat("x", 8000)
			events = append(events, e)
		}
		alpha.write(events...)
	}
	export, err := alpha.admin.ExportEvents(ctx(t), &kindredv1.ExportEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	must(export.Header()) // it is under way, and stays so while nobody reads
	_, err = alpha.GetExposure(ctx(t), &kindredv1.GetExposureRequest{})
	code(t, err, codes.ResourceExhausted)
	for _, part := range []string{"tenant alpha has 1 calls of class scan under way", "call-permits"} {
		contains(t, status.Convert(err).Message(), part)
	}
	wait := time.Duration(0)
	for _, d := range status.Convert(err).Details() {
		if r, ok := d.(*errdetails.RetryInfo); ok {
			wait = r.RetryDelay.AsDuration()
		}
	}
	if wait <= 0 {
		t.Errorf("%v does not say when to come again", err)
	}
	alpha.recommend(&kindredv1.RecommendRequest{})
	must(alpha.GetItem(ctx(t), &kindredv1.GetItemRequest{Id: "pen-1"}))
	must(beta.GetExposure(ctx(t), &kindredv1.GetExposureRequest{}))
	_, metrics, _ := exchange(t, http.MethodGet, "http://"+s.service.HTTPAddr()+"/metrics", "", "", nil)
	for _, line := range []string{
		`kindred_tenant_calls_without_permit_total{class="scan",tenant="alpha"} 1`,
		`kindred_tenant_calls_under_permit{class="scan",tenant="alpha"} 1`, `kindred_tenant_call_permits{class="write",tenant="alpha"} 64`,
	} {
		contains(t, metrics, line)
	}
}
