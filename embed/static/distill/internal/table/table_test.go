package table

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/wordpiece"
)

func vocabulary(t *testing.T, tokens string) *wordpiece.Vocabulary {
	t.Helper()
	vocab, err := wordpiece.NewVocabulary(strings.Fields(tokens))
	if err != nil {
		t.Fatal(err)
	}
	return vocab
}

const tokens = "[PAD] a b [UNK] [CLS] [SEP] c d e f g h"

func random(n int) []float32 {
	r := rand.New(rand.NewPCG(1, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(3 + r.NormFloat64())
	}
	return x
}

func TestRowsAreCentredAndWeightedByRank(t *testing.T) {
	vectors := random(12 * 4)
	rows, err := Weighted(vectors, 4, vocabulary(t, tokens))
	if err != nil {
		t.Fatal(err)
	}
	for token := range int32(12) {
		for d := range 4 {
			mean := 0.0
			for i := range 12 {
				mean += float64(vectors[i*4+d]) / 12
			}
			want := (float64(vectors[int(token)*4+d]) - mean) * math.Log(1+float64(token+1))
			if token == 0 || token == 4 || token == 5 {
				want = 0
			}
			if got := float64(rows.Row(token)[d]); math.Abs(got-want) > 1e-5 {
				t.Errorf("token %d, component %d: %g, want %g", token, d, got, want)
			}
		}
	}
}

// All components kept, inner products stay; with one, it is the direction of most
// variance.
func TestReducingKeepsWhatVariesMost(t *testing.T) {
	vocab := vocabulary(t, tokens)
	vectors := random(12 * 4)
	weighted, err := Weighted(vectors, 4, vocab)
	if err != nil {
		t.Fatal(err)
	}
	reduced, err := Reduce(vectors, 4, 4, vocab)
	if err != nil {
		t.Fatal(err)
	}
	for a := range int32(12) {
		for b := range int32(12) {
			var got, want float64
			for d := range 4 {
				got += float64(reduced.Row(a)[d]) * float64(reduced.Row(b)[d])
				want += float64(weighted.Row(a)[d]) * float64(weighted.Row(b)[d])
			}
			if math.Abs(got-want) > 1e-4 {
				t.Fatalf("rows %d and %d: product %g, want %g", a, b, got, want)
			}
		}
	}
	for i := range vectors { // one direction, with a little of the others
		vectors[i] = float32(i/4) * []float32{3, 0, -4, 0}[i%4] / 5
	}
	one, err := Reduce(vectors, 4, 1, vocab)
	if err != nil {
		t.Fatal(err)
	}
	for token := range int32(12) {
		want := -(float64(token) - 5.5) * math.Log(2+float64(token)) // the largest component, -4/5, made positive
		if token == 0 || token == 4 || token == 5 {
			want = 0
		}
		if got := float64(one.Row(token)[0]); math.Abs(got-want) > 1e-4 {
			t.Errorf("token %d: %g, want %g", token, got, want)
		}
	}
}

func TestWrittenRowsAreReadByStatic(t *testing.T) {
	vocab := vocabulary(t, tokens)
	rows := Rows{Dim: 3, Data: random(12 * 3)}
	clear(rows.Row(0))
	file, err := Safetensors(rows, map[string]string{"method": "none"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	lines := strings.ReplaceAll(tokens, " ", "\n") + "\n"
	if err := errors.Join(os.WriteFile(filepath.Join(dir, static.WeightsFile), file, 0o644), os.WriteFile(filepath.Join(dir, static.VocabFile), []byte(lines), 0o644)); err != nil {
		t.Fatal(err)
	}
	e, err := static.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{"a", "b c", "h h d", ""}
	got := make([]float32, len(texts)*3)
	if err := e.Encode(t.Context(), texts, got); err != nil {
		t.Fatal(err)
	}
	id := func(token string) int32 { i, _ := vocab.ID(token); return i }
	want := rows.Encode([][]int32{{id("a")}, {id("b"), id("c")}, {id("h"), id("h"), id("d")}, nil})
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > 0.01 {
			t.Errorf("text %q, component %d: %g, want %g", texts[i/3], i%3, got[i], want[i])
		}
	}
}

func TestRefusesWrongShapesAndNumbers(t *testing.T) {
	vocab := vocabulary(t, tokens)
	if _, err := Weighted(make([]float32, 5), 4, vocab); !errors.Is(err, ErrShape) {
		t.Errorf("error %v, want ErrShape", err)
	}
	if _, err := Reduce(make([]float32, 12*4), 4, 5, vocab); !errors.Is(err, ErrShape) {
		t.Errorf("error %v, want ErrShape", err)
	}
	if _, err := Safetensors(Rows{Dim: 4, Data: make([]float32, 5)}, nil); !errors.Is(err, ErrShape) {
		t.Errorf("error %v, want ErrShape", err)
	}
	for _, x := range []float64{math.NaN(), math.Inf(1)} {
		if _, err := Safetensors(Rows{Dim: 1, Data: []float32{1, float32(x)}}, nil); err == nil || !strings.Contains(err.Error(), "row 1") {
			t.Errorf("%g: error %v; want one that names row 1", x, err)
		}
	}
}
