// Package loss has the cross entropy of a softmax over all items, without a matrix of all
// rows by all items.
//
// # The order of work
//
// Rows go in chunks, items in blocks. A goroutine computes the scores of a chunk, block
// by block, and each block's exponentials while its scores are in the cache; when a row's
// sum over all blocks is known, the blocks become probabilities less the target, and from
// them, again block by block, the gradient of the chunk's rows. As many chunks as the
// bound of memory has room for are kept; then each block of items gets its gradient from
// all of them. Every sum has a fixed order, which the number of goroutines does not
// change.
package loss

import (
	"math"

	"github.com/kindred-rec/kindred/embed/internal/kernel"
	"github.com/kindred-rec/kindred/embed/train/sequence/internal/team"
)

const (
	// blockItems is how many items' scores of a chunk's rows stay in the cache.
	blockItems = 256

	// chunkRows is the most rows of a chunk: enough to pay for the way of the items'
	// vectors to the processor.
	chunkRows = 96

	// leastRows is the fewest, a tile's height, however little memory there may be.
	leastRows = 12
)

// lanes divides the length of what [kernel.Exp] gets, so that it is fast.
const lanes = 16

// Softmax computes losses. It keeps its memory from one batch to the next, and is for one
// goroutine at a time.
type Softmax struct {
	bound  int // bytes of scores
	blocks []block
	chunks []chunk
	scores []float32 // [chunks, blocks, rows of a chunk, blockItems]
	mean   []float32 // [dim]: the mean of the items' vectors, for label smoothing
	losses []float64 // [rows]
}

// block is what is kept of a block of items.
type block struct {
	items             int
	forward, backward kernel.Panels // [dim, items], [items, dim]
}

// chunk is what is kept of some rows.
type chunk struct {
	first, last int
	hidden      kernel.Panels // [rows, dim]
	scores      []float32     // [blocks, rows, blockItems]
	most, sums  []float32     // [rows, blocks]: of each block's scores, and of their exponentials
	own         []float32     // [rows]: the targets' scores
}

// New returns a softmax that keeps at most bound bytes of scores, or what the least number of
// rows takes if that is more.
func New(bound int) *Softmax { return &Softmax{bound: bound} }

// Batch is what a loss is computed of. All vectors have Dim components.
type Batch struct {
	Dim     int
	Hidden  []float32 // [rows, dim]: users' vectors
	Targets []uint32  // [rows]: rows of Table
	Weights []float32 // [rows]: what each row's loss is multiplied by
	Table   []float32 // [items, dim]: items' vectors

	// Bias, if there is one, is added to the score of each item but a row's own target:
	// [items]. It is how sampled items stand for those that were not.
	Bias []float32

	// Smoothing is the share of the target's probability that goes to all items alike.
	Smoothing float32

	DHidden []float32 // [rows, dim] is set to the gradient
	DTable  []float32 // [items, dim] has the gradient added
}

// Run returns the weighted sum of the rows' losses and writes the gradients.
func (s *Softmax) Run(t *team.Team, b Batch) (loss float64) {
	rows, items := len(b.Targets), len(b.Table)/b.Dim
	if rows == 0 {
		return 0
	}
	s.pack(t, b, items)
	per, count := s.plan(rows)
	s.losses = grow(s.losses, rows)
	clear(b.DHidden[:rows*b.Dim])
	for first := 0; first < rows; first += per * count {
		chunks := s.chunks[:(min(per*count, rows-first)+per-1)/per]
		t.Do(len(chunks), func(_, i int) {
			c := &chunks[i]
			c.first = first + i*per
			c.last = min(c.first+per, rows)
			s.forward(c, b)
			s.backward(c, b, items)
		})
		t.Do(len(s.blocks), func(_, i int) {
			items := s.blocks[i].items
			for j := range chunks {
				c := &chunks[j]
				scores := c.scores[i*(c.last-c.first)*blockItems:]
				c.hidden.Add(b.DTable[i*blockItems*b.Dim:], b.Dim, kernel.Left{Data: scores, Row: 1, Step: blockItems}, items, 0, c.hidden.Count())
			}
		})
	}
	for row, x := range s.losses {
		loss += x * float64(b.Weights[row])
	}
	return loss
}

// pack reads the items' vectors.
func (s *Softmax) pack(t *team.Team, b Batch, items int) {
	count := (items + blockItems - 1) / blockItems
	for len(s.blocks) < count {
		s.blocks = append(s.blocks, block{})
	}
	s.blocks = s.blocks[:count]
	t.Do(count, func(_, i int) {
		k := &s.blocks[i]
		first := i * blockItems
		k.items = min(blockItems, items-first)
		table := b.Table[first*b.Dim:]
		k.forward.PackTransposed(table, k.items, b.Dim, b.Dim)
		if b.Bias != nil {
			k.forward.SetBias(b.Bias[first : first+k.items])
		}
		k.backward.PackRows(table, k.items, b.Dim, b.Dim)
	})
	if b.Smoothing == 0 {
		return
	}
	s.mean = grow(s.mean, b.Dim+1)
	clear(s.mean)
	for i := range items {
		kernel.Axpy(s.mean[:b.Dim], b.Table[i*b.Dim:][:b.Dim], 1/float32(items))
		if b.Bias != nil {
			s.mean[b.Dim] += b.Bias[i] / float32(items)
		}
	}
}

