package scrape

import (
	"math"
	"strings"
	"testing"
)

const page = `# HELP x y
kindred_rpc_seconds_bucket{method="/a/Recommend",le="0.01"} %
kindred_rpc_seconds_bucket{method="/a/Recommend",le="0.02"} 190
kindred_rpc_seconds_bucket{method="/a/Recommend",le="+Inf"} 200
kindred_rpc_seconds_bucket{method="/a/Other",le="0.01"} 7
go_goroutines 34
process_resident_memory_bytes 1.5e+08
`

func TestQuantileIsOfTheWindow(t *testing.T) {
	reading := func(first string) Page {
		m, err := Parse(strings.NewReader(strings.ReplaceAll(page, "%", first)))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := reading("100")
	if m["go_goroutines"] != 34 || m["process_resident_memory_bytes"] != 1.5e8 {
		t.Errorf("read %v", m)
	}
	b := m.Buckets("kindred_rpc_seconds", "/a/Recommend")
	if len(b) != 3 || !math.IsInf(b[2].Bound, 1) {
		t.Fatalf("buckets %v", b)
	}
	if q := Quantile(0.5, nil, b); q != 0.01 {
		t.Errorf("median %v", q)
	}
	if q := Quantile(0.725, nil, b); math.Abs(q-0.015) > 1e-9 {
		t.Errorf("in the middle of the second bucket: %v", q)
	}
	if q := Quantile(0.99, nil, b); q != 0.02 {
		t.Errorf("past the last bound: %v", q)
	}
	if q := Quantile(0.99, b, b); q != 0 {
		t.Errorf("an empty window: %v", q)
	}
	if _, err := Parse(strings.NewReader("novalue\n")); err == nil {
		t.Error("a line without a value is taken")
	}
}
