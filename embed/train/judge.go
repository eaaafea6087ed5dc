package train

import (
	"context"
	"fmt"
	"math"
	"runtime"
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

// weights are those that are tried for the counts beside the transformer.
var weights = []float32{0, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96}

// judge ranks validation cases under several weights at once.
type judge struct {
	data    Data
	cases   []sequence.Case
	encoder *causal.Encoder
	counts  heads.Head
	byTower []float32 // items' vectors, [items, dim of the tower]
	byHead  []float32 // [items, dim of the head]
}

func newJudge(d Data, t learned.Tower, h heads.Head) (*judge, error) {
	encoder, err := causal.NewEncoder(t.Tower)
	if err != nil {
		return nil, err
	}
	dim := t.Config.Dim
	j := &judge{data: d, cases: d.Valid[:min(MaxJudged, len(d.Valid))], encoder: encoder, counts: h,
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

// gains is 1/log2(1+rank) of each case under each of the weights, [cases][weights].
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

// choose picks a weight: the one with the highest mean gain, if it is better than that of
// the usual weight by more than the standard error of their difference; else the usual
// one, for small differences on few cases are chance.
func choose(gains [][]float64, usual int) (chosen int, mean []float64) {
	mean = make([]float64, len(weights))
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
	if difference > math.Sqrt(squares/max(1, n-1)/n) {
		return best, mean
	}
	return usual, mean
}

// scores are one goroutine's.
type scores struct {
	*judge
	tower, head []float32 // of all items
	user, sum   []float32 // vectors of the user
	texts       []float32 // room for a sum of texts
	scratch     *causal.Scratch
	state       *causal.State
	hidden      []bool
}

func (j *judge) newScores() *scores {
	n, c := len(j.data.Items), j.encoder.Config()
	return &scores{judge: j, tower: make([]float32, n), head: make([]float32, n), user: make([]float32, c.Dim), sum: make([]float32, j.counts.Dim),
		texts: make([]float32, j.data.TextDim), scratch: j.encoder.NewScratch(), state: j.encoder.NewState(), hidden: make([]bool, n)}
}

// gain is that of one case under each weight.
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
	gains := make([]float64, len(weights))
	for i, w := range weights {
		least, rank := s.tower[c.Target]+w*s.head[c.Target], 1
		for item, t := range s.tower {
			if t+w*s.head[item] >= least && !s.hidden[item] && uint32(item) != c.Target {
				rank++
			}
		}
		if s.hidden[c.Target] {
			rank = len(s.tower)
		}
		gains[i] = 1 / math.Log2(1+float64(rank))
	}
	return gains, nil
}

// score fills both parts' scores of all items.
func (s *scores) score(history []sequence.Event) error {
	history = history[max(0, len(history)-s.encoder.Config().Window):]
	var acts []causal.Event
	var steps []heads.Event
	for _, e := range history {
		text := s.data.text(int(e.Item))
		acts = append(acts, causal.Event{Item: int(e.Item), Text: text, Type: int(e.Type), Gap: int(e.Gap), Value: int(e.Value)})
		steps = append(steps, heads.Event{Item: int(e.Item), Text: text})
	}
	if err := s.encoder.Encode(s.scratch, s.state, s.user, acts, 0); err != nil {
		return err
	}
	if _, err := s.counts.User(s.sum, s.texts, steps); err != nil {
		return err
	}
	products(s.tower, s.byTower, s.user)
	products(s.head, s.byHead, s.sum)
	return nil
}

func products(to, table, v []float32) {
	for i := range to {
		to[i] = kernel.Dot(table[i*len(v):(i+1)*len(v)], v)
	}
}
