package service

import (
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kindred-rec/kindred/server/shop"
)

// routes are the pages of the HTTP port: /healthz (the process lives), /readyz (it
// serves), every method of the services at /kindred.v1.SERVICE/METHOD, and with metrics
// /metrics.
func (s *Service) routes(metrics bool) (http.Handler, error) {
	calls, err := s.transcoder()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", calls)
	s.addHealth(mux)
	if metrics {
		s.addMetrics(mux)
	}
	return cors(s.liveOrigins, s.patience(mux)), nil
}

// opsRoutes are the pages of the port for operators.
func (s *Service) opsRoutes(local bool) http.Handler {
	mux := http.NewServeMux()
	s.addHealth(mux)
	s.addMetrics(mux)
	if local {
		addProfiles(mux)
	}
	return mux
}

func (s *Service) addHealth(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", s.alive)
	mux.HandleFunc("GET /readyz", s.readiness)
}

func (s *Service) addMetrics(mux *http.ServeMux) {
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.Registry, promhttp.HandlerOpts{}))
}

// addProfiles adds Go's own pages under /debug/pprof/.
func addProfiles(mux *http.ServeMux) {
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
}

// tenantMetrics reads each tenant's figures when they are scraped.
type tenantMetrics struct{ tenants *shop.Registry }

var (
	itemsDesc    = tenantDesc("items", "Items in the catalog.")
	stuckDesc    = tenantDesc("replacement_stuck", "1 if an accepted replacement of the catalog cannot be done, and others are refused until it is undone; else 0.")
	encodedDesc  = tenantDesc("encoded_items", "Items with a vector.")
	lagDesc      = tenantDesc("log_lag", "Log entries that the serving state does not reflect yet.")
	cachedDesc   = tenantDesc("cached_profiles", "Profiles in memory.")
	droppedDesc  = tenantDesc("decisions_dropped_total", "Decisions that were not logged.")
	profileDesc  = prometheus.NewDesc("kindred_tenant_profile_reads_total", "Profiles asked for, by where they were: memory or store.", []string{"tenant", "from"}, nil)
	permitsDesc  = tenantDesc("permits", "Requests that may be ranked at once; those beyond are answered from the popular tier.")
	permitDesc   = tenantDesc("under_permit", "Requests that are being ranked.")
	reusedDesc   = tenantDesc("rankings_reused_total", "Lists from a ranking that was made for an earlier request.")
	recallDesc   = tenantDesc("index_recall", "Share of the exact nearest that the last self-check found; 1 for flat, which is exact. Absent until checked.")
	checkedDesc  = tenantDesc("index_check_timestamp_seconds", "When the last self-check was. Absent if there was none.")
	lowDesc      = tenantDesc("index_recall_low", "1 if recall is too low with the largest effort.")
	effortDesc   = tenantDesc("index_effort", "Effort of a search (efSearch); 0 for engines without.")
	indexedDesc  = tenantDesc("index_items", "Items indexed.")
	bytesDesc    = tenantDesc("index_bytes", "Resident memory of the index.")
	mappedDesc   = tenantDesc("index_mapped_bytes", "Mapped files of the index.")
	savedDesc    = tenantDesc("index_snapshot_timestamp_seconds", "When the snapshot on disk was written. Absent if there is none.")
	buildDesc    = tenantDesc("index_building", "How much of an index that is being built is done, 0 to 1. Absent if none is.")
	queuedDesc   = tenantDesc("encoding_queued_items", "Items that wait for the vector of their text.")
	refusedDesc  = tenantDesc("encoding_refused_items", "Items whose text the encoder refuses.")
	textsDesc    = tenantDesc("encoding_texts_total", "Texts encoded by the slow encoder.")
	keptDesc     = tenantDesc("encoding_reused_texts_total", "Texts whose vector was kept from before.")
	failuresDesc = tenantDesc("encoding_failures_total", "Tries of the slow encoder that failed.")
	failingDesc  = tenantDesc("encoding_failing", "1 while the slow encoder fails.")
	speedDesc    = tenantDesc("encoding_texts_per_second", "Texts encoded a second, lately.")
	bridgedDesc  = tenantDesc("encoding_bridged", "1 while the embedded encoder serves in place of the slow one.")
	modelFault   = tenantDesc("model_fault", "1 while the promoted model cannot serve.")
	modelWaits   = tenantDesc("model_building", "1 while the promoted model is being built.")
	modelDesc    = prometheus.NewDesc("kindred_tenant_model", "1 for the trained model that serves, by its hash. Absent if none does.", []string{"tenant", "model"}, nil)
	engineDesc   = prometheus.NewDesc("kindred_tenant_index_engine", "1 for the engine that serves.", []string{"tenant", "engine"}, nil)
	goneDesc     = prometheus.NewDesc("kindred_tenant_expired_rows_total", "Rows removed because they were older than the tenant's settings keep them, by kind.", []string{"tenant", "kind"}, nil)
	oldestDesc   = prometheus.NewDesc("kindred_tenant_oldest_timestamp_seconds", "Time of the oldest row of a kind, as of the last look. Absent: there is none.", []string{"tenant", "kind"}, nil)
	tierDesc     = prometheus.NewDesc("kindred_replies_total", "Lists returned, by rung of the ladder.", []string{"tenant", "tier"}, nil)
)

func tenantDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("kindred_tenant_"+name, help, []string{"tenant"}, nil)
}

// Describe implements prometheus.Collector.
func (m *tenantMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		itemsDesc, stuckDesc, goneDesc, oldestDesc, encodedDesc, lagDesc, cachedDesc, droppedDesc, reusedDesc, tierDesc, recallDesc, checkedDesc, lowDesc, effortDesc,
		indexedDesc, bytesDesc, mappedDesc, savedDesc, buildDesc, engineDesc,
		queuedDesc, refusedDesc, textsDesc, keptDesc, failuresDesc, failingDesc, speedDesc, bridgedDesc,
		modelFault, modelWaits, modelDesc, profileDesc, permitsDesc, permitDesc,
	} {
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
		_, _, stuck := s.StuckReplacement()
		gauge(stuckDesc, map[bool]float64{true: 1}[stuck != nil])
		gauge(encodedDesc, float64(st.Encoded))
		gauge(lagDesc, float64(st.Head.Seq-st.Applied.Seq))
		gauge(permitsDesc, float64(st.Permits))
		gauge(permitDesc, float64(st.UnderPermit))
		gauge(cachedDesc, float64(st.Profiles))
		collectIndex(ch, name, &st.Index)
		collectModel(ch, name, &st.Models)
		if !st.Encoding.Immediate {
			collectEncoding(ch, name, &st.Encoding)
		}
		ch <- prometheus.MustNewConstMetric(droppedDesc, prometheus.CounterValue, float64(st.DecisionsDropped), name)
		ch <- prometheus.MustNewConstMetric(reusedDesc, prometheus.CounterValue, float64(st.RankingsReused), name)
		ch <- prometheus.MustNewConstMetric(profileDesc, prometheus.CounterValue, float64(st.ProfileHits), name, "memory")
		ch <- prometheus.MustNewConstMetric(profileDesc, prometheus.CounterValue, float64(st.ProfileMisses), name, "store")
		for _, k := range s.Kept() {
			ch <- prometheus.MustNewConstMetric(goneDesc, prometheus.CounterValue, float64(k.Removed), name, k.Kind)
			if !k.Oldest.IsZero() {
				ch <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, float64(k.Oldest.UnixMilli())/1e3, name, k.Kind)
			}
		}
		for tier, n := range s.Tiers() {
			ch <- prometheus.MustNewConstMetric(tierDesc, prometheus.CounterValue, float64(n), name, tier)
		}
	})
}

// collectModel gives which trained model serves, and whether it should be another.
func collectModel(ch chan<- prometheus.Metric, tenant string, m *shop.ModelsStatus) {
	flag := map[bool]float64{true: 1}
	ch <- prometheus.MustNewConstMetric(modelFault, prometheus.GaugeValue, flag[m.Fault != ""], tenant)
	ch <- prometheus.MustNewConstMetric(modelWaits, prometheus.GaugeValue, flag[m.Fault == "" && m.Serving != m.Promoted], tenant)
	if m.Serving != "" {
		ch <- prometheus.MustNewConstMetric(modelDesc, prometheus.GaugeValue, 1, tenant, string(m.Serving))
	}
}

// collectEncoding gives the figures of a tenant's slow encoder.
func collectEncoding(ch chan<- prometheus.Metric, tenant string, e *shop.EncodingStatus) {
	give := func(d *prometheus.Desc, kind prometheus.ValueType, v float64) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, tenant)
	}
	flag := map[bool]float64{true: 1}
	give(queuedDesc, prometheus.GaugeValue, float64(e.Queued))
	give(refusedDesc, prometheus.GaugeValue, float64(e.Refused))
	give(textsDesc, prometheus.CounterValue, float64(e.Encoded))
	give(keptDesc, prometheus.CounterValue, float64(e.Reused))
	give(failuresDesc, prometheus.CounterValue, float64(e.Failures))
	give(failingDesc, prometheus.GaugeValue, flag[e.Failing])
	give(speedDesc, prometheus.GaugeValue, e.TextsPerSecond)
	give(bridgedDesc, prometheus.GaugeValue, flag[e.Bridged])
}

// collectIndex gives the figures of a tenant's index.
func collectIndex(ch chan<- prometheus.Metric, tenant string, x *shop.IndexStatus) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{tenant}, labels...)...)
	}
	gauge(engineDesc, 1, string(x.Engine))
	gauge(indexedDesc, float64(x.Items))
	gauge(effortDesc, float64(x.Effort))
	gauge(bytesDesc, float64(x.Bytes))
	gauge(mappedDesc, float64(x.MappedBytes))
	low := 0.0
	if x.RecallLow {
		low = 1
	}
	gauge(lowDesc, low)
	if !x.RecallTime.IsZero() {
		gauge(checkedDesc, float64(x.RecallTime.UnixMilli())/1e3)
	}
	if !x.RecallTime.IsZero() || x.Engine == shop.Flat {
		gauge(recallDesc, x.Recall)
	}
	if !x.SnapshotTime.IsZero() {
		gauge(savedDesc, float64(x.SnapshotTime.UnixMilli())/1e3)
	}
	if x.Building != "" {
		gauge(buildDesc, x.Progress)
	}
}
