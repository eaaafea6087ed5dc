package transformer

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// realModel is the folder of all-MiniLM-L6-v2, which lies beside the repository.
func realModel(t testing.TB) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "models", "all-minilm-l6-v2")
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		t.Skipf("%s is not there", dir)
	}
	return dir
}

// The vectors are those of sentence-transformers; see testdata/reference.py.
func TestRealModelGivesTheReferencesVectors(t *testing.T) {
	content, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Text   string
		Tokens int
		Vector []float64
	}
	if err := json.Unmarshal(content, &rows); err != nil {
		t.Fatal(err)
	}
	dir := realModel(t)
	eachBackend(t, func(t *testing.T, o Options) {
		e := load(t, dir, o)
		texts := make([]string, len(rows))
		for i, r := range rows {
			texts[i] = r.Text
		}
		out, dim := encode(t, e, texts...), e.Info().Dim
		for i, r := range rows {
			if got := e.Measure(r.Text).Tokens + 2; got != r.Tokens {
				t.Errorf("%.30q has %d tokens, want %d", r.Text, got, r.Tokens)
			}
			for j, want := range r.Vector {
				if got := float64(out[i*dim+j]); math.Abs(got-want) > 2e-6 {
					t.Errorf("%.30q: component %d is %g, want %g", r.Text, j, got, want)
				}
			}
		}
	})
}

func BenchmarkEncodeTokens(b *testing.B) {
	e, err := Load(realModel(b), Options{Backend: Go})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	for _, shape := range []struct {
		name          string
		batch, tokens int
	}{{"1x16", 1, 16}, {"1x64", 1, 64}, {"32x32", 32, 32}, {"64x64", 64, 64}} {
		b.Run(shape.name, func(b *testing.B) {
			ids, starts := make([]int32, shape.batch*shape.tokens), make([]int, shape.batch+1)
			for i := range ids {
				ids[i] = int32(i * 7919 % e.Config().Vocab)
			}
			for i := range starts {
				starts[i] = i * shape.tokens
			}
			out := make([]float32, shape.batch*e.Info().Dim)
			b.ReportAllocs()
			for b.Loop() {
				if err := e.EncodeTokens(b.Context(), ids, starts, out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(e.Config().Flops(shape.batch, shape.tokens)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
