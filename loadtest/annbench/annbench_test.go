package annbench_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbinet/npyio"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/flat"
	"github.com/kindred-rec/kindred/index/indextest"
	"github.com/kindred-rec/kindred/loadtest/annbench"
)

// files writes a set as the peers do, with its exact neighbours.
func files(t *testing.T, n, dim, queries int) annbench.Options {
	t.Helper()
	vectors := indextest.Clusters(71, n+queries, dim)
	oracle, err := flat.New(flat.Config{Dim: dim, MaxItems: n})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range vectors[:n] {
		if err := oracle.Add(uint32(i), v); err != nil {
			t.Fatal(err)
		}
	}
	var truth []int32
	for _, v := range vectors[n:] {
		hits, err := oracle.Search(index.Query{Vector: v, K: 10}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hits {
			truth = append(truth, int32(h.ID))
		}
	}
	dir := t.TempDir()
	o := annbench.Options{
		Vectors: filepath.Join(dir, "base.npy"),
		Queries: filepath.Join(dir, "queries.npy"),
		Truth:   filepath.Join(dir, "truth.npy"),
		Engine:  "hnsw",
		Storage: "float32",
		Efs:     []int{10, 60},
		Dir:     dir,
	}
	write(t, o.Vectors, []int{n, dim}, flatten(vectors[:n]))
	write(t, o.Queries, []int{queries, dim}, flatten(vectors[n:]))
	write(t, o.Truth, []int{queries, 10}, truth)
	return o
}

func flatten(rows [][]float32) []float32 {
	var out []float32
	for _, r := range rows {
		out = append(out, r...)
	}
	return out
}

// write writes a two-dimensional npy file.
func write(t *testing.T, path string, shape []int, values any) {
	t.Helper()
	var buf bytes.Buffer
	if err := npyio.Write(&buf, values); err != nil {
		t.Fatal(err)
	}
	text := buf.Bytes()
	// npyio writes slices with one axis: rewrite the shape, in place.
	start := bytes.Index(text, []byte("("))
	end := bytes.Index(text, []byte("}"))
	head := "(" + itoa(shape[0]) + ", " + itoa(shape[1]) + "), }"
	line := bytes.IndexByte(text[end:], '\n') + end
	padded := head + strings.Repeat(" ", line-start-len(head))
	copy(text[start:line], padded)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func itoa(n int) string {
	b, _ := json.Marshal(n) // never fails
	return string(b)
}

func TestALineForEachEffort(t *testing.T) {
	o := files(t, 3000, 16, 50)
	for _, c := range []struct {
		engine, storage string
		lines           int
		recall          float64 // of the last line, at least
	}{
		{"flat", "float32", 1, 1},
		{"hnsw", "float32", 2, .97},
		{"hnsw", "int8", 2, .97},
		{"coder", "float32", 2, .2},
	} {
		o.Engine, o.Storage = c.engine, c.storage
		var out bytes.Buffer
		if err := annbench.Run(t.Context(), o, &out); err != nil {
			t.Fatalf("%s %s: %v", c.engine, c.storage, err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != c.lines {
			t.Fatalf("%s %s: %d lines, want %d", c.engine, c.storage, len(lines), c.lines)
		}
		var r map[string]any
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"us_per_query", "build_per_s", "bytes_per_vector"} {
			if v, ok := r[name].(float64); !ok || v <= 0 {
				t.Errorf("%s %s: %s is %v", c.engine, c.storage, name, r[name])
			}
		}
		if r["engine"] != c.engine || r["storage"] != c.storage || r["recall_at_10"].(float64) < c.recall {
			t.Errorf("%s %s: %v", c.engine, c.storage, r)
		}
	}
}

func TestNamesWhatIsWrong(t *testing.T) {
	good := files(t, 100, 4, 5)
	other, more := files(t, 50, 3, 5), files(t, 50, 4, 7)
	for want, change := range map[string]func(*annbench.Options){
		"no ef":           func(o *annbench.Options) { o.Efs = nil },
		`engine "annoy"`:  func(o *annbench.Options) { o.Engine = "annoy" },
		`storage "int4"`:  func(o *annbench.Options) { o.Storage = "int4" },
		`engine "flat"`:   func(o *annbench.Options) { o.Engine, o.Storage = "flat", "int8" },
		"absent.npy":      func(o *annbench.Options) { o.Vectors = "absent.npy" },
		"of 3 elements":   func(o *annbench.Options) { o.Queries = other.Queries },
		"there are 50":    func(o *annbench.Options) { o.Vectors, o.Queries = other.Vectors, other.Queries },
		"want [5, 10 or":  func(o *annbench.Options) { o.Truth = more.Truth },
		"holds <f4":       func(o *annbench.Options) { o.Truth = o.Queries },
		"Effort is -3":    func(o *annbench.Options) { o.Efs = []int{-3} },
		"bad configurati": func(o *annbench.Options) { o.M = 1000 },
	} {
		o := good
		change(&o)
		if err := annbench.Run(t.Context(), o, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
}
