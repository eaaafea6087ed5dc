package covisit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
)

func TestCheckpointBringsBackTheSameCounts(t *testing.T) {
	for _, o := range []Options{{}, {HalfLife: time.Hour}} {
		g := mustNew(t, o)
		replay(t, g, steps(1, 2, 3, 200, 3, 1))
		saved, err := g.AppendBinary([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := Load(saved[len("before"):], o)
		if err != nil {
			t.Fatal(err)
		}
		// Both go on alike.
		replay(t, g, steps(3, 70))
		replay(t, again, steps(3, 70))
		for item := range g.Len() {
			if !slices.Equal(g.Neighbours(item, nil), again.Neighbours(item, nil)) || g.Total(item) != again.Total(item) {
				t.Errorf("item %d: %v, want %v", item, again.Neighbours(item, nil), g.Neighbours(item, nil))
			}
		}
		if g.Unit() != again.Unit() || g.Stats() != again.Stats() {
			t.Errorf("unit %v, %+v; want %v, %+v", again.Unit(), again.Stats(), g.Unit(), g.Stats())
		}
	}
}

func TestCheckpointOfOtherHalfLifeIsRefused(t *testing.T) {
	saved, _ := mustNew(t, Options{}).AppendBinary(nil)
	if _, err := Load(saved, Options{HalfLife: time.Hour}); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("%v, want ErrCheckpoint", err)
	}
}

func TestDamagedCheckpointIsRefused(t *testing.T) {
	g := mustNew(t, Options{})
	replay(t, g, steps(1, 2, 3))
	saved, _ := g.AppendBinary(nil)
	for i := range saved {
		damaged := bytes.Clone(saved)
		damaged[i] ^= 0x10
		if _, err := Load(damaged, Options{}); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("byte %d changed: %v, want ErrCheckpoint", i, err)
		}
		if _, err := Load(saved[:i], Options{}); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("cut at %d: %v, want ErrCheckpoint", i, err)
		}
	}
}

// FuzzLoad gives any body a right checksum: what gets past it must still be held to the bounds.
func FuzzLoad(f *testing.F) {
	g := mustNew(f, Options{})
	replay(f, g, steps(1, 2, 3))
	saved, _ := g.AppendBinary(nil)
	f.Add(saved[:len(saved)-hashBytes])
	f.Add([]byte("KCOV\x01\x00\x00\x00\x00\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, body []byte) {
		o := Options{MaxItems: 1000, MaxNeighbours: 8, MaxPairs: 100}
		g, err := Load(binary.LittleEndian.AppendUint64(body, xxhash.Sum64(body)), o)
		if err != nil {
			if !errors.Is(err, ErrCheckpoint) {
				t.Fatalf("%v, want ErrCheckpoint", err)
			}
			return
		}
		if s := g.Stats(); s.Items > 1000 || s.Pairs > 100 {
			t.Fatalf("%+v past the bounds", s)
		}
		if err := g.Add(steps(1, 2), steps(3)[0]); err != nil {
			t.Fatal(err)
		}
	})
}

// BenchmarkAdd counts an act with ten steps before it. Known: pairs that were there before, as in most visits. Newcomers: lists
// are full, and nearly each pair is new, as when people wander.
func BenchmarkAdd(b *testing.B) {
	for name, acts := range map[string]int{"known": 4096, "newcomers": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			g := mustNew(b, Options{})
			sequence := make([]Step, 0, acts)
			x := uint32(1)
			for range cap(sequence) {
				x = x*1664525 + 1013904223
				sequence = append(sequence, Step{Item: (x >> 16) % 3459, Weight: 1 + float32(x>>8%4)/4})
			}
			at := 0
			add := func() {
				if err := g.Add(sequence[at:at+10], sequence[at+10]); err != nil {
					b.Fatal(err)
				}
				at = (at + 1) % (acts - 10)
			}
			for range 100_000 {
				add()
			}
			b.ReportAllocs()
			for b.Loop() {
				add()
			}
			if g.Stats().Pairs < 50_000 {
				b.Fatalf("%d pairs: lists are not full", g.Stats().Pairs)
			}
		})
	}
}

func BenchmarkNeighbours(b *testing.B) {
	g := mustNew(b, Options{})
	for j := range uint32(128) {
		_ = g.Add(steps(1), steps(j + 2)[0])
	}
	var buf []Neighbour
	b.ReportAllocs()
	for b.Loop() {
		if buf = g.Neighbours(1, buf[:0]); len(buf) != 128 {
			b.Fatalf("%d neighbours, want 128", len(buf))
		}
	}
}
