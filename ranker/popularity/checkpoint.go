package popularity

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/kindred-rec/kindred/ranker/internal/decay"
)

// A checkpoint is: the magic and a version byte; HalfLife (varint nanoseconds);
// 1 and origin and latest (varint microseconds), or 0; acts (uvarint); the number
// of items (uvarint); for each its raw count (float64, little endian); the
// xxHash64 of all before it.
const (
	magic     = "KPOP"
	version   = 1
	hashBytes = 8
)

// AppendBinary appends a checkpoint of the counter to dst. Writers wait for it,
// readers do not. The error is always nil.
func (c *Counter) AppendBinary(dst []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	start := len(dst)
	dst = append(append(dst, magic...), version)
	dst = binary.AppendVarint(dst, int64(c.options.HalfLife))
	if times, timed := c.clock.Times(); timed {
		dst = binary.AppendVarint(binary.AppendVarint(append(dst, 1), times.Origin), times.Latest)
	} else {
		dst = append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(c.added))
	n := c.length.Load()
	dst = binary.AppendUvarint(dst, uint64(n))
	for item := range n {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(c.raw(item)))
	}
	return binary.LittleEndian.AppendUint64(dst, xxhash.Sum64(dst[start:])), nil
}

// Load makes a counter from a checkpoint. HalfLife must be what it was.
func Load(checkpoint []byte, options Options) (*Counter, error) {
	c, err := New(options)
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
	if err := c.read(&reader{rest: checkpoint[len(magic)+1 : body]}); err != nil {
		return nil, err
	}
	c.rebuild()
	c.publish()
	return c, nil
}

func (c *Counter) read(r *reader) error {
	halfLife := time.Duration(r.varint())
	timed := r.uvarint()
	if timed == 1 {
		c.clock.Restore(decay.Times{Origin: r.varint(), Latest: r.varint()})
	}
	c.added = int(r.uvarint() & math.MaxInt64)
	n := r.uvarint()
	switch {
	case r.failed || timed > 1 || uint64(len(r.rest)) != 8*n || n > math.MaxInt32:
		return fmt.Errorf("%w: its length is not what it says", ErrCheckpoint)
	case halfLife != c.options.HalfLife:
		return fmt.Errorf("%w: made with half-life %v, opened with %v", ErrCheckpoint, halfLife, c.options.HalfLife)
	case timed == 1 && halfLife == 0:
		return fmt.Errorf("%w: it has a clock but no half-life", ErrCheckpoint)
	case n > uint64(c.options.MaxItems):
		return fmt.Errorf("%w: %d items, MaxItems is %d; raise MaxItems", ErrCheckpoint, n, c.options.MaxItems)
	}
	if timed == 1 {
		times, _ := c.clock.Times()
		if e := c.clock.HalfLives(times.Origin, times.Latest); !(e >= 0 && e <= decay.Far+1) {
			return fmt.Errorf("%w: its times lie %v half-lives apart", ErrCheckpoint, e)
		}
	}
	for item := range uint32(n) {
		count := math.Float64frombits(binary.LittleEndian.Uint64(r.rest[8*item:]))
		if !(count >= 0 && count <= math.MaxFloat64) {
			return fmt.Errorf("%w: the count of item %d is %v", ErrCheckpoint, item, count)
		}
		c.cell(item).Store(math.Float64bits(count))
	}
	return nil
}

// rebuild finds the top items from the counts. The caller holds c.mu or is the
// only one who knows c.
func (c *Counter) rebuild() {
	clear(c.place)
	c.live = c.live[:0]
	for item := range c.length.Load() {
		if c.raw(item) > 0 {
			c.live = append(c.live, item)
		}
	}
	slices.SortFunc(c.live, c.before)
	c.live = slices.Clone(c.live[:min(len(c.live), c.options.MaxTop)])
	for _, item := range c.live {
		c.place[item] = struct{}{}
	}
}

// A reader takes varints; what is short sets failed.
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
