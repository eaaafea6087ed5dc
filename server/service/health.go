package service

import (
	"fmt"
	"net/http"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/kindred-rec/kindred/server/shop"
)

// A service is alive from when its ports open, and ready until it drains: the ports open
// once the store is open, every tenant's catalog and index serve, and the encoder
// answers. What fails later does not end readiness, for requests are answered from a
// lower rung; readiness says it in words, and the metrics in numbers.

// nowServing says so to grpc's health service, for the server and for each service by
// name. Call it when all services are registered.
func (s *Service) nowServing() {
	for name := range s.grpc.GetServiceInfo() {
		s.health.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
	}
}

// leave ends readiness, and waits until those who look for it have seen that: calls are
// served meanwhile.
func (s *Service) leave() {
	if s.leaving.Swap(true) {
		return
	}
	s.health.Shutdown()
	if s.config.DrainDelay > 0 {
		s.config.Log.Info("not ready any more, calls are still served", "delay", s.config.DrainDelay)
		time.Sleep(s.config.DrainDelay)
	}
}

// alive answers as long as the process does.
func (s *Service) alive(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }

// readiness answers 200 while calls should be sent here, and 503 once they should not.
func (s *Service) readiness(w http.ResponseWriter, _ *http.Request) {
	if s.leaving.Load() {
		http.Error(w, "draining: calls under way end, send further ones elsewhere", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok"+s.ailing())
}

// ailing says in words what works in part alone; it names no tenant.
func (s *Service) ailing() string {
	words := ""
	s.tenants.Each(func(_ string, sh *shop.Shop) {
		st := sh.Status()
		switch {
		case words != "":
		case st.Encoding.Failing && st.Encoding.Bridged:
			words = "; the encoder fails, the embedded one serves in its place"
		case st.Encoding.Failing:
			words = "; the encoder fails, new texts wait"
		case st.Index.RecallLow:
			words = "; an index finds too little"
		case st.Models.Fault != "":
			words = "; a promoted model cannot serve"
		}
	})
	return words
}