// plan divides the rows into chunks of per rows, of which count are kept at a time. The
// number of goroutines has no say, since items' gradients are sums over chunks.
func (s *Softmax) plan(rows int) (per, count int) {
	perRow := 4 * blockItems * len(s.blocks)
	fit := max(s.bound/perRow, leastRows)
	per = min(chunkRows, fit, rows)
	count = max(1, min(fit/per, (rows+per-1)/per))
	if count == 1 && per > 2*leastRows { // so that two goroutines have something to do
		per, count = (per+1)/2, 2
	}
	s.scores = grow(s.scores, count*per*len(s.blocks)*blockItems)
	for len(s.chunks) < count {
		s.chunks = append(s.chunks, chunk{})
	}
	for i := range count {
		c := &s.chunks[i]
		size := per * len(s.blocks)
		c.scores = s.scores[i*size*blockItems : (i+1)*size*blockItems]
		c.most, c.sums, c.own = grow(c.most, size), grow(c.sums, size), grow(c.own, per)
	}
	return per, count
}

// forward computes a chunk's scores and each block's exponentials.
func (s *Softmax) forward(c *chunk, b Batch) {
	rows := c.last - c.first
	c.hidden.PackRows(b.Hidden[c.first*b.Dim:], rows, b.Dim, b.Dim)
	for i := range s.blocks {
		k := &s.blocks[i]
		scores := c.scores[i*rows*blockItems:][:rows*blockItems]
		k.forward.Multiply(scores, blockItems, b.Hidden[c.first*b.Dim:], b.Dim, rows, 0, k.forward.Count())
		wide := (k.items + lanes - 1) / lanes * lanes
		for r := range rows {
			row := scores[r*blockItems:][:wide]
			target := int(b.Targets[c.first+r]) - i*blockItems
			if target >= 0 && target < k.items {
				if b.Bias != nil {
					row[target] -= b.Bias[i*blockItems+target]
				}
				c.own[r] = row[target]
			}
			for j := k.items; j < wide; j++ {
				row[j] = float32(math.Inf(-1))
			}
			at := r*len(s.blocks) + i
			c.sums[at], c.most[at] = kernel.ExpMost(row)
		}
	}
}

// backward turns a chunk's exponentials into the gradient of its scores, and that of its
// rows.
func (s *Softmax) backward(c *chunk, b Batch, items int) {
	rows, blocks := c.last-c.first, len(s.blocks)
	for r := range rows {
		s.losses[c.first+r] = s.finish(c, b, r)
	}
	share := b.Smoothing / float32(items)
	for i := range s.blocks {
		k := &s.blocks[i]
		scores := c.scores[i*rows*blockItems:][:rows*blockItems]
		for r := range rows {
			row, weight := scores[r*blockItems:][:k.items], b.Weights[c.first+r]
			kernel.Scale(scores[r*blockItems:][:(k.items+lanes-1)/lanes*lanes], weight*c.sums[r*blocks+i])
			if share > 0 {
				for j := range row {
					row[j] -= weight * share
				}
			}
			if target := int(b.Targets[c.first+r]) - i*blockItems; target >= 0 && target < k.items {
				row[target] -= weight * (1 - b.Smoothing)
			}
		}
		k.backward.Add(b.DHidden[c.first*b.Dim:], b.Dim, kernel.Left{Data: scores, Row: blockItems, Step: 1}, rows, 0, k.backward.Count())
	}
}

// finish replaces a row's sums by what each block's exponentials are to be multiplied by
// to be probabilities, and returns the row's loss.
func (s *Softmax) finish(c *chunk, b Batch, r int) (loss float64) {
	blocks := len(s.blocks)
	sums, most := c.sums[r*blocks:][:blocks], c.most[r*blocks:][:blocks]
	top := float32(math.Inf(-1))
	for _, m := range most {
		top = max(top, m)
	}
	var total float64
	for i, m := range most {
		total += float64(sums[i]) * math.Exp(float64(m-top))
	}
	for i, m := range most {
		sums[i] = float32(math.Exp(float64(m-top)) / total)
	}
	loss = float64(top) + math.Log(total) - float64(c.own[r])
	if b.Smoothing > 0 {
		hidden := b.Hidden[(c.first+r)*b.Dim:][:b.Dim]
		mean := float64(kernel.Dot(hidden, s.mean[:b.Dim]) + s.mean[b.Dim])
		loss += float64(b.Smoothing) * (float64(c.own[r]) - mean)
	}
	return loss
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
