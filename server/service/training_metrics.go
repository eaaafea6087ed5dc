package service

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kindred-rec/kindred/server/shop"
	"github.com/kindred-rec/kindred/server/training/schedule"
)

// trainingMetrics reads how the scheduled training of each tenant goes when it is scraped: a tail that grows while a model is
// trained is told from one that grows for other reasons. Nothing is given where nothing is scheduled.
type trainingMetrics struct {
	tenants *shop.Registry
	status  func(tenant string) (schedule.Status, bool)
}

var (
	trainsDesc     = tenantDesc("training_running", "1 while the schedule trains a model. Absent without a schedule.")
	trainedDesc    = tenantDesc("training_end_timestamp_seconds", "When the last scheduled training ended. Absent if none did.")
	trainFailsDesc = tenantDesc("training_failures", "Scheduled trainings that failed in a row. Absent without a schedule.")
)

// Describe implements prometheus.Collector.
func (m *trainingMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{trainsDesc, trainedDesc, trainFailsDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *trainingMetrics) Collect(ch chan<- prometheus.Metric) {
	m.tenants.Each(func(name string, _ *shop.Shop) {
		st, scheduled := m.status(name)
		if !scheduled {
			return
		}
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, name)
		}
		gauge(trainsDesc, map[bool]float64{true: 1}[st.Running])
		gauge(trainFailsDesc, float64(st.Failures))
		if !st.End.IsZero() {
			gauge(trainedDesc, float64(st.End.UnixMilli())/1e3)
		}
	})
}
