package service

import (
	"fmt"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kindred-rec/kindred/server/shop"
)

// routes are the pages of the HTTP port: /healthz (the process lives), /readyz (it
// serves) and /metrics.
func (s *Service) routes() http.Handler {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", ok) // the port opens after the tenants are up to date
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.Registry, promhttp.HandlerOpts{}))
	return mux
}

// profiles are Go's own pages under /debug/pprof/.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// tenantMetrics reads each tenant's figures when they are scraped.
type tenantMetrics struct{ tenants *shop.Registry }

var (
	itemsDesc   = tenantDesc("items", "Items in the catalog.")
	encodedDesc = tenantDesc("encoded_items", "Items with a vector.")
	lagDesc     = tenantDesc("log_lag", "Log entries that the serving state does not reflect yet.")
	cachedDesc  = tenantDesc("cached_profiles", "Profiles in memory.")
	droppedDesc = tenantDesc("decisions_dropped_total", "Decisions that were not logged.")
	tierDesc    = prometheus.NewDesc("kindred_replies_total", "Lists returned, by rung of the ladder.", []string{"tenant", "tier"}, nil)
)

func tenantDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("kindred_tenant_"+name, help, []string{"tenant"}, nil)
}

// Describe implements prometheus.Collector.
func (m *tenantMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{itemsDesc, encodedDesc, lagDesc, cachedDesc, droppedDesc, tierDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *tenantMetrics) Collect(ch chan<- prometheus.Metric) {
	m.tenants.Each(func(name string, s *shop.Shop) {
		st := s.Status()
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, name)
		}
		gauge(itemsDesc, float64(st.Items))
		gauge(encodedDesc, float64(st.Encoded))
		gauge(lagDesc, float64(st.Head.Seq-st.Applied.Seq))
		gauge(cachedDesc, float64(st.Profiles))
		ch <- prometheus.MustNewConstMetric(droppedDesc, prometheus.CounterValue, float64(st.DecisionsDropped), name)
		for tier, n := range s.Tiers() {
			ch <- prometheus.MustNewConstMetric(tierDesc, prometheus.CounterValue, float64(n), name, tier)
		}
	})
}
