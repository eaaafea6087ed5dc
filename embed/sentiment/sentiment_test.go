package sentiment

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/static"
)

func encoder(t testing.TB) *static.Encoder {
	t.Helper()
	enc, err := static.Default()
	if err != nil {
		t.Fatal(err)
	}
	return enc
}

func score(t *testing.T, s Scorer, texts ...string) []float64 {
	t.Helper()
	out := make([]float64, len(texts))
	if err := s.Score(context.Background(), texts, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// The figures are those of the reference implementation, vaderSentiment 3.3.2.
func TestLexiconScoresAsTheReferenceDoes(t *testing.T) {
	texts := []string{"VADER is smart, handsome, and funny.", "VADER is not smart, handsome, nor funny.",
		"Today only kinda sux! But I'll get by, lol", "Catch utf-8 emoji such as such as 💘 and 💋 and 😁", "Not bad at all"}
	want := []float64{0.8316, -0.7424, 0.5249, 0.8750, 0.431}
	for i, got := range score(t, Lexicon{}, texts...) {
		if math.Abs(got-want[i]) > 5e-4 {
			t.Errorf("%q: %.4f, want %.4f", texts[i], got, want[i])
		}
	}
	if got := score(t, Lexicon{}, "very\n good\tindeed", "very good indeed"); got[0] != got[1] {
		t.Errorf("white space changes the score: %v", got)
	}
}

func TestNothingToSayScoresZero(t *testing.T) {
	head, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	model, err := head.With(encoder(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []Scorer{Lexicon{}, model} {
		for i, got := range score(t, s, "", " \t\n", "\xff\xfe") {
			if got != 0 {
				t.Errorf("%T, text %d: %v", s, i, got)
			}
		}
	}
}

func TestDefaultHeadTellsPraiseFromBlame(t *testing.T) {
	head, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if head.Encoder() != encoder(t).Info().Model {
		t.Fatalf("the embedded head belongs to %q, the embedded encoder is %q; run go generate", head.Encoder(), encoder(t).Info().Model)
	}
	model, err := head.With(encoder(t))
	if err != nil {
		t.Fatal(err)
	}
	good := score(t, model, "Works perfectly, I love this printer!", "the battery lasts all day and the picture is great", "best purchase i have ever made", "easy to use and well built")
	bad := score(t, model, "It broke after two days and support was no help.", "complete waste of money, do not buy", "the worst player i have owned", "it does not work and they refused a refund")
	for i := range good {
		if good[i] < 0.2 || bad[i] > -0.2 || good[i] > 1 || bad[i] < -1 {
			t.Errorf("pair %d: good %v, bad %v", i, good[i], bad[i])
		}
	}
}

func TestHeadOfAnotherEncoderIsRefusedByName(t *testing.T) {
	head, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	_, err = head.With(toy{name: "other@sha256:1", dim: 256})
	if !errors.Is(err, ErrEncoder) || !strings.Contains(err.Error(), "other@sha256:1") || !strings.Contains(err.Error(), head.Encoder()) {
		t.Errorf("%v", err)
	}
}

// toy gives each text a random direction of its own.
type toy struct {
	name string
	dim  int
}

func (e toy) Info() embed.Info { return embed.Info{Model: e.name, Dim: e.dim} }

func (e toy) Encode(_ context.Context, texts []string, out []float32) error {
	for i, text := range texts {
		row := out[i*e.dim : (i+1)*e.dim]
		rng := rand.New(rand.NewPCG(uint64(len(text)), uint64(slot(text))))
		for j := range row {
			row[j] = float32(rng.NormFloat64())
		}
		if strings.TrimSpace(text) == "" {
			clear(row)
			continue
		}
		centre(row, append([]float32(nil), row...), make([]float32, e.dim))
	}
	return nil
}

// synthetic are texts in which made-up words decide how people feel, and a negation turns one.
func synthetic(n int, seed uint64) ([]string, []float64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	names := []string{"zab", "rok", "mip", "dul", "fen", "gax", "hob", "jit"}
	texts, ratings := make([]string, n), make([]float64, n)
	for i := range texts {
		list := make([]string, 5)
		for j := range list {
			w := rng.IntN(len(names))
			y := 0.6
			if w%2 == 1 {
				y = -0.6
			}
			list[j] = names[w]
			ratings[i] += y
		}
		texts[i] = strings.Join(list, " ")
	}
	return texts, ratings
}

func features(t testing.TB, enc embed.Encoder, texts []string) *Features {
	t.Helper()
	f, err := Extract(context.Background(), enc, texts, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestHeadLearnsWordsThatNeitherEncoderNorLexiconKnow(t *testing.T) {
	texts, ratings := synthetic(600, 1)
	enc := toy{"toy", 8}
	head, err := Train(features(t, enc, texts), ratings, nil, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	more, truth := synthetic(200, 2)
	if r := head.correlation(features(t, enc, more), truth, all(200)); r < .95 {
		t.Errorf("r = %.3f", r)
	}
	blind, err := Train(features(t, enc, texts), ratings, nil, Options{Ridge: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	if r := blind.correlation(features(t, enc, more), truth, all(200)); r > .5 {
		t.Errorf("without words r = %.3f: the test is too easy", r)
	}
}

func TestNegatedWordIsAnotherWord(t *testing.T) {
	plain, _ := slots("good")
	negated, _ := slots("not at all good")
	for _, s := range negated {
		if s == plain[0] {
			t.Error("a word after a negation has the slot of the plain word")
		}
	}
	if got := strings.Join(words("Don’t “buy”: 3x BAD!?"), "|"); got != "don't|buy|3x|bad|!|?" {
		t.Error(got)
	}
}

// The head predicts from weights; the twin from the kernel of each pair of texts.
func TestWeightsPredictAsTheDualFormDoes(t *testing.T) {
	texts, ratings := synthetic(120, 3)
	f := features(t, toy{"toy", 8}, texts)
	for _, o := range []Options{{Ridge: 0.5, Words: 1}, {Ridge: 0.3, Words: 0.7, Kernel: 1}, {Ridge: 2}} {
		train := all(100)
		head, err := Train(f, ratings, train, o)
		if err != nil {
			t.Fatal(err)
		}
		joint := products(f, all(120), head.mean).kernel(o)
		small := products(f, train, nil).kernel(o)
		mean := 0.0
		for _, i := range train {
			mean += ratings[i] / 100
		}
		for i := 100; i < 120; i++ {
			want := mean + twinPrediction(small.RawSymmetric().Data, joint.RawSymmetric().Data[:100*120], ratings, mean, i)
			got := head.rate(f, i, make([]float32, 8))
			if math.Abs(got-max(-Scale, min(Scale, want))) > 1e-3 {
				t.Fatalf("%+v: text %d: %v, by the dual form %v", o, i, got, want)
			}
		}
	}
}

// twinPrediction solves the 100 equations by Gaussian elimination.
func twinPrediction(k, joint, ratings []float64, mean float64, test int) float64 {
	const n = 100
	a := make([][]float64, n)
	for i := range a {
		a[i] = make([]float64, n+1)
		for j := range n {
			a[i][j] = k[min(i, j)*n+max(i, j)]
		}
		a[i][n] = ratings[i] - mean
	}
	for p := range n {
		for i := range n {
			if i != p {
				f := a[i][p] / a[p][p]
				for j := p; j <= n; j++ {
					a[i][j] -= f * a[p][j]
				}
			}
		}
	}
	sum := 0.0
	for i := range n {
		sum += a[i][n] / a[i][i] * joint[i*120+test]
	}
	return sum
}

func TestHeadSurvivesItsFile(t *testing.T) {
	texts, ratings := synthetic(100, 4)
	f := features(t, toy{"toy", 8}, texts)
	for _, o := range []Options{DefaultOptions(), {Ridge: 0.3, Words: 1, Kernel: 1}} {
		head, err := Train(f, ratings, nil, o)
		if err != nil {
			t.Fatal(err)
		}
		var content bytes.Buffer
		if err := head.Write(&content); err != nil {
			t.Fatal(err)
		}
		again, err := Parse(content.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		want, _ := head.Ratings(f)
		got, err := again.Ratings(f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if math.Abs(got[i]-want[i]) > 1e-5 {
				t.Fatalf("text %d: %v before, %v after", i, want[i], got[i])
			}
		}
		for cut := range []int{0, 7, 100, content.Len() - 1} {
			if _, err := Parse(content.Bytes()[:cut]); !errors.Is(err, ErrFormat) {
				t.Errorf("cut at %d: %v", cut, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{})
	f.Add(defaultFile[:1000])
	header := []byte(`{"__metadata__":{"format":"kindred.sentiment.head/1","encoder":"e","dim":"1","examples":"1","support":"0","ridge":"1","words":"1","kernel":"0","intercept":"0"}}`)
	f.Add(append([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}, header...))
	f.Fuzz(func(t *testing.T, content []byte) {
		if h, err := Parse(content); (h == nil) == (err == nil) || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%v, %v", h, err)
		}
	})
}

func TestRefineLearnsTheTenantsWordsAndKeepsAHeadThatCannotBeBettered(t *testing.T) {
	head, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	texts, ratings := synthetic(500, 5)
	f := features(t, encoder(t), texts)
	refined, report, err := Refine(head, f, ratings, RefineOptions{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Kept || report.After < .8 || report.Before > .5 || refined.Examples() != head.Examples()+500 {
		t.Errorf("%+v, %d examples", report, refined.Examples())
	}
	truth, err := head.Ratings(f) // the head is right already
	if err != nil {
		t.Fatal(err)
	}
	same, report, err := Refine(head, f, truth, RefineOptions{Seed: 1})
	if err != nil || same != head || report.Kept {
		t.Errorf("%v, %+v", err, report)
	}
	if _, _, err := Refine(head, features(t, encoder(t), texts[:MinRefine-1]), ratings[:MinRefine-1], RefineOptions{}); !errors.Is(err, ErrFew) {
		t.Errorf("%v", err)
	}
	if _, _, err := Refine(head, features(t, toy{"toy", 8}, texts), ratings, RefineOptions{}); !errors.Is(err, ErrEncoder) {
		t.Errorf("%v", err)
	}
}

func TestBadInputIsNamed(t *testing.T) {
	texts, ratings := synthetic(60, 6)
	f := features(t, toy{"toy", 8}, texts)
	for _, o := range []Options{{}, {Ridge: math.NaN()}, {Ridge: 1, Words: -1}, {Ridge: 1, Kernel: math.Inf(1)}} {
		if _, err := Train(f, ratings, nil, o); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := Train(f, ratings, all(MinExamples-1), DefaultOptions()); !errors.Is(err, ErrFew) {
		t.Errorf("%v", err)
	}
	ratings[7] = math.NaN()
	if _, err := Train(f, ratings, nil, DefaultOptions()); err == nil || !strings.Contains(err.Error(), "text 7") {
		t.Errorf("%v", err)
	}
	if err := (Lexicon{}).Score(context.Background(), texts, nil); err == nil {
		t.Error("scores that do not fit were taken")
	}
	for _, text := range []string{"1_1\t2", "1_1\tx\ttext", "1_1\t4.5\ttext", "1_1\tNaN\ttext"} {
		if _, err := ReadTSV(strings.NewReader("1_1\t0\tfine\n" + text)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if got := FromStars(5, 1, 5); got != 4 {
		t.Error(got)
	}
	if got := FromStars(3, 1, 5); got != 0 {
		t.Error(got)
	}
}

func TestFoldsKeepAReviewTogether(t *testing.T) {
	groups := make([]string, 200)
	for i := range groups {
		groups[i] = string(rune('a' + i%20))
	}
	folds, err := Folds(groups, 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	size := make([]int, 5)
	for i, f := range folds {
		size[f]++
		if f != folds[i%20] {
			t.Fatal("a group is in two folds")
		}
	}
	for _, n := range size {
		if n != 40 {
			t.Errorf("sizes %v", size)
		}
	}
	if _, err := Folds(groups, 21, 1); !errors.Is(err, ErrOptions) {
		t.Errorf("%v", err)
	}
}

// The test that nothing of a held-out fold reaches its head: ratings that are noise cannot be predicted.
func TestCrossValidationOfNoiseIsNothing(t *testing.T) {
	texts, _ := synthetic(300, 7)
	rng := rand.New(rand.NewPCG(8, 8))
	ratings, groups := make([]float64, 300), make([]string, 300)
	for i := range ratings {
		ratings[i], groups[i] = rng.Float64()*8-4, string(rune('a'+i%26))
	}
	v, err := CrossValidate(context.Background(), []*Features{features(t, toy{"toy", 8}, texts)}, ratings, groups, Grid(), 5, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v.R > .2 || len(v.Folds) != 5 {
		t.Errorf("r = %.3f on noise, %d folds", v.R, len(v.Folds))
	}
}

// The floor that the embedded encoder is held to on people's ratings.
func TestDefaultOptionsReachTheFloorOnReviews(t *testing.T) {
	if testing.Short() {
		t.Skip("ten seconds")
	}
	file, err := os.Open("../../../shared/data/review-sentiment/amazon.tsv")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the rated sentences are not there")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rated, err := ReadTSV(file)
	if err != nil {
		t.Fatal(err)
	}
	f := features(t, encoder(t), rated.Texts)
	v, err := CrossValidate(context.Background(), []*Features{f}, rated.Ratings, rated.Groups, []Options{DefaultOptions()}, 5, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v.R < .73 {
		t.Errorf("r = %.4f, want at least .73", v.R)
	}
}

func BenchmarkScore(b *testing.B) {
	head, err := Default()
	if err != nil {
		b.Fatal(err)
	}
	model, err := head.With(encoder(b))
	if err != nil {
		b.Fatal(err)
	}
	text := []string{"The battery lasts all day, and I have not had one problem with it; the screen could be brighter, but for the price it's great!"}
	for name, s := range map[string]Scorer{"lexicon": Lexicon{}, "head": model} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			out := make([]float64, 1)
			for b.Loop() {
				if err := s.Score(context.Background(), text, out); err != nil || out[0] <= 0 {
					b.Fatal(out, err)
				}
			}
		})
	}
}
