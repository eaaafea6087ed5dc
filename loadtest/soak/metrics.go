package soak

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

// metrics is one reading of a Prometheus page: values by name with labels, as they are written.
type metrics map[string]float64

// read fetches a page.
func read(ctx context.Context, client *http.Client, addr string) (metrics, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	reply, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("soak: read metrics: %w", err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("soak: %s/metrics answers %s", addr, reply.Status)
	}
	return parse(reply.Body)
}

// parse reads the text format (version 0.0.4) without timestamps.
func parse(from io.Reader) (metrics, error) {
	m := metrics{}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		cut := strings.LastIndexByte(line, ' ')
		if cut < 0 {
			return nil, fmt.Errorf("soak: a metric without a value: %q", line)
		}
		v, err := strconv.ParseFloat(line[cut+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("soak: metric %q: %w", line, err)
		}
		m[line[:cut]] = v
	}
	return m, lines.Err()
}

// labelled is the sum of a metric's values whose labels contain a text.
func (m metrics) labelled(name, label string) (sum float64) {
	for key, v := range m {
		if labels, ok := strings.CutPrefix(key, name+"{"); ok && strings.Contains(labels, label) {
			sum += v
		}
	}
	return sum
}

// bucket of a histogram: how many observations were at most le, cumulative.
type bucket struct{ le, count float64 }

// buckets are those of a histogram whose labels contain a text, in order.
func (m metrics) buckets(name, label string) []bucket {
	var list []bucket
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
		list = append(list, bucket{le, v})
	}
	slices.SortFunc(list, func(a, b bucket) int { return int(math.Copysign(1, a.le-b.le)) })
	return list
}

// quantile of what was observed between two readings, linear within its bucket; 0: nothing was. Past the last bound it is
// that bound.
func quantile(q float64, before, after []bucket) float64 {
	if len(after) == 0 {
		return 0
	}
	count := func(i int) float64 {
		if len(before) != len(after) {
			return after[i].count // the histogram is new
		}
		return after[i].count - before[i].count
	}
	total := count(len(after) - 1)
	if total <= 0 {
		return 0
	}
	low, under := 0.0, 0.0
	for i, b := range after {
		n := count(i)
		if n >= q*total {
			if math.IsInf(b.le, 1) || n == under {
				return low
			}
			return low + (b.le-low)*(q*total-under)/(n-under)
		}
		low, under = b.le, n
	}
	return low
}
