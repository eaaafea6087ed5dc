package soak

import (
	"context"
	"net/http"
	"time"
)

// Sample is one reading.
type Sample struct {
	AtS         float64 `json:"at_s"` // since the start
	RSSMB       float64 `json:"rss_mb"`
	Goroutines  float64 `json:"goroutines"`
	Descriptors float64 `json:"descriptors"`
}

// Window is the tail of Recommend over some time, from the service's histogram.
type Window struct {
	AtS   float64 `json:"at_s"` // its end
	P99MS float64 `json:"p99_ms"`
	Calls float64 `json:"calls"`
}

// sampler reads the metrics each second. It belongs to one goroutine until run returns.
type sampler struct {
	addr   string
	client *http.Client
	window time.Duration

	samples []Sample
	windows []Window
	failed  int64
}

const recommend = `method="/kindred.v1.RecommendationService/Recommend"`

func (s *sampler) run(ctx context.Context) {
	start, opened := time.Now(), time.Now()
	var before []bucket
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		m, err := read(ctx, s.client, s.addr)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.failed++
			continue
		}
		at := time.Since(start).Seconds()
		s.samples = append(s.samples, Sample{AtS: at, RSSMB: m["process_resident_memory_bytes"] / 1e6, Goroutines: m["go_goroutines"], Descriptors: m["process_open_fds"]})
		now := m.buckets("kindred_rpc_seconds", recommend)
		if before == nil {
			before, opened = now, time.Now()
			continue
		}
		if time.Since(opened) >= s.window {
			s.windows = append(s.windows, Window{AtS: at, P99MS: 1000 * quantile(0.99, before, now), Calls: calls(now) - calls(before)})
			before, opened = now, time.Now()
		}
	}
}

func calls(b []bucket) float64 {
	if len(b) == 0 {
		return 0
	}
	return b[len(b)-1].count
}
