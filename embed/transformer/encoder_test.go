package transformer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/internal/batch"
	"github.com/kindred-rec/kindred/embed/transformer/internal/compiled"
	"github.com/kindred-rec/kindred/embed/transformer/internal/direct"
	"github.com/kindred-rec/kindred/embed/transformer/transformertest"
)

// small writes a random model and loads it.
func small(t *testing.T, o Options) *Encoder {
	t.Helper()
	dir := t.TempDir()
	if err := transformertest.Write(dir, transformertest.Small, 1); err != nil {
		t.Fatal(err)
	}
	return load(t, dir, o)
}

func load(t *testing.T, dir string, o Options) *Encoder {
	t.Helper()
	e, err := Load(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// eachBackend runs a test on Go, with one worker and with several, and on XLA where
// there is a plugin.
func eachBackend(t *testing.T, test func(*testing.T, Options)) {
	t.Helper()
	t.Run("go", func(t *testing.T) { test(t, Options{Backend: Go, Workers: 1}) })
	t.Run("go with 3 workers", func(t *testing.T) { test(t, Options{Backend: Go, Workers: 3}) })
	t.Run("xla:cpu", func(t *testing.T) {
		if !haveXLA {
			t.Skip("built without XLA")
		}
		if _, err := FindPlugin(XLACPU); err != nil {
			t.Skip(err)
		}
		test(t, Options{Backend: XLACPU})
	})
}

func encode(t *testing.T, e *Encoder, texts ...string) []float32 {
	t.Helper()
	out := make([]float32, len(texts)*e.Info().Dim)
	if err := e.Encode(t.Context(), texts, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEveryBackendKeepsTheContract(t *testing.T) {
	eachBackend(t, func(t *testing.T, o Options) {
		if err := embed.Verify(t.Context(), small(t, o)); err != nil {
			t.Error(err)
		}
	})
}

// networks are all ways to compute a model, the GoMLX graph on its own Go backend among
// them, so that the graph is tested without a plugin.
func networks(t *testing.T, m *checkpoint.Model) map[string]func(batch.Texts, []float32) error {
	t.Helper()
	all := map[string]func(batch.Texts, []float32) error{}
	for _, workers := range []int{1, 2, 5} {
		n := direct.New(m, workers)
		all[fmt.Sprintf("go with %d workers", workers)] = func(x batch.Texts, out []float32) error { return n.Encode(t.Context(), x, out) }
	}
	if pointerChecks {
		return all
	}
	backend, err := gobackend.New("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := compiled.New(backend, m, compiled.Limits{Tokens: 256, Batch: 8, Programs: 3, Calls: 1}, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	all["graph"] = func(x batch.Texts, out []float32) error { return n.Encode(t.Context(), x, out) }
	return all
}

func TestForwardPassEqualsThePlainOne(t *testing.T) {
	roberta := transformertest.Small
	roberta.Family, roberta.FirstPosition, roberta.TokenTypes = "roberta", 2, 1
	uneven := transformertest.Small // nothing is a multiple of a vector
	uneven.Hidden, uneven.Heads, uneven.FeedForward = 21, 3, 37
	wide := transformertest.Small
	wide.Hidden, wide.Heads, wide.Layers, wide.FeedForward = 64, 2, 1, 96
	for i, c := range []checkpoint.Config{transformertest.Small, roberta, uneven, wide} {
		for _, pooling := range []checkpoint.Pooling{checkpoint.Mean, checkpoint.CLS, checkpoint.Last} {
			m := &checkpoint.Model{Config: c, Pooling: pooling, MaxTokens: 50, Weights: transformertest.Weights(c, uint64(i))}
			for name, run := range networks(t, m) {
				t.Run(fmt.Sprintf("%s %d %s %s", c.Family, c.Hidden, pooling, name), func(t *testing.T) { checkForward(t, m, run) })
			}
		}
	}
}

func checkForward(t *testing.T, m *checkpoint.Model, run func(batch.Texts, []float32) error) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 11} {
		x := batch.Texts{Starts: []int{0}}
		for range n {
			for range 1 + rng.IntN(m.MaxTokens) {
				x.IDs = append(x.IDs, int32(rng.IntN(m.Config.Vocab)))
			}
			x.Starts = append(x.Starts, len(x.IDs))
		}
		h := m.Config.Hidden
		out := make([]float32, n*h)
		if err := run(x, out); err != nil {
			t.Fatal(err)
		}
		normalizeRows(out, h)
		for i := range n {
			want := plain(m, x.Text(i))
			for j := range want {
				if math.Abs(float64(out[i*h+j])-want[j]) > 1e-5 {
					t.Fatalf("%d texts: component %d of text %d (%d tokens) is %g, want %g", n, j, i, len(x.Text(i)), out[i*h+j], want[j])
				}
			}
		}
	}
}

// corpus is many texts of many lengths, in no order, more than fit in a window.
func corpus(n int) []string {
	rng := rand.New(rand.NewPCG(3, 4))
	words := strings.Fields("desk lamp black paper ink pens gel blue chairs unknownword 中文 & 42")
	texts := make([]string, n)
	for i := range texts {
		for range rng.IntN(40) {
			texts[i] += words[rng.IntN(len(words))] + " "
		}
	}
	return texts
}

func TestATextHasTheSameVectorWhereverItStands(t *testing.T) {
	eachBackend(t, func(t *testing.T, o Options) {
		e := small(t, o)
		texts := corpus(windowTexts + 300)
		all := encode(t, e, texts...)
		dim := e.Info().Dim
		for i := 0; i < len(texts); i += 97 {
			for j, x := range encode(t, e, texts[i]) {
				if d := math.Abs(float64(x - all[i*dim+j])); d > 1e-6 {
					t.Fatalf("text %d: component %d is %g alone and %g among others", i, j, x, all[i*dim+j])
				}
			}
		}
	})
}

func TestHostileTextsHarmNobody(t *testing.T) {
	eachBackend(t, func(t *testing.T, o Options) {
		e := small(t, o)
		texts := []string{"desk lamp", "", " \t\n", strings.Repeat("a", 100_000), strings.Repeat("lamp ", 20_000), strings.Repeat(" ", 100_000) + "x",
			"🖊️📎 👩‍💼", "كرسي مكتب أسود", "\u202eabc\u202c", "\xff\xfe\x00", "desk \xff lamp", "[CLS] [SEP] [MASK]", "İstanbul ǅ ﬀ",
			strings.Repeat("é", 50_000), strings.Repeat("e\u0301\u0327", 50_000), "desk lamp"}
		out := encode(t, e, texts...)
		dim := e.Info().Dim
		first := out[:dim]
		for i := range texts {
			row := out[i*dim : (i+1)*dim]
			var length float64
			for _, x := range row {
				length += float64(x) * float64(x)
			}
			if e.Measure(texts[i]).Tokens == 0 {
				if length != 0 {
					t.Errorf("%.20q has no tokens and length %g", texts[i], length)
				}
			} else if math.Abs(length-1) > 1e-5 {
				t.Errorf("%.20q has length %g", texts[i], length)
			}
		}
		for j, x := range out[15*dim:] {
			if math.Abs(float64(x-first[j])) > 1e-6 {
				t.Fatalf("the last text is the first, and component %d is %g and %g", j, x, first[j])
			}
		}
		if s := e.Stats(); s.Texts != 16 || s.Truncated != 5 || s.Empty != 4 {
			t.Errorf("stats are %+v; want 16 texts, 5 truncated, 4 empty", s)
		}
	})
}

func TestTruncationIsCountedAndReported(t *testing.T) {
	e := small(t, Options{Backend: Go, MaxTokens: 8})
	fits, long := "desk lamp black paper ink pen", "desk lamp black paper ink pen gel"
	if x := e.Measure(fits); x.Truncated || x.Tokens != 6 || x.Bytes != len(fits) {
		t.Errorf("extent of %q is %+v", fits, x)
	}
	if x := e.Measure(long); !x.Truncated || x.Tokens != 6 {
		t.Errorf("extent of %q is %+v", long, x)
	}
	a, b := encode(t, e, fits), encode(t, e, long)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("component %d: %g with what is left out, %g without", i, b[i], a[i])
		}
	}
	if s := e.Stats(); s.Truncated != 1 || s.Texts != 2 || s.Tokens != 16 {
		t.Errorf("stats are %+v; want 1 of 2 truncated, 16 tokens", s)
	}
}

func TestAPromptIsPutBeforeEachText(t *testing.T) {
	e := small(t, Options{Backend: Go})
	if e.Prompts()["query"] != "query: " {
		t.Fatalf("prompts are %q", e.Prompts())
	}
	query := e.WithPrompt(e.Prompts()["query"])
	got, want, bare := encode(t, query, "desk lamp"), encode(t, e, "query: desk lamp"), encode(t, e, "desk lamp")
	same := true
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("component %d is %g, want %g", i, got[i], want[i])
		}
		same = same && got[i] == bare[i]
	}
	if same {
		t.Error("the prompt changes nothing")
	}
	for _, x := range encode(t, query, " ") {
		if x != 0 {
			t.Fatal("a text that is empty has a vector, of its prompt")
		}
	}
	if x := query.Measure("desk lamp"); x.Tokens != 2 || x.Bytes != len("desk lamp") {
		t.Errorf("extent is %+v; want 2 tokens of 9 bytes: those of the text", x)
	}
	if err := embed.Verify(t.Context(), query); err != nil {
		t.Error(err)
	}
}

