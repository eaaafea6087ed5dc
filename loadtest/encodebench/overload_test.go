package encodebench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/transformer/transformertest"
	"github.com/kindred-rec/kindred/loadtest/encodebench"
	"github.com/kindred-rec/kindred/server/worker"
)

// startWorker serves a small random transformer with little room, so that it is overloaded
// by what a test can send.
func startWorker(t *testing.T, b batch.Config) *worker.Worker {
	t.Helper()
	dir := t.TempDir()
	if err := transformertest.Write(dir, transformertest.Small, 1); err != nil {
		t.Fatal(err)
	}
	w, err := worker.Start(context.Background(), worker.Config{
		Model: worker.ModelConfig{Name: dir, Backend: "go"}, Listen: "127.0.0.1:0", HTTP: "127.0.0.1:0", Batch: b,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func options(t *testing.T, w *worker.Worker) encodebench.Overload {
	t.Helper()
	texts := filepath.Join(t.TempDir(), "texts.txt")
	if err := os.WriteFile(texts, []byte("desk lamp\nblack ink\n"+strings.Repeat("lamp ", 20)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return encodebench.Overload{Addr: w.Addr(), Metrics: w.HTTPAddr(), Texts: texts, CallTexts: 2, Times: 3, Callers: 4, Seed: 1,
		Capacity: 200 * time.Millisecond, Quiet: 200 * time.Millisecond, Duration: 300 * time.Millisecond}
}

func overload(t *testing.T, o encodebench.Overload) encodebench.OverloadLine {
	t.Helper()
	var out bytes.Buffer
	if err := encodebench.RunOverload(context.Background(), o, &out); err != nil {
		t.Fatal(err)
	}
	var line encodebench.OverloadLine
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("want one line of JSON: %v, %s", err, out.String())
	}
	return line
}

func TestOverloadTellsOfEveryCall(t *testing.T) {
	w := startWorker(t, batch.Config{MaxTexts: 16})
	o := options(t, w)
	line := overload(t, o)
	if line.Encoder != w.Model() || line.Backend != "go" {
		t.Errorf("names %q on %q, want %q on go", line.Encoder, line.Backend, w.Model())
	}
	if line.Calls != line.Accepted+line.Refused+line.ClientLimited || line.Accepted == 0 || len(line.Errors) != 0 {
		t.Errorf("calls do not add up: %+v", line)
	}
	if line.CapacityTextsPerS <= 0 || line.QuietP50 <= 0 || line.QuietP99 < line.QuietP50 || line.AcceptedP99 < line.AcceptedP50 || line.P99Ratio <= 0 {
		t.Errorf("figures are missing or out of order: %+v", line)
	}
	if want := float64(line.Accepted*o.CallTexts) / o.Duration.Seconds(); math.Abs(line.AcceptedTextsPerS-want) > 0.1 {
		t.Errorf("%g texts a second were accepted; %d calls are %g", line.AcceptedTextsPerS, line.Accepted, want)
	}
	if line.RSSStart <= 0 || line.RSSMax < line.RSSStart || line.RSSMax < line.RSSEnd {
		t.Errorf("memory: %+v", line)
	}
	if line.RefusedWithoutRetryInfo != 0 {
		t.Errorf("%d calls were refused without RetryInfo", line.RefusedWithoutRetryInfo)
	}
}

// More calls come at once than the queue holds texts.
func TestOverloadCountsRefusals(t *testing.T) {
	w := startWorker(t, batch.Config{Latency: time.Millisecond, MaxTexts: 16})
	o := options(t, w)
	o.Times, o.Metrics = 50, ""
	line := overload(t, o)
	if line.Refused == 0 || line.RefusedP99 <= 0 || line.RefusedWithoutRetryInfo != 0 {
		t.Errorf("fifty times the capacity on a queue of 1 ms: %+v", line)
	}
	if line.RSSMax != 0 {
		t.Errorf("memory of %g MB, which was not asked for", line.RSSMax)
	}
}

func TestOverloadFailsWithTheWayOut(t *testing.T) {
	w := startWorker(t, batch.Config{})
	for name, c := range map[string]struct {
		change func(*encodebench.Overload)
		want   string
	}{
		"no texts":       {func(o *encodebench.Overload) { o.Texts = "" }, "--texts"},
		"no text a call": {func(o *encodebench.Overload) { o.CallTexts = 0 }, "--call-texts 0"},
		"no load":        {func(o *encodebench.Overload) { o.Times = 0 }, "--overload 0"},
		"no caller":      {func(o *encodebench.Overload) { o.Callers = 0 }, "--callers 0"},
		"no time":        {func(o *encodebench.Overload) { o.Duration = 0 }, "--duration"},
		"no worker":      {func(o *encodebench.Overload) { o.Addr = "127.0.0.1:1" }, "no worker answers"},
		"no metrics":     {func(o *encodebench.Overload) { o.Metrics = "127.0.0.1:1" }, "--metrics"},
	} {
		o := options(t, w)
		c.change(&o)
		var out bytes.Buffer
		if err := encodebench.RunOverload(context.Background(), o, &out); err == nil || !strings.Contains(err.Error(), c.want) || out.Len() != 0 {
			t.Errorf("%s: got %v and %q, want an error that names %s", name, err, out.String(), c.want)
		}
	}
}
