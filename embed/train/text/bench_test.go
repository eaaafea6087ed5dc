package text

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/kindred-rec/kindred/embed/transformer"
)

// shared is the folder of real models and data beside the repository.
const shared = "../../../../shared"

// there skips a benchmark without a file or a plugin.
func there(b *testing.B, name string) string {
	b.Helper()
	path := filepath.Join(shared, name)
	if _, err := os.Stat(path); err != nil {
		b.Skip(err)
	}
	if _, err := transformer.FindPlugin(transformer.XLACPU); err != nil {
		b.Skip(err)
	}
	return path
}

// A step of 64 pairs of texts of 32 tokens: forward, backward and AdamW. GFLOP are three
// times those of the forward pass's products.
func BenchmarkStepOf64PairsOf32Tokens(b *testing.B) {
	from := there(b, "models/all-minilm-l6-v2")
	adapter := &Adapter{Rank: 8, Alpha: 16, Matrices: Matrices()}
	for name, change := range map[string]func(*Options){
		"all weights": func(*Options) {}, "embeddings frozen": func(o *Options) { o.FreezeEmbeddings = true },
		"adapter": func(o *Options) { o.Adapter = adapter }, "in parts": func(o *Options) { o.StepTokens = 1 },
	} {
		b.Run(name, func(b *testing.B) {
			o := Defaults()
			o.Backend, o.MaxTokens = transformer.XLACPU, 32
			change(&o)
			random := rand.New(rand.NewPCG(1, 1))
			var texts []string
			for range 128 {
				text := ""
				for range 40 {
					text += string(rune('a'+random.IntN(26))) + " "
				}
				texts = append(texts, text)
			}
			var pairs []Pair
			for i := range uint32(64) {
				pairs = append(pairs, Pair{2 * i, 2*i + 1, 1})
			}
			r, err := prepare(from, b.TempDir(), Contrastive{Texts: texts, Pairs: slices.Values(pairs), MaxPairs: 64, Temperature: .05}, o)
			if err != nil {
				b.Fatal(err)
			}
			defer r.network.Close()
			batch := wholeBatch(r, 64, r.parts)
			best := time.Duration(1 << 62)
			step := func() {
				start := time.Now()
				outcome, err := r.network.Step(batch, 1e-6)
				if err != nil || !outcome.Finite() {
					b.Fatal(outcome, err)
				}
				best = min(best, time.Since(start))
			}
			step() // compiles
			best = 1 << 62
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
			b.ReportMetric(best.Seconds(), "best-s/step")
			b.ReportMetric(3*r.model.Config.Flops(128, 32)/1e9/best.Seconds(), "GFLOP/s")
		})
	}
}

// readReviews gives the sentences of each review.
func readReviews(b *testing.B) (groups [][]Scored) {
	f, err := os.Open(there(b, "data/review-sentiment/amazon.tsv"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	last := ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		parts := strings.SplitN(lines.Text(), "\t", 3)
		score, err := strconv.ParseFloat(parts[1], 64)
		if err != nil || len(parts) != 3 {
			b.Fatal(lines.Text(), err)
		}
		review, _, _ := strings.Cut(parts[0], "_")
		if review != last {
			groups, last = append(groups, nil), review
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], Scored{parts[2], score, 1})
	}
	return groups
}

// Sentiment of sentences of reviews, five folds by review: of the four folds that are
// learned from, a tenth of the reviews chooses the epoch. It takes some minutes a fold.
// KINDRED_FOLDS=0,3 runs some of the folds, 0 to 4.
func BenchmarkSentimentOfReviews(b *testing.B) {
	from := there(b, "models/all-minilm-l6-v2")
	groups := readReviews(b)
	folds := "0,1,2,3,4"
	if s := os.Getenv("KINDRED_FOLDS"); s != "" {
		folds = s
	}
	for b.Loop() {
		order := rand.New(rand.NewPCG(1, 5)).Perm(len(groups))
		var all, given []float64
		var sum float64
		numbers := strings.Split(folds, ",")
		for _, number := range numbers {
			fold, err := strconv.Atoi(number)
			if err != nil {
				b.Fatal(err)
			}
			x := Regression{Ridge: 1}
			var test []Scored
			for at, i := range order {
				switch {
				case at%5 == fold:
					test = append(test, groups[i]...)
				case at/5%10 == 0:
					x.Dev = append(x.Dev, groups[i]...)
				default:
					x.Examples = append(x.Examples, groups[i]...)
				}
			}
			o := Defaults()
			o.Backend, o.Epochs, o.Batch, o.MaxTokens, o.LearningRate, o.HeadRate, o.Dropout = transformer.XLACPU, 3, 32, 64, 5e-5, 30, 0.1
			o.ChunkTexts = 32
			to := b.TempDir()
			start := time.Now()
			result, err := Train(b.Context(), from, to, x, o)
			if err != nil {
				b.Fatal(err)
			}
			read, truth := score(b, to, test)
			r := stat.Correlation(read, truth, nil)
			sum += r
			all, given = append(all, read...), append(given, truth...)
			fmt.Printf("fold %d: %d sentences, r %.3f, %.0f s; %+v\n", fold, len(test), r, time.Since(start).Seconds(), result)
		}
		b.ReportMetric(sum/float64(len(numbers)), "r-of-folds")
		b.ReportMetric(stat.Correlation(all, given, nil), "r-together")
	}
}

func score(b *testing.B, dir string, all []Scored) (read, given []float64) {
	scorer, err := LoadScorer(dir, transformer.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer scorer.Close()
	var texts []string
	for _, s := range all {
		texts, given = append(texts, s.Text), append(given, s.Score)
	}
	read, err = scorer.Score(b.Context(), texts)
	if err != nil {
		b.Fatal(err)
	}
	return read, given
}
