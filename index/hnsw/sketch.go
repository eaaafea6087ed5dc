package hnsw

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/kindred-rec/kindred/index/internal/arena"
	"github.com/kindred-rec/kindred/index/internal/simd"
)

// sketch holds a short code of each item, by item number, so that a word of a
// filter's bitmap stands for one block of codes. sift reads them.
type sketch struct {
	*quantizer
	blocks  *arena.Arena // by item/64
	trained int          // items present when it was trained
}

const (
	// Bytes of a code for each 128 elements. Vectors that take four bytes an
	// element are costly to score and their memory is dear; codes of one byte
	// an element are neither, and a longer sketch rules more of them out.
	floatSketch = 12
	int8Sketch  = 20
	// minSketch is how many items are worth a sketch: fewer are scanned.
	minSketch = 4096
	// trainSample is how many items the centroids are fitted to.
	trainSample = 2048
	// retrain is by how much the index grows until it is trained anew: by
	// then its first items may not stand for it.
	retrain = 4
	// encodeStep is how many items are encoded with one write, meanwhile.
	encodeStep = 64
)

// sketches is the state of making codes. A write puts its item's code into both
// sketches. An item that was written before next was made gets its code there
// from learn.
type sketches struct {
	ready atomic.Pointer[sketch] // has all items; nil while there are few
	next  atomic.Pointer[sketch] // being filled, or nil

	mu     sync.Mutex // held for one step
	cursor int        // next item to encode
}

func (x *Index) newSketch() *sketch {
	bytes := floatSketch
	if x.cfg.Storage == Int8 {
		bytes = int8Sketch
	}
	z := newQuantizer(x.cfg.Dim, bytes)
	stride := z.parts() / 2 * simd.BlockColumns
	return &sketch{quantizer: z, blocks: arena.New(stride, (x.cfg.MaxItems+63)/64), trained: x.Len()}
}

// block is n blocks of codes from block i on, which lie in one chunk.
func (k *sketch) block(i uint32, n int) []uint64 {
	return unsafe.Slice((*uint64)(k.blocks.Row(i)), n*k.blocks.Table().Stride/8)
}

// put encodes v as that of item id.
func (k *sketch) put(id uint32, v []float32) error {
	if err := k.blocks.Grow(int(id/64) + 1); err != nil {
		return fmt.Errorf("hnsw: short codes: %w", err)
	}
	var code [maxBytes]uint8
	simd.SetColumn(k.block(id/64, 1), int(id%64), k.encode(v, code[:0]))
	return nil
}

// encode puts the item's code into the sketches that there are. The caller holds
// the item's lock. next is looked at first: once it is ready it is no longer
// next.
func (x *Index) encode(id uint32, v []float32) error {
	next, ready := x.sketches.next.Load(), x.sketches.ready.Load()
	if next != nil {
		if err := next.put(id, v); err != nil {
			return err
		}
	}
	if ready != nil && ready != next {
		return ready.put(id, v)
	}
	return nil
}

// learn is one step of learning, if one is due and nobody else does it. The
// caller holds no item's lock. After an error the next step tries the same
// again, and until then the old sketch serves.
func (x *Index) learn(n int) error {
	if !x.toLearn() || !x.sketches.mu.TryLock() {
		return nil
	}
	defer x.sketches.mu.Unlock()
	return x.learnStep(n)
}

// learnAll learns until nothing is left to.
func (x *Index) learnAll() error {
	x.sketches.mu.Lock()
	defer x.sketches.mu.Unlock()
	for x.toLearn() {
		if err := x.learnStep(len(x.nodes)); err != nil {
			return err
		}
	}
	return nil
}

func (x *Index) toLearn() bool { return x.sketches.next.Load() != nil || x.sketchDue() }

// learnStep trains a sketch, if one is due, or encodes up to n items for the one
// that is being filled. The caller holds sketches.mu.
func (x *Index) learnStep(n int) error {
	k := &x.sketches
	next := k.next.Load()
	if next == nil {
		if x.sketchDue() {
			k.cursor = 0
			k.next.Store(x.trainSketch())
		}
		return nil
	}
	end := min(k.cursor+n, len(x.nodes))
	if err := x.encodeRange(next, k.cursor, end); err != nil {
		return err
	}
	k.cursor = end
	if k.cursor == len(x.nodes) {
		k.ready.Store(next)
		k.next.Store(nil)
	}
	return nil
}

func (x *Index) sketchDue() bool {
	live := x.Len()
	if live < minSketch {
		return false
	}
	ready := x.sketches.ready.Load()
	return ready == nil || live >= retrain*ready.trained
}

func (x *Index) trainSketch() *sketch {
	var sample [][]float32
	for _, id := range x.sample(trainSample, x.cfg.Seed) {
		if v, ok := x.Vector(id, nil); ok {
			sample = append(sample, v)
		}
	}
	k := x.newSketch()
	if len(sample) > 0 { // else all were deleted since
		k.train(sample, x.cfg.Seed)
	}
	return k
}

// encodeRange encodes items from to end-1 from their rows, all processors taking
// part if there are many.
func (x *Index) encodeRange(k *sketch, from, end int) error {
	const each = 1024
	var next atomic.Int64
	next.Store(int64(from))
	errs := make([]error, min((end-from)/each+1, runtime.GOMAXPROCS(0)))
	var group sync.WaitGroup
	for w := range errs {
		work := func() {
			for errs[w] == nil {
				low := int(next.Add(each)) - each
				if low >= end {
					return
				}
				for id := low; id < min(low+each, end) && errs[w] == nil; id++ {
					errs[w] = x.encodeAgain(k, uint32(id))
				}
			}
		}
		if len(errs) == 1 {
			work() // a step beside a write
			break
		}
		group.Go(work)
	}
	group.Wait()
	return errors.Join(errs...)
}

// encodeAgain encodes an item from its row.
func (x *Index) encodeAgain(k *sketch, id uint32) error {
	if x.nodes[id].Load() == 0 {
		return nil
	}
	mu := x.itemLock(id)
	mu.Lock()
	defer mu.Unlock()
	if place := x.nodes[id].Load(); place != 0 { // whose node none can bury now
		return k.put(id, x.space.vector(place-1))
	}
	return nil
}
