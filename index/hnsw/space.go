package hnsw

import (
	"fmt"
	"os"
	"unsafe"

	"github.com/kindred-rec/kindred/index/internal/arena"
	"github.com/kindred-rec/kindred/index/internal/simd"
)

// rowAlign is what rows of vectors are padded to: a cache line, so that a row
// touches as few as it can.
const rowAlign = 64

// space holds the vectors of the nodes and scores them. A row is written
// before its node is linked and not again until the node is reclaimed, so
// scoring takes no lock.
type space struct {
	dim    int
	floats *arena.Arena // [nodes, dim] float32
	codes  *arena.Arena // [nodes, dim] bytes, nil unless Int8
	scales *arena.Arena // [nodes] float32, nil unless Int8
	walked *simd.Table  // what a walk scores: the floats or the codes
}

func newSpace(cfg Config) (*space, error) {
	s := &space{dim: cfg.Dim}
	stride := roundUp(4*cfg.Dim, rowAlign)
	if cfg.Storage == Float32 {
		s.floats = arena.New(stride, cfg.maxNodes())
		s.walked = s.floats.Table()
		return s, nil
	}
	file, err := os.CreateTemp(cfg.Dir, "kindred-vectors-*")
	if err != nil {
		return nil, fmt.Errorf("hnsw: a file for the float vectors: %w", err)
	}
	// Without a name it goes away with the process, however that ends. A
	// system that cannot remove an open file keeps it until its own clean-up.
	_ = os.Remove(file.Name())
	s.floats = arena.InFile(stride, cfg.maxNodes(), file)
	s.codes = arena.New(roundUp(cfg.Dim, simd.CodeBlock), cfg.maxNodes())
	s.scales = arena.New(4, cfg.maxNodes())
	s.walked = s.codes.Table()
	return s, nil
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// grow makes rows below n exist.
func (s *space) grow(n int) error {
	for _, a := range []*arena.Arena{s.floats, s.codes, s.scales} {
		if a == nil {
			continue
		}
		if err := a.Grow(n); err != nil {
			return err
		}
	}
	return nil
}

// vector is the float vector of a node.
func (s *space) vector(node uint32) []float32 {
	return unsafe.Slice((*float32)(s.floats.Row(node)), s.dim)
}

// set writes the row of a node that nothing links to.
func (s *space) set(node uint32, v []float32) {
	copy(s.vector(node), v)
	if s.codes != nil {
		*s.scale(node) = simd.Encode(v, s.codes.Bytes(node))
	}
}

func (s *space) scale(node uint32) *float32 { return (*float32)(s.scales.Row(node)) }

// query is what rows are scored against: a vector that was asked for, or the
// row of a node.
type query struct {
	vector []float32
	coded  simd.CodedQuery
	ints   []int32 // scratch, as long as the longest list to score
}

// ask makes q stand for v.
func (s *space) ask(q *query, v []float32) {
	q.vector = v
	if s.codes != nil {
		q.coded.SetVector(v, s.walked.Stride)
	}
}

// askRow makes q stand for the row of node.
func (s *space) askRow(q *query, node uint32) {
	if s.codes == nil {
		q.vector = s.vector(node)
		return
	}
	q.coded.SetCode(s.codes.Bytes(node), *s.scale(node))
}

// score sets out[i] to the inner product of q and the row of nodes[i], as the
// walk sees it: exact for Float32, of codes for Int8.
func (s *space) score(q *query, nodes []uint32, out []float32) {
	if s.codes == nil {
		simd.DotGather(q.vector, s.walked, nodes, out)
		return
	}
	if len(q.ints) < len(nodes) {
		q.ints = make([]int32, len(nodes))
	}
	q.coded.DotCodes(s.walked, s.scales.Table(), nodes, q.ints, out)
}

// exact sets out[i] to the inner product of q's vector and the float vector of
// nodes[i].
func (s *space) exact(q *query, nodes []uint32, out []float32) {
	simd.DotGather(q.vector, s.floats.Table(), nodes, out)
}
