package coder

import (
	"fmt"
	"io"
	"slices"

	"github.com/coder/hnsw"

	"github.com/kindred-rec/kindred/index/flat"
	"github.com/kindred-rec/kindred/index/internal/snapshot"
)

// bytesPerLink is what one link costs in the heap, in both directions and on
// all levels.
const bytesPerLink = 54

// spareTombstones is how many tombstones are kept however few items there are.
const spareTombstones = 64

// Add indexes a copy of v under id. See index.Writer.
func (x *Index) Add(id uint32, v []float32) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.vectors.Add(id, v); err != nil {
		return err
	}
	x.insert(id, v)
	return nil
}

// Update replaces the vector of id. See index.Writer.
func (x *Index) Update(id uint32, v []float32) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.vectors.Update(id, v); err != nil {
		return err
	}
	x.bury(id)
	x.insert(id, v)
	return nil
}

// Delete removes id. See index.Writer.
func (x *Index) Delete(id uint32) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.vectors.Delete(id); err != nil {
		return err
	}
	x.bury(id)
	return nil
}

func (x *Index) insert(id uint32, v []float32) {
	node := uint32(len(x.items))
	x.items = append(x.items, id)
	x.nodes[id] = node
	x.graph.Add(hnsw.MakeNode(node, slices.Clone(v)))
}

// bury makes id's node a tombstone, and builds anew when there are too many.
func (x *Index) bury(id uint32) {
	x.items[x.nodes[id]] = dead
	delete(x.nodes, id)
	if len(x.items)-len(x.nodes) > len(x.nodes)+spareTombstones {
		x.rebuild()
	}
}

// rebuild inserts the items that are alive into a new graph, in the order in
// which they came.
func (x *Index) rebuild() {
	was, nodes := x.items, x.nodes
	x.reset()
	for node, id := range was {
		if id == dead || nodes[id] != uint32(node) {
			continue
		}
		if v, ok := x.vectors.Vector(id, nil); ok {
			x.insert(id, v)
		}
	}
}

const (
	magic   = "KINCODER"
	version = 1
)

// Snapshot writes the vectors; the graph is not kept. See index.Index.
func (x *Index) Snapshot(w io.Writer) error {
	head := snapshot.NewWriter(w, magic, version)
	if err := head.Close(); err != nil {
		return err
	}
	return x.vectors.Snapshot(w)
}

// headSize is what the head of a snapshot takes: magic, version, checksum.
const headSize = snapshot.MagicSize + 4 + 8

// Load reads what Snapshot wrote and builds the graph again. Errors as
// flat.Load.
func Load(r io.Reader, cfg Config) (*Index, error) {
	x, err := New(cfg)
	if err != nil {
		return nil, err
	}
	head := snapshot.NewReader(io.LimitReader(r, headSize), magic, version)
	if err := head.Close(); err != nil {
		return nil, err
	}
	x.vectors, err = flat.Load(r, flat.Config{Dim: cfg.Dim, MaxItems: cfg.MaxItems})
	if err != nil {
		return nil, fmt.Errorf("vectors of a coder index: %w", err)
	}
	for id := range uint32(cfg.MaxItems) {
		if v, ok := x.vectors.Vector(id, nil); ok {
			x.insert(id, v)
		}
	}
	return x, nil
}
