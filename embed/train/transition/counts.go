package transition

import (
	"cmp"
	"math"
	"slices"
)

// pair is one cell of the counts.
type pair struct {
	key    uint64 // row in the upper half, column in the lower
	weight float32
}

// counts are the pairs of a log. Cells that were counted since the last merge lie
// behind those that were merged, in the order in which they came.
type counts struct {
	cells      []pair
	merged     int // cells that are sorted and different
	max        int // different cells to keep
	popularity []float32
	dropped    int64
}

func newCounts(items, limit int) *counts {
	return &counts{max: limit, popularity: make([]float32, items)}
}

func (c *counts) add(row, column uint32, weight float32) {
	if weight == 0 {
		return
	}
	if len(c.cells) >= 2*c.max || len(c.cells) == cap(c.cells) && len(c.cells)-c.merged > c.merged+1<<20 {
		c.merge()
	}
	c.cells = append(c.cells, pair{uint64(row)<<32 | uint64(column), weight})
}

// merge sums equal cells and, where too many are left, drops the lighter half.
func (c *counts) merge() {
	slices.SortStableFunc(c.cells, func(a, b pair) int { return cmp.Compare(a.key, b.key) })
	kept := c.cells[:0]
	for _, p := range c.cells {
		if n := len(kept); n > 0 && kept[n-1].key == p.key {
			kept[n-1].weight += p.weight
		} else {
			kept = append(kept, p)
		}
	}
	if len(kept) > c.max {
		weights := make([]float32, len(kept))
		for i, p := range kept {
			weights[i] = p.weight
		}
		slices.Sort(weights)
		least := weights[len(weights)-c.max/2] // what is as heavy as this may stay, in order, while there is room
		room, before := c.max/2, len(kept)
		heavy := kept[:0]
		for _, p := range kept {
			if p.weight >= least && room > 0 {
				heavy, room = append(heavy, p), room-1
			}
		}
		kept = heavy
		c.dropped += int64(before - len(kept))
	}
	c.cells, c.merged = kept, len(kept)
}

// sequence counts one user's items, oldest first.
func (c *counts) sequence(items []uint32, o Options) {
	for i, from := range items {
		c.popularity[from]++
		weight := float32(1)
		for _, to := range items[i+1 : min(i+1+o.Reach, len(items))] {
			c.add(from, to, weight)
			c.add(to, from, weight*o.Backward)
			weight *= o.Decay
		}
	}
}

// sparse is a matrix by rows: row i has the columns column[start[i]:start[i+1]].
type sparse struct {
	rows   int
	start  []int
	column []uint32
	value  []float32
}

// damped makes the matrix that is factored. The counts are used up.
func (c *counts) damped(o Options) sparse {
	c.merge()
	n := len(c.popularity)
	s := sparse{rows: n, start: make([]int, n+1), column: make([]uint32, len(c.cells)), value: make([]float32, len(c.cells))}
	out := make([]float64, n)
	for i, p := range c.cells {
		row := p.key >> 32
		out[row] += float64(p.weight)
		s.start[row+1]++
		s.column[i], s.value[i] = uint32(p.key), p.weight
	}
	c.cells = nil
	for i := range n {
		s.start[i+1] += s.start[i]
		for at := s.start[i]; at < s.start[i+1]; at++ {
			in := float64(c.popularity[s.column[at]])
			s.value[at] /= float32(math.Sqrt((out[i] + float64(o.OutPrior)) * (in + float64(o.InPrior))))
		}
	}
	return s
}

// transpose keeps the order of columns within a row.
func (s sparse) transpose() sparse {
	t := sparse{rows: s.rows, start: make([]int, s.rows+1), column: make([]uint32, len(s.column)), value: make([]float32, len(s.value))}
	for _, c := range s.column {
		t.start[c+1]++
	}
	for i := range t.rows {
		t.start[i+1] += t.start[i]
	}
	next := slices.Clone(t.start)
	for row := range s.rows {
		for at := s.start[row]; at < s.start[row+1]; at++ {
			to := &next[s.column[at]]
			t.column[*to], t.value[*to] = uint32(row), s.value[at]
			*to++
		}
	}
	return t
}
