package rerank

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

const now = int64(1_700_000_000_000_000)

// stand is a small shop, whose items are as their numbers say.
type stand struct {
	rows    []*catalog.Row
	vectors [][]float32
	clicks  []float64
	shown   []float64
	today   []int64
}

func (s *stand) Row(item uint32) *catalog.Row {
	if int(item) >= len(s.rows) {
		return nil
	}
	return s.rows[item]
}

func (s *stand) Vector(item uint32) []float32 { return s.vectors[item] }

func (s *stand) Evidence(item uint32) (float64, float64) { return s.clicks[item], s.shown[item] }

func (s *stand) Overall() (clicks, impressions float64) {
	for i := range s.clicks {
		clicks, impressions = clicks+s.clicks[i], impressions+s.shown[i]
	}
	return clicks, impressions
}

func (s *stand) Today(item uint32, _ int64) int64 { return s.today[item] }

// newStand makes items of three brands, four leaf categories and two sellers; every fourth
// item is a variant of the one before it, and every third is new.
func newStand(n int, seed uint64) *stand {
	s := &stand{}
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range uint32(n) {
		row := &catalog.Row{ID: fmt.Sprint(i), Number: i, Brand: 1 + i%3, Seller: i % 2, Leaves: []uint32{1 + i%4},
			Categories: []uint32{1 + i%4, 9}, Tags: []uint32{1 + i%5}, Created: now - int64(time.Hour/time.Microsecond)*24*100, Stock: catalog.Unlimited}
		if i%4 >= 2 {
			row.Group = 1 + i/4
		}
		if i%3 == 0 {
			row.Created = now - int64(time.Hour/time.Microsecond)
		}
		v := make([]float32, 8)
		sum := 0.0
		for k := range v {
			v[k] = float32(rng.NormFloat64() + 0.5)
			sum += float64(v[k]) * float64(v[k])
		}
		for k := range v {
			v[k] /= float32(math.Sqrt(sum))
		}
		s.rows, s.vectors = append(s.rows, row), append(s.vectors, v)
		s.shown = append(s.shown, float64(rng.IntN(60)))
		s.clicks = append(s.clicks, math.Floor(s.shown[i]*rng.Float64()*0.3))
		s.today = append(s.today, int64(rng.IntN(4)))
	}
	return s
}

func (s *stand) input(p *Policy, limit int, seed uint64) *Input {
	in := &Input{Policy: p, Diversity: p.Diversity, Limit: limit, Seed: seed, Now: now, Rows: s, Vectors: s, Evidence: s, Exposures: s}
	rng := rand.New(rand.NewPCG(uint64(len(s.rows)), 2))
	for i := range s.rows {
		in.Candidates = append(in.Candidates, Candidate{Item: uint32(i), Score: 2 * rng.NormFloat64(), Shown: float64(i % 3)})
	}
	return in
}

// where is a condition.
type where func(row *catalog.Row) bool

func (w where) Match(row *catalog.Row) bool { return w(row) }

func ofBrand(code uint32) where { return func(row *catalog.Row) bool { return row.Brand == code } }

func make1(in *Input) List {
	var e Engine
	var out List
	e.Rerank(in, &out)
	return out
}

func items(l *List) (out []uint32) {
	for i := range l.Slots {
		out = append(out, l.Slots[i].Item)
	}
	return out
}
