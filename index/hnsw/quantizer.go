package hnsw

import (
	"math"
	"math/rand/v2"
)

// quantizer is a product quantizer (Jégou and others, 2011): a vector is cut
// into parts, and each part is named by the nearest of 16 centroids. The inner
// product of a query with a vector is then, nearly, the sum of those of its
// parts with their centroids, which a table holds for the query.
type quantizer struct {
	edges []int // part p is elements edges[p] to edges[p+1]-1
	// centroids of part p, element by element, 16 of each, from 16*edges[p] on.
	centroids []float32
	half      []float32 // [parts][16] half the squared length of each centroid
}

const (
	codewords = 16
	maxBytes  = 24 // tables of more parts would be too coarse for sums in bytes
	rounds    = 6  // of k-means
)

// newQuantizer makes the parts for vectors of dim elements, whose codes take
// bytes for each 128 elements.
func newQuantizer(dim, bytes int) *quantizer {
	parts := 2 * min(max((dim*bytes+127)/128, 1), maxBytes)
	z := &quantizer{
		edges:     make([]int, parts+1),
		centroids: make([]float32, codewords*dim),
		half:      make([]float32, codewords*parts),
	}
	for p := range z.edges {
		z.edges[p] = p * dim / parts
	}
	return z
}

func (z *quantizer) parts() int { return len(z.edges) - 1 }

// centroidsOf is the centroids of part p.
func (z *quantizer) centroidsOf(p int) []float32 {
	return z.centroids[codewords*z.edges[p] : codewords*z.edges[p+1]]
}

// train fits the centroids of every part to a sample, which is not empty, by
// k-means.
func (z *quantizer) train(sample [][]float32, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	for p := range z.parts() {
		low := z.edges[p]
		c := z.centroidsOf(p)
		for w := range codewords {
			for e, x := range sample[rng.IntN(len(sample))][low:z.edges[p+1]] {
				c[codewords*e+w] = x
			}
		}
		z.weigh(p)
		for range rounds {
			z.improve(p, sample)
		}
	}
}

// improve moves each centroid of part p to the mean of what is nearest to it.
func (z *quantizer) improve(p int, sample [][]float32) {
	low, c := z.edges[p], z.centroidsOf(p)
	var count [codewords]float32
	sums := make([]float32, len(c))
	for _, v := range sample {
		part := v[low:z.edges[p+1]]
		w := z.nearest(p, part)
		count[w]++
		for e, x := range part {
			sums[codewords*e+w] += x
		}
	}
	for i, sum := range sums {
		if n := count[i%codewords]; n > 0 { // else it stays
			c[i] = sum / n
		}
	}
	z.weigh(p)
}

// weigh computes half of part p.
func (z *quantizer) weigh(p int) {
	half := z.half[codewords*p:][:codewords]
	clear(half)
	for i, x := range z.centroidsOf(p) {
		half[i%codewords] += x * x / 2
	}
}

// nearest is the centroid of part p that is nearest to v.
func (z *quantizer) nearest(p int, v []float32) int {
	var score [codewords]float32
	z.products(p, v, &score)
	best, at := float32(math.Inf(-1)), 0
	for w, h := range z.half[codewords*p:][:codewords] {
		if s := score[w] - h; s > best {
			best, at = s, w
		}
	}
	return at
}

// products sets out to the inner products of v with the centroids of part p,
// four at a time, in registers.
func (z *quantizer) products(p int, v []float32, out *[codewords]float32) {
	c := z.centroidsOf(p)
	for w := 0; w < codewords; w += 4 {
		var s0, s1, s2, s3 float32
		at := w
		for _, x := range v {
			y := (*[4]float32)(c[at:])
			s0 += x * y[0]
			s1 += x * y[1]
			s2 += x * y[2]
			s3 += x * y[3]
			at += codewords
		}
		out[w], out[w+1], out[w+2], out[w+3] = s0, s1, s2, s3
	}
}

// encode appends the code of v to code: the parts' centroids, two in a byte.
func (z *quantizer) encode(v []float32, code []uint8) []uint8 {
	for p := 0; p < z.parts(); p += 2 {
		low := z.nearest(p, v[z.edges[p]:z.edges[p+1]])
		high := z.nearest(p+1, v[z.edges[p+1]:z.edges[p+2]])
		code = append(code, uint8(low|high<<4))
	}
	return code
}

// tabulate appends to tables the products of q with the centroids, part by part,
// in equal steps and less the least of the part, so that no sum of one of each
// exceeds a byte. It reports false if there is no such step: then all products
// are alike, or too large. products is scratch.
func (z *quantizer) tabulate(q []float32, tables []uint8, products []float32) ([]uint8, []float32, bool) {
	span := float32(0)
	var of [codewords]float32
	for p := range z.parts() {
		z.products(p, q[z.edges[p]:z.edges[p+1]], &of)
		low, high := of[0], of[0]
		for _, x := range of {
			low, high = min(low, x), max(high, x)
		}
		for _, x := range of {
			products = append(products, x-low)
		}
		span += high - low
	}
	step := span / float32(math.MaxUint8-z.parts()) // rounding may add a half for each
	if !(step > 1e-30 && step < math.MaxFloat32) {
		return tables, products, false
	}
	for _, x := range products {
		tables = append(tables, uint8(x/step+.5))
	}
	return tables, products, true
}
