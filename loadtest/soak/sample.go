package soak

import (
	"context"
	"net/http"
	"time"

	"github.com/kindred-rec/kindred/loadtest/internal/scrape"
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
	// ProcessorS and WrittenMB are what the service has used of processors and written to disk since it began; the children
	// that train are not in it. WrittenMB: Linux only.
	ProcessorS float64 `json:"processor_s"`
	WrittenMB  float64 `json:"written_mb"`
	Training   bool    `json:"training"` // a model is trained
}

// Window is how Recommend did over some time, from the service's histogram, and what else the service did then, by which a
// tail that moves is explained.
type Window struct {
	AtS    float64 `json:"at_s"` // its end
	P99MS  float64 `json:"p99_ms"`
	MeanMS float64 `json:"mean_ms"`
	Calls  float64 `json:"calls"`
	// Processors is how many the service kept busy on average; Training is the share of the time in which a model was trained.
	Processors float64 `json:"processors"`
	WrittenMB  float64 `json:"written_mb"`
	Training   float64 `json:"training"`
}

// window joins what was read at its two ends, and the samples within.
func window(before, now scrape.Page, within []Sample) Window {
	const name = "kindred_rpc_seconds"
	from, to := before.Buckets(name, recommend), now.Buckets(name, recommend)
	first, last := within[0], within[len(within)-1]
	w := Window{AtS: last.AtS, P99MS: 1000 * scrape.Quantile(0.99, from, to), Calls: calls(to) - calls(from), WrittenMB: last.WrittenMB - first.WrittenMB}
	if w.Calls > 0 {
		w.MeanMS = 1000 * (now.Labelled(name+"_sum", recommend) - before.Labelled(name+"_sum", recommend)) / w.Calls
	}
	if span := last.AtS - first.AtS; span > 0 {
		w.Processors = (last.ProcessorS - first.ProcessorS) / span
	}
	for _, s := range within {
		if s.Training {
			w.Training += 1 / float64(len(within))
		}
	}
	return w
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
	var before scrape.Page
	begun := 0 // first sample of the window
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		m, err := scrape.Read(ctx, s.client, s.addr)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.failed++
			continue
		}
		at := time.Since(start).Seconds()
		s.samples = append(s.samples, s.sample(at, m))
		if before == nil {
			before, opened = m, time.Now()
			continue
		}
		if time.Since(opened) >= s.window {
			s.windows = append(s.windows, window(before, m, s.samples[begun:]))
			before, opened, begun = m, time.Now(), len(s.samples)-1
		}
	}
}

// sample joins what the service tells and what the system tells of its process.
func (s *sampler) sample(at float64, m scrape.Page) Sample {
	x := Sample{
		AtS: at, RSSMB: m[scrape.ResidentBytes] / 1e6, HeapGoalMB: m["go_memstats_next_gc_bytes"] / 1e6,
		Goroutines: m["go_goroutines"], Descriptors: m["process_open_fds"], StoreMB: sizeOf(s.data),
		ProcessorS: m[scrape.ProcessorSeconds], WrittenMB: writtenBy(s.pid), Training: m.Labelled("kindred_tenant_training_running", "") > 0,
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

func calls(b []scrape.Bucket) float64 {
	if len(b) == 0 {
		return 0
	}
	return b[len(b)-1].Count
}
