package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/corpus"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/table"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/teacher"
	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/wordpiece"
)

const (
	sharedTeacher = "../../../../shared/models/all-minilm-l6-v2"
	sharedItems   = "../../../../shared/data/amazon-office/items.jsonl"
)

// real opens MiniLM, or skips the test where the shared folder is absent.
func real(t *testing.T) *teacher.Teacher {
	t.Helper()
	if _, err := os.Stat("../../../../shared"); errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no folder ../shared with the model and the data")
	}
	e, err := teacher.Open(sharedTeacher, transformer.Options{Backend: transformer.Go, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func silent(string, float64) {}

// embeddedRows reads the rows of the embedded table, [tokens, dim].
func embeddedRows(t *testing.T) (rows []float64, dim int) {
	t.Helper()
	file := content(t, "../model", static.WeightsFile)
	var header struct {
		Table, Scale struct {
			Shape   []int
			Offsets [2]int `json:"data_offsets"`
		}
	}
	file, text := file[8+binary.LittleEndian.Uint64(file):], file[8:8+binary.LittleEndian.Uint64(file)]
	if err := json.Unmarshal(text, &header); err != nil {
		t.Fatal(err)
	}
	dim = header.Table.Shape[1]
	for i, q := range file[header.Table.Offsets[0]:header.Table.Offsets[1]] {
		scale := math.Float32frombits(binary.LittleEndian.Uint32(file[header.Scale.Offsets[0]+4*(i/dim):]))
		rows = append(rows, float64(scale)*float64(int8(q)))
	}
	return rows, dim
}

// Rows of the embedded table are one linear map of the teacher's centred and weighted
// vectors of tokens. The map is found from some tokens and holds for others, so their
// vectors and weights are the method's. The mean over all tokens, which is not at hand,
// is found as well.
func TestTheEmbeddedTableIsALinearMapOfTheTeachersTokens(t *testing.T) {
	e := real(t)
	rows, out := embeddedRows(t)
	var tokens []int32
	for token := int32(1000); token < 30000; token += 20 {
		tokens = append(tokens, token)
	}
	vectors, err := e.Tokens(t.Context(), tokens, silent)
	if err != nil {
		t.Fatal(err)
	}
	n, dim := len(tokens), e.Dim()
	from, to := mat.NewDense(n, dim+1, nil), mat.NewDense(n, out, nil)
	for i, token := range tokens {
		weight := math.Log(1 + float64(token+1))
		for d := range dim {
			from.Set(i, d, weight*float64(vectors[i*dim+d]))
		}
		from.Set(i, dim, weight) // for the mean
		to.SetRow(i, rows[int(token)*out:(int(token)+1)*out])
	}
	// Some components of MiniLM are the same for all texts, so that the map is not
	// unique; a small penalty chooses one.
	known := n * 2 / 3
	x, y := from.Slice(0, known, 0, dim+1), to.Slice(0, known, 0, out)
	var square, product, linear mat.Dense
	square.Mul(x.T(), x)
	for d := range dim + 1 {
		square.Set(d, d, square.At(d, d)+1e-6)
	}
	product.Mul(x.T(), y)
	if err := linear.Solve(&square, &product); err != nil {
		t.Fatal(err)
	}
	var got mat.Dense
	got.Mul(from, &linear)
	for i := known; i < n; i++ {
		g, w := mat.VecDenseCopyOf(got.RowView(i)), mat.VecDenseCopyOf(to.RowView(i))
		if cosine := mat.Dot(g, w) / mat.Norm(g, 2) / mat.Norm(w, 2); cosine < 0.999 {
			t.Fatalf("token %d: cosine %.5f with the embedded row", tokens[i], cosine)
		}
	}
}

// From a few hundred real items a table is learned that finds clearly more of the
// teacher's neighbours among items that it did not see. To be quick, the teacher is
// asked only for the tokens that the texts hold.
func TestLearnsFromRealItems(t *testing.T) {
	e := real(t)
	items, err := corpus.Open(sharedItems)
	if err != nil {
		t.Fatal(err)
	}
	items.Texts = items.Texts[:300]
	c := &command{Texts: sharedItems, Holdout: true, Dim: 256, Pieces: 400, Steps: 100, Rate: 0.003, Seed: 1, Workers: 2}
	b := &build{command: c, teacher: e, corpus: items, progress: silent}
	p, err := b.split()
	if err != nil {
		t.Fatal(err)
	}
	tokens := someTokens(t, e, corpus.Wholes(items.Texts))
	reduced, err := table.Reduce(tokens, e.Dim(), c.Dim, e.Vocabulary())
	if err != nil {
		t.Fatal(err)
	}
	m := b.newManifest()
	if _, err := b.learn(t.Context(), m, p, tokens, reduced); err != nil {
		t.Fatal(err)
	}
	overlap := map[string]float64{}
	for _, f := range m.Figures {
		overlap[f.Part+" "+f.Table] = f.Overlap
	}
	t.Logf("overlap %.3v", overlap)
	if overlap["test learned"] < overlap["test embedded"]+0.05 {
		t.Errorf("overlap %.3v; want the learned table's on the test clearly above the embedded one's", overlap)
	}
}

// someTokens returns vectors of the whole vocabulary: the teacher's for tokens of the
// texts, and the mean of these for the others.
func someTokens(t *testing.T, e *teacher.Teacher, texts []string) []float32 {
	t.Helper()
	tokenizer, err := wordpiece.New(e.Vocabulary(), wordpiece.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var tokens []int32
	for _, text := range texts {
		tokens, _ = tokenizer.Append(tokens, text)
	}
	slices.Sort(tokens)
	tokens = slices.Compact(tokens)
	vectors, err := e.Tokens(t.Context(), tokens, silent)
	if err != nil {
		t.Fatal(err)
	}
	dim := e.Dim()
	mean := make([]float32, dim)
	for i, x := range vectors {
		mean[i%dim] += x / float32(len(tokens))
	}
	all := slices.Repeat(mean, e.Vocabulary().Len())
	for i, token := range tokens {
		copy(all[int(token)*dim:], vectors[i*dim:(i+1)*dim])
	}
	return all
}