func TestConcurrentCallsAndClose(t *testing.T) {
	eachBackend(t, func(t *testing.T, o Options) {
		e := small(t, o)
		texts := corpus(150)
		want := encode(t, e, texts...)
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				out := make([]float32, len(want))
				for range 3 {
					err := e.Encode(context.Background(), texts, out)
					if errors.Is(err, embed.ErrUnavailable) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					for i := range out {
						if math.Abs(float64(out[i]-want[i])) > 1e-6 {
							t.Errorf("component %d is %g, want %g", i, out[i], want[i])
							return
						}
					}
				}
			})
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if err := e.Encode(t.Context(), texts[:1], make([]float32, e.Info().Dim)); !errors.Is(err, embed.ErrUnavailable) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestACancelledCallStops(t *testing.T) {
	eachBackend(t, func(t *testing.T, o Options) {
		e := small(t, o)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		texts := corpus(windowTexts * 2)
		if err := e.Encode(ctx, texts, make([]float32, len(texts)*e.Info().Dim)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestEncodeTokensChecksItsInput(t *testing.T) {
	e := small(t, Options{Backend: Go})
	dim := e.Info().Dim
	for name, try := range map[string]struct {
		ids    []int32
		starts []int
	}{
		"a token that the vocabulary lacks": {[]int32{2, int32(len(transformertest.Words))}, []int{0, 2}},
		"a negative token":                  {[]int32{-1}, []int{0, 1}},
		"a text without tokens":             {[]int32{2, 3}, []int{0, 0}},
		"starts beyond the tokens":          {[]int32{2, 3}, []int{0, 3}},
		"no starts":                         {nil, nil},
		"too long a text":                   {make([]int32, 33), []int{0, 33}},
	} {
		if err := e.EncodeTokens(t.Context(), try.ids, try.starts, make([]float32, dim)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	ids := append(append([]int32{}, e.tokenizer.Before...), 5, 6)
	ids = append(ids, e.tokenizer.After...)
	got := make([]float32, dim)
	if err := e.EncodeTokens(t.Context(), ids, []int{0, len(ids)}, got); err != nil {
		t.Fatal(err)
	}
	for i, x := range encode(t, e, "desk lamp") {
		if x != got[i] {
			t.Fatalf("component %d is %g of tokens and %g of the text", i, got[i], x)
		}
	}
}

func TestProgramsAreCountedAndBounded(t *testing.T) {
	if pointerChecks {
		t.Skip("GoMLX's Go backend does not run under the race detector")
	}
	m := &checkpoint.Model{Config: transformertest.Small, Pooling: checkpoint.Mean, MaxTokens: 64, Weights: transformertest.Weights(transformertest.Small, 1)}
	backend, err := gobackend.New("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := compiled.New(backend, m, compiled.Limits{Tokens: 128, Batch: 4, Programs: 2, Calls: 1}, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	out := make([]float32, 4*m.Config.Hidden)
	one := func(tokens int) {
		if err := n.Encode(t.Context(), batch.Texts{IDs: make([]int32, tokens), Starts: []int{0, tokens}}, out); err != nil {
			t.Fatal(err)
		}
	}
	for _, tokens := range []int{3, 8, 5} { // one shape
		one(tokens)
	}
	if n.Compiled() != 1 {
		t.Errorf("%d programs for one shape", n.Compiled())
	}
	for _, tokens := range []int{9, 20, 30, 3} { // the first was dropped
		one(tokens)
	}
	if n.Compiled() != 5 {
		t.Errorf("%d programs were compiled; want 5, the first one twice", n.Compiled())
	}
}

func TestAutoSaysWhatItChoseAndWhy(t *testing.T) {
	t.Setenv(PluginEnv, "")
	var log bytes.Buffer
	e := small(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "chosen="+string(e.Backend())) || !strings.Contains(log.String(), "why=") {
		t.Errorf("the log says %q; the backend is %s", log.String(), e.Backend())
	}
}

func TestABackendThatIsNotThereIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := transformertest.Write(dir, transformertest.Small, 1); err != nil {
		t.Fatal(err)
	}
	t.Setenv(PluginEnv, dir+"/nothing.so")
	broken := dir + "/broken.so"
	if err := os.WriteFile(broken, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"unknown":     {Backend: "tpu"},
		"nothing.so":  {Backend: XLACPU},
		"broken.so":   {Backend: XLACUDA, Plugin: broken},
		"not for go":  {Backend: Go, Plugin: broken},
		"not for aut": {Plugin: broken},
	} {
		_, err := Load(dir, o)
		if err == nil {
			t.Errorf("%s: %+v is taken", name, o)
			continue
		}
		if haveXLA && strings.HasSuffix(name, ".so") && (!errors.Is(err, ErrBackend) || !strings.Contains(err.Error(), name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestShorterProductsGiveNearlyTheSameVectors(t *testing.T) {
	if !haveXLA {
		t.Skip("built without XLA")
	}
	if _, err := FindPlugin(XLACPU); err != nil {
		t.Skip(err)
	}
	texts := []string{"desk lamp", "black ink for a fountain pen", strings.Repeat("lamp ", 30)}
	dir := t.TempDir()
	if err := transformertest.Write(dir, transformertest.Small, 1); err != nil {
		t.Fatal(err)
	}
	whole := load(t, dir, Options{Backend: XLACPU})
	want := encode(t, whole, texts...)
	for _, p := range []Precision{BF16, FP16} {
		short := load(t, dir, Options{Backend: XLACPU, Precision: p})
		if name := short.Info().Model; name != whole.Info().Model+"+"+string(p) {
			t.Errorf("%s: the model is called %s", p, name)
		}
		got, dim := encode(t, short, texts...), short.Info().Dim
		same := true
		for i := range texts {
			cosine := 0.0
			for j := range dim {
				cosine += float64(got[i*dim+j]) * float64(want[i*dim+j])
				same = same && got[i*dim+j] == want[i*dim+j]
			}
			if cosine < .999 {
				t.Errorf("%s: text %d has cosine %v with that of fp32", p, i, cosine)
			}
		}
		if same {
			t.Errorf("%s: the vectors are those of fp32 to the bit", p)
		}
	}
}

func TestAPrecisionThatCannotBeComputedIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := transformertest.Write(dir, transformertest.Small, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, Options{Backend: Go, Precision: BF16}); !errors.Is(err, ErrBackend) || !strings.Contains(err.Error(), "bf16") {
		t.Errorf("go in bf16: %v", err)
	}
	if _, err := Load(dir, Options{Backend: Go, Precision: "int3"}); err == nil || !strings.Contains(err.Error(), "int3") {
		t.Errorf("an unknown precision: %v", err)
	}
}
