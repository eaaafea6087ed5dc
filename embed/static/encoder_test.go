package static

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/embed"
)

func byDefault(t testing.TB) *Encoder {
	t.Helper()
	e, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func encode(t testing.TB, e embed.Encoder, texts ...string) []float32 {
	t.Helper()
	out := make([]float32, len(texts)*e.Info().Dim)
	if err := e.Encode(context.Background(), texts, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestKeepsContract(t *testing.T) {
	if err := embed.Verify(t.Context(), byDefault(t)); err != nil {
		t.Error(err)
	}
}

// testdata/reference.json came with the table: token ids and the first eight
// components, to five decimals.
func TestSameVectorsAsReference(t *testing.T) {
	content, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Text   string
		IDs    []int32
		First8 []float32
	}
	if err := json.Unmarshal(content, &cases); err != nil || len(cases) < 6 {
		t.Fatalf("%d cases, error %v", len(cases), err)
	}
	e := byDefault(t)
	for _, c := range cases {
		ids, _ := e.Tokenizer().Append(nil, c.Text)
		if !slices.Equal(ids, c.IDs) {
			t.Errorf("%q: tokens %v, want %v", c.Text, ids, c.IDs)
		}
		row := encode(t, e, c.Text)
		for i, want := range c.First8 {
			if math.Abs(float64(row[i]-want)) > 1e-5 {
				t.Errorf("%q: component %d is %.6f, want %.5f", c.Text, i, row[i], want)
			}
		}
	}
}

// The whole vectors, to the last bit: they are kept for years beside the name of
// the model, and must not depend on the machine that made them.
func TestSameVectorsOnEveryMachine(t *testing.T) {
	h := sha256.New()
	binary.Write(h, binary.LittleEndian, encode(t, byDefault(t), "Canon ink cartridge, black", "naïve café №5", "qwxzv 中文 😀", strings.Repeat("A4 paper 500 sheets ", 50)))
	if got, want := fmt.Sprintf("%x", h.Sum(nil)[:8]), "129b925df9727469"; got != want {
		t.Errorf("hash of the vectors is %s, want %s", got, want)
	}
	if got, want := byDefault(t).Info().Model, "static-minilm-256@sha256:be591d42d7be0bcf"; got != want {
		t.Errorf("model is %s, want %s", got, want)
	}
}

// The sum and the length by the definition, in float64 from the file's tensors.
func TestVectorIsSumOfRows(t *testing.T) {
	e := byDefault(t)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[a-z0-9 ,.-]{0,80}`), rapid.String()).Draw(t, "text")
		sum := make([]float64, e.table.Dim)
		ids, _ := e.tokenizer.Append(nil, text)
		var squares float64
		for _, id := range ids {
			for i := range sum {
				sum[i] += float64(e.table.Scales[id]) * float64(int8(e.table.Rows[int(id)*e.table.Dim+i]))
			}
		}
		for _, x := range sum {
			squares += x * x
		}
		row := make([]float32, e.table.Dim)
		if err := e.Encode(context.Background(), []string{text}, row); err != nil {
			t.Fatal(err)
		}
		for i, got := range row {
			want := 0.0
			if squares > 0 {
				want = sum[i] / math.Sqrt(squares)
			}
			if math.Abs(float64(got)-want) > 1e-5 {
				t.Fatalf("%q: component %d is %g, want %g", text, i, got, want)
			}
		}
	})
}

func TestUnknownWordsCountAndSpecialTokensDoNot(t *testing.T) {
	e := byDefault(t)
	unknown, _ := e.Tokenizer().Vocabulary().ID("[UNK]")
	ids, _ := e.Tokenizer().Append(nil, "😀")
	if !slices.Equal(ids, []int32{unknown}) || dot(encode(t, e, "😀"), encode(t, e, "😀")) < 0.99 {
		t.Errorf("a word without pieces has tokens %v and no vector", ids)
	}
	for _, special := range []string{"[CLS]", "[SEP]", "[PAD]", "[MASK]"} {
		id, ok := e.Tokenizer().Vocabulary().ID(special)
		row := e.table.Rows[int(id)*e.table.Dim:][:e.table.Dim]
		if !ok || slices.ContainsFunc(row, func(b byte) bool { return b != 0 }) {
			t.Errorf("%s has a row that is not zeros", special)
		}
		if ids, _ := e.Tokenizer().Append(nil, special); slices.Contains(ids, id) {
			t.Errorf("text %q became the special token", special)
		}
	}
}

func TestAlikeTextsLieCloser(t *testing.T) {
	e := byDefault(t)
	dim := e.Info().Dim
	rows := encode(t, e, "black ink cartridge for HP printer", "HP printer toner, black", "ergonomic office chair")
	near, far := dot(rows[:dim], rows[dim:2*dim]), dot(rows[:dim], rows[2*dim:])
	if near < far+0.3 {
		t.Errorf("cosine of alike texts %.2f, of others %.2f", near, far)
	}
}

func TestTruncationIsReported(t *testing.T) {
	e := byDefault(t)
	long := strings.Repeat("ink ", MaxBytes/4+1)
	row := make([]float32, e.Info().Dim)
	got, err := e.EncodeText(long, row)
	if want := (embed.Extent{Tokens: MaxBytes / 4, Bytes: MaxBytes, Truncated: true}); err != nil || got != want || e.Measure(long) != want {
		t.Errorf("%d bytes: extent %+v, want %+v, error %v", len(long), got, want, err)
	}
	if got := e.Measure("ink paper"); got != (embed.Extent{Tokens: 2, Bytes: 9}) {
		t.Errorf("a short text: extent %+v", got)
	}
	if _, err := e.EncodeText("ink", row[1:]); !errors.Is(err, embed.ErrShape) {
		t.Errorf("a short output: error %v", err)
	}
}

func TestEncodeAllocatesNothing(t *testing.T) {
	e := byDefault(t)
	texts := []string{"Canon ink cartridge, black", "naïve café №5 ®", ""}
	out := make([]float32, len(texts)*e.Info().Dim)
	ctx := context.Background()
	if n := testing.AllocsPerRun(200, func() { _ = e.Encode(ctx, texts, out) }); n != 0 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
}

func TestConcurrentCallsAgree(t *testing.T) {
	e := byDefault(t)
	texts := []string{"a desk", "a lamp", strings.Repeat("pen ", 1000)}
	want := encode(t, e, texts...)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				got := make([]float32, len(want))
				if err := e.Encode(t.Context(), texts, got); err != nil || !slices.Equal(got, want) {
					t.Errorf("other vectors, error %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzEncode(f *testing.F) {
	for _, s := range []string{"", "Canon ink", "\xff\xfe", "中文 가각 😀", "[SEP]"} {
		f.Add(s)
	}
	e := byDefault(f)
	f.Fuzz(func(t *testing.T, text string) {
		row := encode(t, e, text)
		length := dot(row, row)
		if tokens := e.Measure(text).Tokens; (tokens == 0) != (length == 0) || length != 0 && math.Abs(length-1) > 1e-5 {
			t.Errorf("%+q: %d tokens, squared length %g", text, tokens, length)
		}
	})
}

// titles are real ones where the data lies beside the repository, else made up.
func titles(tb testing.TB) []string {
	f, err := os.Open("../../../shared/data/amazon-office/items.jsonl")
	if errors.Is(err, os.ErrNotExist) {
		made := make([]string, 2000)
		for i := range made {
			made[i] = fmt.Sprintf("HP %d Black & %d Tri-color Original Ink Cartridges, %d Cartridges (CB%dWN)", i%97, i%89, i%7, i)
		}
		return made
	} else if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var out []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var item struct{ Title string }
		if err := json.Unmarshal(lines.Bytes(), &item); err != nil {
			tb.Fatal(err)
		}
		out = append(out, item.Title)
	}
	return out
}

func BenchmarkEncodeTitles(b *testing.B) {
	e, texts := byDefault(b), titles(b)
	out := make([]float32, len(texts)*e.Info().Dim)
	tokens := 0
	for _, text := range texts {
		tokens += e.Measure(text).Tokens
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Encode(context.Background(), texts, out); err != nil {
			b.Fatal(err)
		}
	}
	if dot(out[:e.Info().Dim], out[:e.Info().Dim]) < 0.99 {
		b.Fatal("nothing was encoded")
	}
	b.ReportMetric(float64(len(texts)*b.N)/b.Elapsed().Seconds(), "texts/s")
	b.ReportMetric(float64(tokens)/float64(len(texts)), "tokens/text")
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(DefaultName, defaultWeights, defaultVocab); err != nil {
			b.Fatal(err)
		}
	}
}
