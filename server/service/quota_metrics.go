package service

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kindred-rec/kindred/server/quota"
)

// quotaMetrics reads how much was past a quota when it is scraped.
type quotaMetrics struct{ keeper *quota.Keeper }

var quotaDesc = prometheus.NewDesc("kindred_tenant_quota_exceeded_total",
	"Messages past a quota of the tenant or of one of its keys, and calls past the bound of a key's calls under way.", []string{"tenant", "quota"}, nil)

// Describe implements prometheus.Collector.
func (m *quotaMetrics) Describe(ch chan<- *prometheus.Desc) { ch <- quotaDesc }

// Collect implements prometheus.Collector.
func (m *quotaMetrics) Collect(ch chan<- prometheus.Metric) {
	m.keeper.Refused(func(tenant, quota string, refused uint64) {
		ch <- prometheus.MustNewConstMetric(quotaDesc, prometheus.CounterValue, float64(refused), tenant, quota)
	})
}
