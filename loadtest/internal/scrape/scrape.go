// Package scrape reads what a service tells of itself on /metrics, in Prometheus' text format (version 0.0.4).
package scrape

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Page is one reading: values by name with labels, as they are written.
type Page map[string]float64

// Metrics of a process, whose values have no labels.
const (
	ProcessorSeconds = "process_cpu_seconds_total"
	ResidentBytes    = "process_resident_memory_bytes"
)

// Read fetches the page of a service's HTTP or operations port.
func Read(ctx context.Context, client *http.Client, addr string) (Page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	reply, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("scrape: read metrics: %w", err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("scrape: %s/metrics answers %s", addr, reply.Status)
	}
	return Parse(reply.Body)
}

// Parse reads a page without timestamps.
func Parse(from io.Reader) (Page, error) {
	m := Page{}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		cut := strings.LastIndexByte(line, ' ')
		if cut < 0 {
			return nil, fmt.Errorf("scrape: a metric without a value: %q", line)
		}
		v, err := strconv.ParseFloat(line[cut+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("scrape: metric %q: %w", line, err)
		}
		m[line[:cut]] = v
	}
	return m, lines.Err()
}

// Labelled is the sum of a metric's values whose labels contain a text.
func (m Page) Labelled(name, label string) (sum float64) {
	for key, v := range m {
		if labels, ok := strings.CutPrefix(key, name+"{"); ok && strings.Contains(labels, label) {
			sum += v
		}
	}
	return sum
}

// Bucket of a histogram: how many observations were at most Bound.
type Bucket struct{ Bound, Count float64 }

// Buckets are those of a histogram whose labels contain a text, in order.
func (m Page) Buckets(name, label string) []Bucket {
	var list []Bucket
	for key, v := range m {
		labels, ok := strings.CutPrefix(key, name+"_bucket{")
		if !ok || !strings.Contains(labels, label) {
			continue
		}
		_, rest, _ := strings.Cut(labels, `le="`)
		text, _, _ := strings.Cut(rest, `"`)
		le, err := strconv.ParseFloat(text, 64)
		if err != nil {
			continue // not a bucket
		}
		list = append(list, Bucket{le, v})
	}
	slices.SortFunc(list, func(a, b Bucket) int { return int(math.Copysign(1, a.Bound-b.Bound)) })
	return list
}

// Quantile of what was observed between two readings, linear within its bucket; 0: nothing was. Past the last bound it is
// that bound.
func Quantile(q float64, before, after []Bucket) float64 {
	if len(after) == 0 {
		return 0
	}
	count := func(i int) float64 {
		if len(before) != len(after) {
			return after[i].Count // the histogram is new
		}
		return after[i].Count - before[i].Count
	}
	total := count(len(after) - 1)
	if total <= 0 {
		return 0
	}
	low, under := 0.0, 0.0
	for i, b := range after {
		n := count(i)
		if n >= q*total {
			if math.IsInf(b.Bound, 1) || n == under {
				return low
			}
			return low + (b.Bound-low)*(q*total-under)/(n-under)
		}
		low, under = b.Bound, n
	}
	return low
}
