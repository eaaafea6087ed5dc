package train

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	heads "github.com/kindred-rec/kindred/embed/behaviour/transition"
	"github.com/kindred-rec/kindred/embed/internal/kernel"
	"github.com/kindred-rec/kindred/embed/train/sequence"
)

// MaxJudged is how many validation cases are looked at for the weights of the parts: the
// first ones.
const MaxJudged = 4000

// mix is what the parts beside the transformer weigh.
type mix struct{ texts, counts float32 }

// steps that are tried for each part, as shares of the usual weight.
var (
	textSteps  = []float32{0, 0.5, 1, 2}
	countSteps = []float32{0, 0.125, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6}
)

// mixes are those that are tried: first the transformer alone, then the usual one.
func mixes(texts, counts float32) []mix {
	all := []mix{{}, {texts, counts}}
	for _, t := range textSteps {
		for _, c := range countSteps {
			all = append(all, mix{t * texts, c * counts})
		}
	}
	slices.SortStableFunc(all[2:], func(a, b mix) int { return cmp.Or(cmp.Compare(a.texts, b.texts), cmp.Compare(a.counts, b.counts)) })
	return append(all[:2], slices.Compact(all[2:])...)
}

const usual = 1 // in mixes

// judgedRank is the last rank that counts: nobody looks further.
const judgedRank = 100

// clearly is how many standard errors better a mix must be than the usual one. It is two,
// since the best of dozens is often one better by chance.
const clearly = 2

// judge ranks validation cases under several mixes at once.
type judge struct {
	data    Data
	cases   []sequence.Case
	encoder *causal.Encoder
	counts  heads.Head
	texts   *heads.Head // nil: none
	mixes   []mix
	byTower []float32 // items' vectors, [items, dim of the tower]
	byHead  []float32 // [items, dim of the head]
}

func newJudge(d Data, t learned.Tower, h heads.Head, texts *heads.Head, m []mix) (*judge, error) {
	encoder, err := causal.NewEncoder(t.Tower)
	if err != nil {
		return nil, err
	}
	dim := t.Config.Dim
	j := &judge{data: d, cases: d.Valid[:min(MaxJudged, len(d.Valid))], encoder: encoder, counts: h, texts: texts, mixes: m,
		byTower: make([]float32, len(d.Items)*dim), byHead: make([]float32, len(d.Items)*h.Dim)}
	for item := range d.Items {
		if _, err := encoder.Item(j.byTower[item*dim:(item+1)*dim], d.text(item), item); err != nil {
			return nil, fmt.Errorf("item %d: %w", item, err)
		}
		if _, err := h.Item(j.byHead[item*h.Dim:(item+1)*h.Dim], d.text(item), item); err != nil {
			return nil, fmt.Errorf("item %d: %w", item, err)
		}
	}
	return j, nil
}

// gains is 1/log2(1+rank), up to judgedRank, of each case under each of the mixes, [cases][mixes].
func (j *judge) gains(ctx context.Context, workers int) ([][]float64, error) {
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	gains := make([][]float64, len(j.cases))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			s := j.newScores()
			for ctx.Err() == nil {
				at := int(next.Add(1)) - 1
				if at >= len(j.cases) {
					return
				}
				var err error
				if gains[at], err = s.gain(j.cases[at]); err != nil {
					cancel(fmt.Errorf("train: validation case %d: %w", at, err))
				}
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return gains, nil
}

// choose picks a mix: the one with the highest mean gain, if it is better than the usual
// one by more than two standard errors of their difference; else the usual
// one, for small differences on few cases are chance.
func choose(gains [][]float64) (chosen int, mean []float64) {
	mean = make([]float64, len(gains[0]))
	for _, g := range gains { // in order, so that the sum does not depend on the workers
		for i, v := range g {
			mean[i] += v / float64(len(gains))
		}
	}
	best := usual
	for i, v := range mean {
		if v > mean[best] {
			best = i
		}
	}
	difference := mean[best] - mean[usual]
	squares := 0.0
	for _, g := range gains {
		off := g[best] - g[usual] - difference
		squares += off * off
	}
	n := float64(len(gains))
	if difference > clearly*math.Sqrt(squares/max(1, n-1)/n) {
		return best, mean
	}
	return usual, mean
}

// scores are one goroutine's.
type scores struct {
	*judge
	tower, head, like []float32 // of all items
	user, sum, text   []float32 // vectors of the user
	room              []float32 // for a sum of texts
	scratch           *causal.Scratch
	state             *causal.State
	hidden            []bool
}

func (j *judge) newScores() *scores {
	n, c := len(j.data.Items), j.encoder.Config()
	return &scores{judge: j, tower: make([]float32, n), head: make([]float32, n), like: make([]float32, n),
		text: make([]float32, j.data.TextDim), user: make([]float32, c.Dim), sum: make([]float32, j.counts.Dim),
		room: make([]float32, j.data.TextDim), scratch: j.encoder.NewScratch(), state: j.encoder.NewState(), hidden: make([]bool, n)}
}

// gain is that of one case under each mix.
func (s *scores) gain(c sequence.Case) ([]float64, error) {
	if err := s.score(c.History); err != nil {
		return nil, err
	}
	if s.data.HideSeen {
		for _, e := range c.History {
			s.hidden[e.Item] = true
		}
		defer func() {
			for _, e := range c.History {
				s.hidden[e.Item] = false
			}
		}()
	}
	gains := make([]float64, len(s.mixes))
	for i, m := range s.mixes {
		least, rank := s.tower[c.Target]+m.texts*s.like[c.Target]+m.counts*s.head[c.Target], 1
		for item, t := range s.tower {
			if t+m.texts*s.like[item]+m.counts*s.head[item] >= least && !s.hidden[item] && uint32(item) != c.Target {
				rank++
			}
		}
		if s.hidden[c.Target] {
			rank = len(s.tower)
		}
		if rank <= judgedRank {
			gains[i] = 1 / math.Log2(1+float64(rank))
		}
	}
	return gains, nil
}

// score fills the parts' scores of all items.
func (s *scores) score(history []sequence.Event) error {
	history = history[max(0, len(history)-s.encoder.Config().Window):]
	var acts []causal.Event
	var steps []heads.Event
	for _, e := range history {
		text := s.data.text(int(e.Item))
		acts = append(acts, causal.Event{Item: int(e.Item), Text: text, Type: int(e.Type), Gap: int(e.Gap), Value: int(e.Value)})
		if e.Weight > 0 { // a head reads no others when it serves
			steps = append(steps, heads.Event{Item: int(e.Item), Text: text})
		}
	}
	if err := s.encoder.Encode(s.scratch, s.state, s.user, acts, 0); err != nil {
		return err
	}
	if _, err := s.counts.User(s.sum, s.room, steps); err != nil {
		return err
	}
	products(s.tower, s.byTower, s.user)
	if s.texts != nil { // whose projections change nothing
		if _, err := s.texts.User(s.text, s.room, steps); err != nil {
			return err
		}
		products(s.like, s.data.Text, s.text)
	}
	products(s.head, s.byHead, s.sum)
	return nil
}

func products(to, table, v []float32) {
	for i := range to {
		to[i] = kernel.Dot(table[i*len(v):(i+1)*len(v)], v)
	}
}
