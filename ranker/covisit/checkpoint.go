package covisit

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/cespare/xxhash/v2"
)

// A checkpoint is: the magic and a version byte; HalfLife (varint nanoseconds);
// whether there was a time, and if so origin and latest (varint microseconds); the number of items (uvarint); for each
// its total (float32), the number of neighbours (uvarint) and for each of those
// the item (uvarint), After and Before (float32); at the end the xxHash64 of all
// before it. Numbers of fixed size are little endian.
const (
	magic     = "KCOV"
	version   = 1
	hashBytes = 8
)

// AppendBinary appends a checkpoint of the graph to dst. Writers wait for it,
// readers do not. The error is always nil.
func (g *Graph) AppendBinary(dst []byte) ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	start := len(dst)
	dst = append(append(dst, magic...), version)
	dst = binary.AppendVarint(dst, int64(g.options.HalfLife))
	dst = binary.AppendUvarint(dst, uint64(boolByte(g.begun)))
	dst = binary.AppendVarint(dst, g.origin)
	dst = binary.AppendVarint(dst, g.latest)
	n := g.length.Load()
	dst = binary.AppendUvarint(dst, uint64(n))
	for item := range n {
		dst = appendFloat(dst, g.Total(item))
		var l list
		if c := g.chunk(item); c != nil {
			l = c.lists[item%chunkItems] // only writers change it, and g.mu keeps them out
		}
		dst = binary.AppendUvarint(dst, uint64(len(l.items)))
		for at, n := range l.items {
			dst = binary.AppendUvarint(dst, uint64(n))
			dst = appendFloat(appendFloat(dst, l.evidence[at].after), l.evidence[at].before)
		}
	}
	return binary.LittleEndian.AppendUint64(dst, xxhash.Sum64(dst[start:])), nil
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendFloat(dst []byte, f float32) []byte {
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(f))
}

// Load makes a graph from a checkpoint. HalfLife must be what it was; the other
// options may differ, but what the checkpoint holds must fit the bounds.
func Load(checkpoint []byte, options Options) (*Graph, error) {
	g, err := New(options)
	if err != nil {
		return nil, err
	}
	body := len(checkpoint) - hashBytes
	if body < len(magic)+1 || string(checkpoint[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: %d bytes that do not begin with %q", ErrCheckpoint, len(checkpoint), magic)
	}
	if got := checkpoint[len(magic)]; got != version {
		return nil, fmt.Errorf("%w: version %d; this program reads version %d", ErrCheckpoint, got, version)
	}
	if binary.LittleEndian.Uint64(checkpoint[body:]) != xxhash.Sum64(checkpoint[:body]) {
		return nil, fmt.Errorf("%w: the checksum does not match", ErrCheckpoint)
	}
	r := reader{rest: checkpoint[len(magic)+1 : body]}
	if err := g.read(&r); err != nil {
		return nil, err
	}
	if r.failed || len(r.rest) > 0 {
		return nil, fmt.Errorf("%w: it ends early or goes on after its end", ErrCheckpoint)
	}
	return g, nil
}

func (g *Graph) read(r *reader) error {
	if halfLife := time.Duration(r.varint()); halfLife != g.options.HalfLife {
		return fmt.Errorf("%w: made with half-life %v, opened with %v", ErrCheckpoint, halfLife, g.options.HalfLife)
	}
	g.begun = r.uvarint() != 0
	g.origin, g.latest = r.varint(), r.varint()
	if exponent := g.begunExponent(); exponent < 0 || exponent > farExponent+1 {
		return fmt.Errorf("%w: its times lie %v half-lives apart", ErrCheckpoint, exponent)
	}
	g.unit.Store(math.Float32bits(float32(math.Exp2(g.begunExponent()))))
	n := r.uvarint()
	if n > uint64(g.options.MaxItems) {
		return fmt.Errorf("%w: %d items, MaxItems is %d; raise MaxItems", ErrCheckpoint, n, g.options.MaxItems)
	}
	for item := uint32(0); uint64(item) < n && !r.failed; item++ {
		if err := g.readItem(r, item, n); err != nil {
			return err
		}
	}
	return nil
}

func (g *Graph) begunExponent() float64 {
	if !g.begun || g.options.HalfLife == 0 {
		return 0
	}
	return g.exponent(g.latest)
}

func (g *Graph) readItem(r *reader, item uint32, items uint64) error {
	total := r.float()
	count := r.uvarint()
	if count > uint64(g.options.MaxNeighbours) || int64(count)+g.pairs.Load() > int64(g.options.MaxPairs) {
		return fmt.Errorf("%w: %d neighbours of item %d pass MaxNeighbours %d or MaxPairs %d; raise them",
			ErrCheckpoint, count, item, g.options.MaxNeighbours, g.options.MaxPairs)
	}
	if r.failed || count > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	c := g.grow(item)
	c.totals[item%chunkItems].Store(math.Float32bits(total))
	if count == 0 {
		return nil
	}
	l := list{items: make([]uint32, count), evidence: make([]evidence, count), least: make([]minimum, (count+blockSize-1)/blockSize)}
	l.forget()
	for i := range l.items {
		j := r.uvarint()
		l.items[i], l.evidence[i] = uint32(j), evidence{after: r.float(), before: r.float()}
		if j >= items {
			return fmt.Errorf("%w: item %d has neighbour %d of only %d items", ErrCheckpoint, item, j, items)
		}
	}
	c.lists[item%chunkItems] = l
	g.pairs.Add(int64(count))
	return nil
}

// A reader takes numbers from a checkpoint. What is short or no finite count
// sets failed, and yields zeros from then on.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	r.skip(n)
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	r.skip(n)
	return v
}

func (r *reader) skip(n int) {
	if n <= 0 {
		r.failed, r.rest = true, nil
		return
	}
	r.rest = r.rest[n:]
}

func (r *reader) float() float32 {
	if len(r.rest) < 4 {
		r.failed, r.rest = true, nil
		return 0
	}
	f := math.Float32frombits(binary.LittleEndian.Uint32(r.rest))
	r.rest = r.rest[4:]
	if !(f >= 0 && f <= math.MaxFloat32) {
		r.failed = true
	}
	return f
}
