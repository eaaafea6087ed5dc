package conversion

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/kindred-rec/kindred/ranker/internal/decay"
)

// A checkpoint is: the magic and a version byte; HalfLife, nanoseconds; 1 or 0 for a clock
// and its origin and latest, microseconds; the number of items; the totals; for each item
// its raw counts; the xxHash64 of all before it. Numbers are 8 bytes, little endian.
const (
	magic       = "KCNV"
	version     = 1
	headerBytes = len(magic) + 1 + 8*(5+int(Acts))
	hashBytes   = 8
)

// AppendBinary appends a checkpoint of the counter to dst. Writers wait for it, readers do
// not. The error is always nil.
func (c *Counter) AppendBinary(dst []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	start := len(dst)
	dst = append(append(dst, magic...), version)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.options.HalfLife))
	timed := uint64(0)
	times, known := c.clock.Times()
	if known {
		timed = 1
	}
	n := c.length.Load()
	for _, x := range []uint64{timed, uint64(times.Origin), uint64(times.Latest), uint64(n)} {
		dst = binary.LittleEndian.AppendUint64(dst, x)
	}
	dst = appendCounts(dst, c.total.read())
	for item := range n {
		dst = appendCounts(dst, c.Raw(item))
	}
	return binary.LittleEndian.AppendUint64(dst, xxhash.Sum64(dst[start:])), nil
}

func appendCounts(dst []byte, counts Counts) []byte {
	for _, x := range counts {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	return dst
}

// Load makes a counter from a checkpoint. HalfLife must be what it was.
func Load(checkpoint []byte, options Options) (*Counter, error) {
	c, err := New(options)
	if err != nil {
		return nil, err
	}
	body := len(checkpoint) - hashBytes
	switch {
	case body < headerBytes || string(checkpoint[:len(magic)]) != magic:
		return nil, fmt.Errorf("%w: %d bytes that do not begin with %q and a header", ErrCheckpoint, len(checkpoint), magic)
	case checkpoint[len(magic)] != version:
		return nil, fmt.Errorf("%w: version %d; this program reads version %d", ErrCheckpoint, checkpoint[len(magic)], version)
	case binary.LittleEndian.Uint64(checkpoint[body:]) != xxhash.Sum64(checkpoint[:body]):
		return nil, fmt.Errorf("%w: the checksum does not match", ErrCheckpoint)
	}
	return c, c.read(reader(checkpoint[len(magic)+1 : body]))
}

func (c *Counter) read(r reader) error {
	halfLife, timed := time.Duration(r.next()), r.next()
	times := decay.Times{Origin: int64(r.next()), Latest: int64(r.next())}
	n := r.next()
	switch {
	case timed > 1 || n > 1<<28 || uint64(len(r)) != 8*uint64(Acts)*(n+1):
		return fmt.Errorf("%w: its length is not what it says", ErrCheckpoint)
	case halfLife != c.options.HalfLife:
		return fmt.Errorf("%w: made with half-life %v, opened with %v", ErrCheckpoint, halfLife, c.options.HalfLife)
	case n > uint64(c.options.MaxItems):
		return fmt.Errorf("%w: %d items, MaxItems is %d; raise MaxItems", ErrCheckpoint, n, c.options.MaxItems)
	}
	if timed == 1 {
		if e := c.clock.HalfLives(times.Origin, times.Latest); !(e >= 0 && e <= decay.Far+1) {
			return fmt.Errorf("%w: its times lie %v half-lives apart", ErrCheckpoint, e)
		}
		c.clock.Restore(times)
	}
	if err := c.total.fill(&r); err != nil {
		return err
	}
	for item := range uint32(n) {
		if err := c.grow(item).fill(&r); err != nil {
			return fmt.Errorf("item %d: %w", item, err)
		}
	}
	return nil
}

func (c *cells) fill(r *reader) error {
	for act := range c {
		count := math.Float64frombits(r.next())
		if !(count >= 0 && count <= math.MaxFloat64) {
			return fmt.Errorf("%w: a count is %v", ErrCheckpoint, count)
		}
		c[act].Store(math.Float64bits(count))
	}
	return nil
}

// A reader takes numbers of 8 bytes; the caller knows that they are there.
type reader []byte

func (r *reader) next() uint64 {
	x := binary.LittleEndian.Uint64(*r)
	*r = (*r)[8:]
	return x
}
