package soak

import (
	"context"
	"net/http"
	"time"
)

// Sample is one reading. What only Linux tells is 0 elsewhere.
type Sample struct {
	AtS   float64 `json:"at_s"` // since the start
	RSSMB float64 `json:"rss_mb"`
	// OwnMB and MappedMB are the parts of RSSMB that are the process's own and that are pages of mapped files, which the
	// kernel takes back when others need them. Linux only.
	OwnMB    float64 `json:"own_mb"`
	MappedMB float64 `json:"mapped_mb"`
	// StoreMB is the size of the files in the server's folder.
	StoreMB float64 `json:"store_mb"`
	// HeapGoalMB is the size of the Go heap at which the collector runs next: twice what it left alive the last time, unless
	// a limit holds it down. It rises with what is kept, and not with what is garbage.
	HeapGoalMB  float64 `json:"heap_goal_mb"`
	Goroutines  float64 `json:"goroutines"`
	Descriptors float64 `json:"descriptors"` // without Tables
	Tables      float64 `json:"tables"`      // descriptors of the store's files. Linux only.
}

// Window is the tail of Recommend over some time, from the service's histogram.
type Window struct {
	AtS   float64 `json:"at_s"` // its end
	P99MS float64 `json:"p99_ms"`
	Calls float64 `json:"calls"`
}

// sampler reads the metrics each second. It belongs to one goroutine until run returns.
type sampler struct {
	addr   string // of /metrics
	pid    int    // of the server
	data   string // its folder, as the system names it
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
		s.samples = append(s.samples, s.sample(at, m))
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

// sample joins what the service tells and what the system tells of its process.
func (s *sampler) sample(at float64, m metrics) Sample {
	x := Sample{
		AtS: at, RSSMB: m["process_resident_memory_bytes"] / 1e6, HeapGoalMB: m["go_memstats_next_gc_bytes"] / 1e6,
		Goroutines: m["go_goroutines"], Descriptors: m["process_open_fds"], StoreMB: sizeOf(s.data),
	}
	if own, ok := memoryOf(s.pid); ok {
		x.OwnMB, x.MappedMB = own.own, own.mapped
	}
	if n, ok := tablesOf(s.pid, s.data); ok {
		x.Tables = float64(n)
		x.Descriptors = max(0, x.Descriptors-x.Tables)
	}
	return x
}

func calls(b []bucket) float64 {
	if len(b) == 0 {
		return 0
	}
	return b[len(b)-1].count
}
