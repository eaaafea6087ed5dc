package hnsw

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/kindred-rec/kindred/index"
)

// Add indexes a copy of v under id. See index.Writer.
func (x *Index) Add(id uint32, v []float32) error {
	return x.writeAndLearn(id, v, func(present bool) error {
		if present {
			return fmt.Errorf("%w: item %d; use Update", index.ErrExists, id)
		}
		return nil
	})
}

// Update replaces the vector of id: a new node takes the item over from the
// old one in one step. See index.Writer.
func (x *Index) Update(id uint32, v []float32) error {
	return x.writeAndLearn(id, v, func(present bool) error {
		if !present {
			return fmt.Errorf("%w: item %d", index.ErrNotFound, id)
		}
		return nil
	})
}

// Delete removes id. Its node stays in the graph, unfound, until enough are
// dead to sweep them. See index.Writer.
func (x *Index) Delete(id uint32) error {
	if int(id) < len(x.nodes) {
		mu := x.itemLock(id)
		mu.Lock()
		defer mu.Unlock()
		if was := x.nodes[id].Load(); was != 0 {
			x.move(id, 0, was)
			x.live.Add(-1)
			x.maintain()
			return nil
		}
	}
	return fmt.Errorf("%w: item %d", index.ErrNotFound, id)
}

func (x *Index) itemLock(id uint32) *sync.Mutex { return &x.items[id%uint32(len(x.items))] }

// writeAndLearn is write, and a step of learning.
func (x *Index) writeAndLearn(id uint32, v []float32, allowed func(present bool) error) error {
	if err := x.write(id, v, allowed); err != nil {
		return err
	}
	// The item is written. A step for which there was no memory is tried again
	// with the next write, or by Build, which reports it.
	_ = x.learn(encodeStep)
	return nil
}

// write indexes v under id if allowed says so.
func (x *Index) write(id uint32, v []float32, allowed func(present bool) error) error {
	if err := index.CheckID(id, x.cfg.MaxItems); err != nil {
		return err
	}
	if err := index.CheckVector(v, x.cfg.Dim); err != nil {
		return err
	}
	mu := x.itemLock(id)
	mu.Lock()
	defer mu.Unlock()
	was := x.nodes[id].Load()
	if err := allowed(was != 0); err != nil {
		return err
	}
	// Before the item moves: nobody finds it by a code that is not there yet.
	if err := x.encode(id, v); err != nil {
		return err
	}
	node, err := x.newNode(id, v)
	if err != nil {
		return err
	}
	x.move(id, node+1, was)
	if was == 0 {
		x.live.Add(1)
	}
	x.maintain()
	return nil
}

// newNode makes and links a node for id, which nothing finds yet.
func (x *Index) newNode(id uint32, v []float32) (uint32, error) {
	node, err := x.takeNode()
	for errors.Is(err, errFull) {
		x.Reclaim()
		node, err = x.takeNode()
	}
	if err != nil {
		return 0, err
	}
	s := x.pool.begin()
	defer x.pool.end(s)
	x.space.set(node, v)
	level := x.levelOf(id)
	if err := x.graph.place(node, level); err != nil {
		x.returnNode(node)
		return 0, fmt.Errorf("hnsw: links of item %d: %w", id, err)
	}
	atomic.StoreUint32(x.label(node), id) // from here on others may link to it
	x.link(s, node, level)
	return node, nil
}

// move makes the item stand at place to, a node plus one or 0 for nowhere, and
// no longer at from.
func (x *Index) move(id, to, from uint32) {
	x.nodes[id].Store(to)
	x.moves.Add(1)
	if from != 0 {
		x.sweep.bury(x.label(from - 1))
	}
}
