package service

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kindred-rec/kindred/server/limit"
)

// permitMetrics reads the permits of each class of calls when it is scraped.
type permitMetrics struct{ classes *limit.Classes }

var (
	classPermitsDesc = classDesc("call_permits", "Calls of a class that may be under way at once; it follows how long they take.")
	classWayDesc     = classDesc("calls_under_permit", "Calls of a class that are under way.")
	classRefusedDesc = classDesc("calls_without_permit_total", "Calls of a class that were refused for want of a permit.")
)

func classDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("kindred_tenant_"+name, help, []string{"tenant", "class"}, nil)
}

// Describe implements prometheus.Collector.
func (m *permitMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{classPermitsDesc, classWayDesc, classRefusedDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *permitMetrics) Collect(ch chan<- prometheus.Metric) {
	m.classes.Each(func(tenant, class string, l *limit.Limiter, refused uint64) {
		ch <- prometheus.MustNewConstMetric(classPermitsDesc, prometheus.GaugeValue, float64(l.Now()), tenant, class)
		ch <- prometheus.MustNewConstMetric(classWayDesc, prometheus.GaugeValue, float64(l.UnderWay()), tenant, class)
		ch <- prometheus.MustNewConstMetric(classRefusedDesc, prometheus.CounterValue, float64(refused), tenant, class)
	})
}
