package learn

import (
	"math/rand/v2"

	"github.com/kindred-rec/kindred/embed/static/distill/internal/table"
	"github.com/viterin/vek/vek32"
)

// sampler draws batches of distinct examples.
type sampler struct {
	random *rand.Rand
	whole  int // examples 0 to whole-1 are whole texts
	all    int
	share  float64
	taken  []bool // [all]
	batch  []int
}

func newSampler(e Examples, o Options) *sampler {
	// Half of what there is at most, so that drawing until one is new ends soon.
	n := max(2, min(o.Batch, e.Whole/2))
	return &sampler{random: rand.New(rand.NewPCG(o.Seed, 0x6c6561726e)), whole: e.Whole, all: len(e.Tokens), share: o.Whole,
		taken: make([]bool, len(e.Tokens)), batch: make([]int, n)}
}

// next draws a batch, which is good until the next call.
func (s *sampler) next() []int {
	for i := range s.batch {
		for {
			k := s.random.IntN(s.all)
			if s.random.Float64() < s.share {
				k = s.random.IntN(s.whole)
			}
			if !s.taken[k] {
				s.taken[k], s.batch[i] = true, k
				break
			}
		}
	}
	for _, k := range s.batch {
		s.taken[k] = false
	}
	return s.batch
}

// gradients are those of the rows of the tokens that a batch holds.
type gradients struct {
	rows   table.Rows // only rows in tokens hold anything
	marks  []bool     // [tokens]
	tokens []int32    // of the batch, each once, in order of appearance
	sums   []float32  // [texts, dim], then the gradient by them
	slope  []float32  // [texts, dim]
}

func newGradients(like table.Rows) *gradients {
	return &gradients{rows: table.Rows{Dim: like.Dim, Data: make([]float32, len(like.Data))}, marks: make([]bool, len(like.Data)/like.Dim)}
}

// of returns the loss of a batch of texts and sets the gradients by rows.
func (g *gradients) of(rows table.Rows, texts [][]int32, o *objective, want teacherSide) float64 {
	dim := rows.Dim
	g.sums, g.slope = resize(g.sums, len(texts)*dim), resize(g.slope, len(texts)*dim)
	each(len(texts), o.options.Workers, func(i int) {
		sum := g.sums[i*dim : (i+1)*dim]
		clear(sum)
		for _, token := range texts[i] {
			vek32.Add_Inplace(sum, rows.Row(token))
		}
	})
	loss := o.loss(g.sums, want, g.slope)
	for _, token := range g.tokens {
		g.marks[token] = false
	}
	g.tokens = g.tokens[:0]
	for i, text := range texts {
		for _, token := range text {
			if !g.marks[token] {
				g.marks[token] = true
				g.tokens = append(g.tokens, token)
				clear(g.rows.Row(token))
			}
			vek32.Add_Inplace(g.rows.Row(token), g.slope[i*dim:(i+1)*dim])
		}
	}
	return loss
}
