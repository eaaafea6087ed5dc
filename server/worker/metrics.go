package worker

import (
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kindred-rec/kindred/embed/batch"
)

// batchMetrics reads the batcher's figures when they are scraped.
type batchMetrics struct {
	batcher  *batch.Batcher
	compiled func() int
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("kindred_embed_"+name, help, labels, nil)
}

var (
	textsDesc     = desc("texts_total", "Texts encoded.")
	truncatedDesc = desc("truncated_total", "Texts whose end the model did not read.")
	batchesDesc   = desc("batches_total", "Batches computed.")
	failedDesc    = desc("failed_batches_total", "Batches that failed.", "cause")
	stageDesc     = desc("stage_seconds_total", "Time of a stage, over all goroutines.", "stage")
	callsDesc     = desc("calls_total", "Calls by what became of them at the queue.", "lane", "outcome")
	queuedDesc    = desc("queued_texts", "Texts accepted and not answered.", "lane")
	bytesDesc     = desc("queued_bytes", "Bytes of texts accepted and not answered.", "lane")
	paddingDesc   = desc("padding_share", "Padding as a share of computed tokens, 0 to 1.")
	fillDesc      = desc("mean_fill", "Texts of a batch as a share of what it could hold, 0 to 1.")
	shapesDesc    = desc("shapes", "Shapes compiled.")
	boundDesc     = desc("token_bound", "Present bound on a batch's rows times length.")
	rateDesc      = desc("tokens_per_second", "What the encoder does of late; 0: not known.")
)

// Describe implements prometheus.Collector.
func (m *batchMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{textsDesc, truncatedDesc, batchesDesc, failedDesc, stageDesc, callsDesc,
		queuedDesc, bytesDesc, paddingDesc, fillDesc, shapesDesc, boundDesc, rateDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *batchMetrics) Collect(ch chan<- prometheus.Metric) {
	s := m.batcher.Stats()
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter(textsDesc, float64(s.Texts))
	counter(truncatedDesc, float64(s.Truncated))
	counter(batchesDesc, float64(s.Batches))
	counter(failedDesc, float64(s.Failed), "error")
	counter(failedDesc, float64(s.OutOfMemory), "memory")
	counter(stageDesc, s.Tokenize.Total.Seconds(), "tokenize")
	counter(stageDesc, s.Run.Total.Seconds(), "run")
	for name, lane := range map[string]batch.LaneStats{"interactive": s.Interactive, "bulk": s.Bulk} {
		counter(callsDesc, float64(lane.Admitted), name, "admitted")
		counter(callsDesc, float64(lane.Refused), name, "refused")
		counter(callsDesc, float64(lane.Abandoned), name, "abandoned")
		gauge(queuedDesc, float64(lane.Texts), name)
		gauge(bytesDesc, float64(lane.Bytes), name)
	}
	gauge(paddingDesc, s.PaddingShare())
	gauge(fillDesc, s.MeanFill())
	gauge(shapesDesc, float64(s.Shapes+m.compiled()))
	gauge(boundDesc, float64(s.BatchBound))
	gauge(rateDesc, s.Rate)
}

// routes are the pages of the HTTP port: /healthz (the process lives), /readyz (the model
// serves) and /metrics.
func routes(registry *prometheus.Registry, ready *atomic.Bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			http.Error(w, "the model is not ready, or the worker stops", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}
