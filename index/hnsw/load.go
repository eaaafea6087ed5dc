package hnsw

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/internal/arena"
	"github.com/kindred-rec/kindred/index/internal/snapshot"
)

// Load reads into memory an index that Snapshot wrote. cfg must agree with it
// in Dim, M and Storage, and have a MaxItems above its item numbers. What is
// foreign, truncated or altered is refused with index.ErrSnapshot and the
// reason; an error of r itself comes back wrapped.
func Load(r io.Reader, cfg Config) (*Index, error) {
	return load(cfg, func(l *loader) error {
		in := snapshot.NewReader(r, magic, version)
		words := l.header.words()
		for i := range words {
			var b [4]byte
			in.Bytes(b[:])
			words[i] = binary.NativeEndian.Uint32(b[:])
		}
		if in.Err() != nil {
			return in.Err()
		}
		s := stream{in: in, at: headerEnd}
		if err := l.sections(&s); err != nil {
			return err
		}
		return in.Close()
	})
}

// Open maps an index that WriteFile wrote. The system reads pages as they are
// needed and may drop them again; what writes change is kept in memory and the
// file stays as it is. It must not be shortened while the index is in use.
// Errors are as of Load.
func Open(path string, cfg Config) (*Index, error) {
	x, err := load(cfg, func(l *loader) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		m, err := arena.MapPrivate(f)
		if err != nil {
			return err
		}
		if err := checkWhole(m.Data()); err != nil {
			return err
		}
		copy(l.header.words(), words(unsafe.Pointer(&m.Data()[snapshot.MagicSize+4]), headerWords))
		return l.sections(&mapped{m: m, at: headerEnd})
	})
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return x, nil
}

const headerEnd = snapshot.MagicSize + 4

// checkWhole checks the frame of a snapshot in memory, as snapshot.Reader does.
func checkWhole(data []byte) error {
	in := snapshot.NewReader(bytes.NewReader(data[:min(len(data), headerEnd)]), magic, version)
	if in.Err() != nil {
		return in.Err()
	}
	body := len(data) - 8
	if body < headerEnd+4*headerWords {
		return fmt.Errorf("%w: it is truncated", index.ErrSnapshot)
	}
	got, want := binary.LittleEndian.Uint64(data[body:]), xxhash.Sum64(data[:body])
	if got != want {
		return fmt.Errorf("%w: its checksum is %016x, its content's is %016x", index.ErrSnapshot, got, want)
	}
	return nil
}

// loader fills an empty index.
type loader struct {
	x      *Index
	header header
}

func load(cfg Config, read func(*loader) error) (*Index, error) {
	x, err := New(cfg)
	if err != nil {
		return nil, err
	}
	l := &loader{x: x}
	if err := read(l); err != nil {
		return nil, err
	}
	if err := l.adopt(); err != nil {
		return nil, err
	}
	if err := x.learnAll(); err != nil {
		return nil, err
	}
	return x, nil
}

// sections reads all sections after the header.
func (l *loader) sections(s source) error {
	if err := l.checkHeader(); err != nil {
		return err
	}
	x, n := l.x, int(l.header.Nodes)
	for _, part := range []struct {
		a    *arena.Arena
		rows int
	}{
		{x.labels, n},
		{x.graph.first, n},
		{x.graph.upper, int(l.header.Blocks)},
		{x.graph.base, n},
		{x.space.floats, n},
		{x.space.codes, n},
		{x.space.scales, n},
	} {
		if part.a == nil {
			continue
		}
		if err := s.fill(part.a, part.rows); err != nil {
			return err
		}
	}
	return s.end()
}

func (l *loader) checkHeader() error {
	h, x := l.header, l.x
	for _, c := range []struct {
		what      string
		got, want uint32
	}{
		{"byte order", h.Order, byteOrder},
		{"Dim", h.Dim, uint32(x.cfg.Dim)},
		{"M", h.M, uint32(x.cfg.M)},
		{"Storage", h.Storage, uint32(x.cfg.Storage)},
		{"row of vectors", h.FloatStride, uint32(x.space.floats.Table().Stride)},
		{"row walked", h.CodesStride, uint32(x.space.walked.Stride)},
	} {
		if c.got != c.want {
			return fmt.Errorf("%w: its %s is %d, the configuration's is %d", index.ErrSnapshot, c.what, c.got, c.want)
		}
	}
	if int64(h.Nodes) > int64(x.cfg.maxNodes()) {
		return fmt.Errorf("%w: %d nodes, room for %d at MaxItems = %d", index.ErrSnapshot, h.Nodes, x.cfg.maxNodes(), x.cfg.MaxItems)
	}
	if h.Blocks < 1 || int64(h.Blocks) > 2*int64(h.Nodes)+maxLevel {
		return fmt.Errorf("%w: %d upper blocks for %d nodes", index.ErrSnapshot, h.Blocks, h.Nodes)
	}
	return nil
}

// adopt makes the index serve what was read, after checking that no number in
// it leads out of bounds.
func (l *loader) adopt() error {
	x, n := l.x, int(l.header.Nodes)
	x.alloc.used = n
	x.bound.Store(int64(n))
	x.graph.used = int(l.header.Blocks)
	for _, step := range []func() error{l.adoptLabels, l.checkBlocks, l.checkLinks, l.checkRows, l.adoptEntry} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) adoptLabels() error {
	x := l.x
	for node := range l.header.Nodes {
		label := *x.label(node)
		id := label & itemBits
		switch {
		case label == spareLabel:
			x.alloc.spare = append(x.alloc.spare, node)
		case label&doomedMark != 0 || int(id) >= x.cfg.MaxItems:
			return fmt.Errorf("%w: node %d stands for item %d, numbers must be below MaxItems = %d", index.ErrSnapshot, node, id, x.cfg.MaxItems)
		case label&deadMark != 0:
			x.sweep.dead.Add(1)
		case x.nodes[id].Load() != 0:
			return fmt.Errorf("%w: item %d stands at two nodes", index.ErrSnapshot, id)
		default:
			x.nodes[id].Store(node + 1)
			x.live.Add(1)
		}
	}
	if x.live.Load() != int64(l.header.Items) {
		return fmt.Errorf("%w: %d items, its header says %d", index.ErrSnapshot, x.live.Load(), l.header.Items)
	}
	return nil
}
