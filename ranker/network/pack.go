package network

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/fit"
	"github.com/kindred-rec/kindred/ranker/internal/dense"
)

// packed is a sample as training reads it; its first row is the chosen one.
type packed struct {
	blocks []float32 // [blocks][features][Block], standardised, zeros past the last row
	skip   []float64 // [rows], what the linear model says
	weight float64
}

// corpus is all samples of a training.
type corpus struct {
	samples     []packed
	mean, scale [features]float32
}

// pack draws samples and rows, and standardises them.
func pack(samples []fit.Sample, start *ranker.Weights, o Options) *corpus {
	r := rand.New(rand.NewPCG(o.Seed, 0x726f7773))
	if len(samples) > o.Samples {
		samples = slices.Clone(samples)
		r.Shuffle(len(samples), func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
		samples = samples[:o.Samples]
	}
	rows := make([][]int, len(samples))
	for i := range samples {
		rows[i] = draw(&samples[i], o.Rows, r)
	}
	var c corpus
	c.standardise(samples, rows)
	// Where an item stood is the linear model's alone: it is not known when serving, and what
	// the network made of the usual slots would be left in.
	for _, f := range append([]ranker.Feature{ranker.Position}, o.Blind...) {
		c.mean[f], c.scale[f] = 0, 0
	}
	for i := range samples {
		c.samples = append(c.samples, c.one(&samples[i], rows[i], start))
	}
	return &c
}

// draw lists the rows of a sample to train on: the chosen one first, and at most so many in
// all.
func draw(s *fit.Sample, most int, r *rand.Rand) []int {
	list := make([]int, 0, len(s.Rows))
	list = append(list, s.Chosen)
	for i := range s.Rows {
		if i != s.Chosen {
			list = append(list, i)
		}
	}
	if len(list) <= most {
		return list
	}
	others := list[1:]
	for i := range most - 1 {
		k := i + r.IntN(len(others)-i)
		others[i], others[k] = others[k], others[i]
	}
	return list[:most]
}

// standardise finds mean and scale of each feature over all rows.
func (c *corpus) standardise(samples []fit.Sample, rows [][]int) {
	var n float64
	var sum, squares [features]float64
	for i := range samples {
		for _, at := range rows[i] {
			for f, x := range samples[i].Rows[at] {
				sum[f] += float64(x)
				squares[f] += float64(x) * float64(x)
			}
			n++
		}
	}
	for f := range features {
		mean := sum[f] / n
		c.mean[f] = float32(mean)
		if variance := squares[f]/n - mean*mean; variance > 1e-10*(1+mean*mean) { // else it is a constant
			c.scale[f] = float32(1 / math.Sqrt(variance))
		}
	}
}

func (c *corpus) one(s *fit.Sample, rows []int, start *ranker.Weights) packed {
	blocks := (len(rows) + dense.Block - 1) / dense.Block
	p := packed{blocks: make([]float32, blocks*features*dense.Block), weight: s.Weight}
	if p.weight == 0 {
		p.weight = 1
	}
	stands := 0.0 // ln of how many candidates one that was drawn stands for
	if len(rows) < len(s.Rows) {
		stands = math.Log(float64(len(s.Rows)-1) / float64(len(rows)-1))
	}
	for i, at := range rows {
		row := &s.Rows[at]
		score := start.ScoreOf(row)
		if i > 0 {
			score += stands
		}
		p.skip = append(p.skip, score)
		block := p.blocks[i/dense.Block*features*dense.Block:]
		for f := range row {
			place := f*dense.Block + i%dense.Block
			standardise(block[place:place+1], row[f:f+1], c.mean[f], c.scale[f])
		}
	}
	return p
}
