package text

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/kindred-rec/kindred/embed/train/text/internal/corpus"
	"github.com/kindred-rec/kindred/embed/train/text/internal/network"
	"github.com/kindred-rec/kindred/embed/train/text/internal/squared"
	"github.com/kindred-rec/kindred/embed/transformer"
)

// Scored is a text with the score that people gave it.
type Scored struct {
	Text   string
	Score  float64
	Weight float64 // above 0
}

// Regression is the objective that a text's score, such as its sentiment, can be read from
// its vector. The head that reads it is exported beside the model; see [LoadScorer].
type Regression struct {
	Examples []Scored // texts without a token are left out and counted in Result.Skipped

	// Ridge is the penalty of the head that training starts with, above 0; 1 is usual.
	Ridge float64

	// Dev are examples held out: the figure of an epoch is Pearson's correlation of the
	// scores read with those given. Without it the last epoch is exported.
	Dev []Scored
}

// regression is a regression at work. Its corpus holds the examples, then Dev.
type regression struct {
	Regression
	c       *corpus.Corpus
	options Options
	used    []int // examples with tokens
}

func (x Regression) prepare(t transformer.Tokenizer, o Options) (task, error) {
	if !(x.Ridge > 0) || math.IsInf(x.Ridge, 0) {
		return nil, fmt.Errorf("%w: Ridge is %v; want above 0, such as 1", ErrOptions, x.Ridge)
	}
	all := slices.Concat(x.Examples, x.Dev)
	texts := make([]string, len(all))
	for i, s := range all {
		if math.IsNaN(s.Score) || math.IsInf(s.Score, 0) || !(s.Weight > 0) || math.IsInf(s.Weight, 0) {
			return nil, fmt.Errorf("%w: example %d, %.40q, has the score %v and weight %v; want a number, and one above 0", ErrExamples, i, s.Text, s.Score, s.Weight)
		}
		texts[i] = s.Text
	}
	r := &regression{Regression: x, c: corpus.Cut(texts, t), options: o}
	for i := range x.Examples {
		if r.c.Of[i] != corpus.None {
			r.used = append(r.used, i)
		}
	}
	if len(r.used) == 0 {
		return nil, fmt.Errorf("%w: none of %d examples has a text with tokens", ErrExamples, len(x.Examples))
	}
	return r, nil
}

func (r *regression) corpus() *corpus.Corpus { return r.c }
func (r *regression) left() int              { return len(r.Examples) - len(r.used) }
func (r *regression) most() int              { return r.options.Batch }
func (r *regression) judges() bool           { return len(r.Dev) > 0 }
func (r *regression) loss() network.Loss     { return squared.Loss{Examples: r.options.Batch} }

func (r *regression) begin(context.Context, int, string, encoder) error { return nil }

func (r *regression) head(hidden int) []network.Parameter {
	return []network.Parameter{
		{Name: "head_weight", Shape: []int{hidden, 1}, Data: make([]float32, hidden), Decay: true, Rate: r.options.HeadRate},
		{Name: "head_bias", Shape: []int{1}, Data: make([]float32, 1), Rate: r.options.HeadRate}}
}

// start is the head that ridge regression finds for the vectors as they are: so the first
// steps do not spoil the encoder for the sake of a head that knows nothing (Kumar et al.
// 2022).
func (r *regression) start(ctx context.Context, encode encoder) ([][]float32, error) {
	texts, scores, weights := make([]int32, len(r.used)), make([]float64, len(r.used)), make([]float64, len(r.used))
	for at, i := range r.used {
		texts[at], scores[at], weights[at] = r.c.Of[i], r.Examples[i].Score, r.Examples[i].Weight
	}
	vectors, err := encode(ctx, texts)
	if err != nil {
		return nil, err
	}
	w, b, err := squared.Start(vectors, len(vectors)/len(texts), scores, weights, r.Ridge)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrExamples, err)
	}
	return [][]float32{w, {b}}, nil
}

// pool is how many batches are sorted by length together.
const pool = 16

// order shuffles the examples anew for each epoch, and puts those of like length together
// within pools of some batches, so that little is padded.
func (r *regression) order(epoch int) (batches [][]int) {
	all := shuffled(r.options.Seed, epoch, len(r.used))
	for i := range all {
		all[i] = r.used[all[i]]
	}
	for some := range slices.Chunk(all, pool*r.options.Batch) {
		slices.SortStableFunc(some, func(a, b int) int { return len(r.c.Texts[r.c.Of[a]]) - len(r.c.Texts[r.c.Of[b]]) })
		batches = slices.AppendSeq(batches, slices.Chunk(some, r.options.Batch))
	}
	places := shuffled(r.options.Seed^0x6261746368, epoch, len(batches))
	mixed := make([][]int, len(batches))
	for i, place := range places {
		mixed[i] = batches[place]
	}
	return mixed
}

func (r *regression) texts(batch []int) (texts []int32) {
	for _, i := range batch {
		if text := r.c.Of[i]; !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

func (r *regression) inputs(batch []int, rows map[int32]int32) []network.Input {
	n := r.options.Batch
	at, scores, weights := make([]int32, n), make([]float32, n), make([]float32, n)
	for j, i := range batch {
		at[j], scores[j], weights[j] = rows[r.c.Of[i]], float32(r.Examples[i].Score), float32(r.Examples[i].Weight)
	}
	shapes := r.loss().Inputs()
	return []network.Input{{Shape: shapes[0], Flat: at}, {Shape: shapes[1], Flat: scores}, {Shape: shapes[2], Flat: weights}}
}

// judge is Pearson's correlation on Dev; 0 where one side does not vary.
func (r *regression) judge(ctx context.Context, encode encoder, head [][]float32) (float64, error) {
	var texts []int32
	for i := range r.Dev {
		if text := r.c.Of[len(r.Examples)+i]; text != corpus.None {
			texts = append(texts, text)
		}
	}
	vectors, err := encode(ctx, texts)
	if err != nil {
		return 0, err
	}
	read, given := make([]float64, len(r.Dev)), make([]float64, len(r.Dev))
	h := scoreHead{weight: head[0], bias: head[1][0]}
	for i, s := range r.Dev {
		given[i], read[i] = s.Score, float64(h.bias)
		if r.c.Of[len(r.Examples)+i] != corpus.None {
			read[i] = h.read(vectors[:len(h.weight)])
			vectors = vectors[len(h.weight):]
		}
	}
	if c := stat.Correlation(read, given, nil); !math.IsNaN(c) {
		return c, nil
	}
	return 0, nil
}

func (r *regression) export(dir string, head [][]float32) error {
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range r.Examples {
		low, high = min(low, s.Score), max(high, s.Score)
	}
	return scoreHead{weight: head[0], bias: head[1][0], low: low, high: high}.write(dir)
}

func (r *regression) hash(to hash.Hash) {
	fmt.Fprint(to, "regression", r.Ridge, len(r.Examples))
	r.c.Hash(to)
	for _, s := range slices.Concat(r.Examples, r.Dev) {
		_ = binary.Write(to, binary.LittleEndian, []float64{s.Score, s.Weight})
	}
}
