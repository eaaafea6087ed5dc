package hnsw_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/hnsw"
	"github.com/kindred-rec/kindred/index/indextest"
)

func snapshotOf(t testing.TB, x *hnsw.Index) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := x.Snapshot(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestSerialBuildIsReproducible(t *testing.T) {
	vectors := indextest.Clusters(61, 800, 16)
	for _, storage := range []hnsw.Storage{hnsw.Float32, hnsw.Int8} {
		cfg := hnsw.Config{Dim: 16, MaxItems: 1000, Seed: 5, Storage: storage}
		first, second := snapshotOf(t, built(t, cfg, 1, vectors)), snapshotOf(t, built(t, cfg, 1, vectors))
		if !bytes.Equal(first, second) {
			t.Errorf("%v: two builds with one seed differ", storage)
		}
		cfg.Seed = 6
		if bytes.Equal(first, snapshotOf(t, built(t, cfg, 1, vectors))) {
			t.Errorf("%v: the seed changes nothing", storage)
		}
	}
}

func TestOpenServesTheFileAndKeepsIt(t *testing.T) {
	vectors := indextest.Clusters(62, 1500, 16)
	for _, storage := range []hnsw.Storage{hnsw.Float32, hnsw.Int8} {
		cfg := hnsw.Config{Dim: 16, MaxItems: 3000, Seed: 1, Storage: storage}
		x := built(t, cfg, 1, vectors[:1400])
		path := filepath.Join(t.TempDir(), "items.hnsw")
		if err := x.WriteFile(path); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(file, snapshotOf(t, x)) {
			t.Fatalf("%v: the file is not the snapshot: %v", storage, err)
		}
		y, err := hnsw.Open(path, cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range vectors[1400:] {
			q := index.Query{Vector: v, K: 10, Effort: 20}
			want, _ := x.Search(q, nil)
			got, err := y.Search(q, nil)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%v: %v after Open, %v before; %v", storage, got, want, err)
			}
		}
		if s := y.Stats(); s.Items != 1400 {
			t.Errorf("%v: %+v", storage, s)
		}
		churnOpened(t, y, vectors)
		if again, err := os.ReadFile(path); err != nil || !bytes.Equal(file, again) {
			t.Errorf("%v: writes to the opened index changed its file: %v", storage, err)
		}
	}
}

// churnOpened writes to an opened index of 1,400 items.
func churnOpened(t *testing.T, y *hnsw.Index, vectors [][]float32) {
	t.Helper()
	for id := range uint32(700) {
		if err := errors.Join(y.Delete(id), y.Add(id+1400, vectors[id])); err != nil {
			t.Fatal(err)
		}
	}
	y.Reclaim()
	if r := recallOf(t, y, vectors[1400:], 0); r < .95 {
		t.Errorf("recall %.3f of an opened index after writes", r)
	}
}

func TestOpenRefuses(t *testing.T) {
	cfg := hnsw.Config{Dim: 5, MaxItems: 100}
	good := snapshotOf(t, built(t, cfg, 1, indextest.Clusters(63, 90, 5)))
	path := filepath.Join(t.TempDir(), "f")
	open := func(data []byte) error {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := hnsw.Open(path, cfg)
		return err
	}
	if err := open(good); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 5, 12, 60, 4096, len(good) / 2, len(good) - 1} {
		if err := open(good[:n]); !errors.Is(err, index.ErrSnapshot) {
			t.Errorf("%d of %d bytes: %v", n, len(good), err)
		}
	}
	for n := 0; n < len(good); n += 997 {
		flipped := bytes.Clone(good)
		flipped[n] ^= 4
		if err := open(flipped); !errors.Is(err, index.ErrSnapshot) {
			t.Errorf("byte %d flipped: %v", n, err)
		}
	}
	if err := open(append(bytes.Clone(good), 1)); !errors.Is(err, index.ErrSnapshot) {
		t.Errorf("one byte more: %v", err)
	}
	if _, err := hnsw.Open(filepath.Join(t.TempDir(), "absent"), cfg); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want %v", err, os.ErrNotExist)
	}
}

// TestLinksBehindTheEndOfAListAreRefused writes a number behind the end of each list that
// has room: it would become a link as soon as the list grew over it.
func TestLinksBehindTheEndOfAListAreRefused(t *testing.T) {
	cfg := hnsw.Config{Dim: 3, MaxItems: 50, M: 4, Seed: 1}
	good := snapshotOf(t, built(t, cfg, 1, indextest.Clusters(65, 40, 3)))
	body := good[:len(good)-8]
	ends := bytes.Repeat([]byte{0xff}, 8) // the end of a list, and one place more
	found := 0
	for at := 0; ; at++ {
		next := bytes.Index(body[at:], ends)
		if next < 0 {
			break
		}
		at += next
		bad := bytes.Clone(body)
		copy(bad[at+4:], []byte{0xfe, 0xff, 0xff, 0xff}) // little-endian or big: no node
		bad = binary.LittleEndian.AppendUint64(bad, xxhash.Sum64(bad))
		if _, err := hnsw.Load(bytes.NewReader(bad), cfg); !errors.Is(err, index.ErrSnapshot) {
			t.Fatalf("at byte %d: %v", at, err)
		}
		found++
		at += 3
	}
	if found == 0 {
		t.Error("no list has room for two links more")
	}
}

// Snapshots written while items come, go and move load, and hold every item
// that stood still.
func TestSnapshotDuringWrites(t *testing.T) {
	vectors := indextest.Clusters(64, 1200, 8)
	cfg := hnsw.Config{Dim: 8, MaxItems: 1200, Seed: 1}
	x := built(t, cfg, 0, vectors[:1000])
	var writing sync.WaitGroup
	stop := make(chan struct{})
	writing.Go(func() {
		for i := uint32(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			id := 500 + i%500
			if err := x.Update(id, vectors[(i*7)%1200]); err != nil {
				t.Errorf("update: %v", err)
				return
			}
			if i%3 == 0 {
				if err := errors.Join(x.Delete(id), x.Add(id, vectors[i%1200])); err != nil {
					t.Errorf("delete and add: %v", err)
					return
				}
			}
		}
	})
	for range 15 {
		y, err := hnsw.Load(bytes.NewReader(snapshotOf(t, x)), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for id := range uint32(500) {
			if v, ok := y.Vector(id, nil); !ok || v[0] != vectors[id][0] {
				t.Fatalf("item %d, which stood still: %v", id, v)
			}
		}
	}
	close(stop)
	writing.Wait()
}

// FuzzLoad gives each mutated snapshot a right checksum, so that it is the
// checks of its numbers that are tried, and walks over what they let pass.
func FuzzLoad(f *testing.F) {
	for _, storage := range []hnsw.Storage{hnsw.Float32, hnsw.Int8} {
		cfg := hnsw.Config{Dim: 3, MaxItems: 50, M: 2, Seed: 1, Storage: storage}
		x := built(f, cfg, 1, indextest.Clusters(65, 40, 3))
		if err := x.Delete(7); err != nil {
			f.Fatal(err)
		}
		good := snapshotOf(f, x)
		f.Add(good[:len(good)-8], storage == hnsw.Int8)
	}
	f.Fuzz(func(t *testing.T, data []byte, int8 bool) {
		cfg := hnsw.Config{Dim: 3, MaxItems: 50, M: 2, Seed: 1, Dir: t.TempDir()}
		if int8 {
			cfg.Storage = hnsw.Int8
		}
		data = binary.LittleEndian.AppendUint64(bytes.Clone(data), xxhash.Sum64(data))
		x, err := hnsw.Load(bytes.NewReader(data), cfg)
		if err != nil {
			if !errors.Is(err, index.ErrSnapshot) {
				t.Fatal(err)
			}
			return
		}
		exercise(t, x)
	})
}

// exercise goes everywhere that a bad number could lead.
func exercise(t *testing.T, x *hnsw.Index) {
	for _, q := range []index.Query{
		{Vector: []float32{1, 0, 0}, K: 3, Effort: 1},
		{Vector: []float32{0, 1, 0}, K: 60},
		{Vector: []float32{0, 0, 1}, K: 3, Allow: []uint64{0xff00ff}},
	} {
		if _, err := x.Search(q, nil); err != nil {
			t.Fatal(err)
		}
	}
	for id := range uint32(50) {
		if _, ok := x.Vector(id, nil); ok && id%2 == 0 {
			if err := x.Delete(id); err != nil {
				t.Fatal(err)
			}
		} else if !ok {
			if err := x.Add(id, []float32{1, 2, 3}); err != nil {
				t.Fatal(err)
			}
		}
	}
	x.Reclaim()
	if err := x.Snapshot(io.Discard); err != nil {
		t.Fatal(err)
	}
}

func TestWriteFileLeavesNothingBehind(t *testing.T) {
	x := built(t, hnsw.Config{Dim: 3, MaxItems: 10}, 1, indextest.Clusters(66, 10, 3))
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for range 2 { // the second replaces the first
		if err := x.WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.WriteFile(filepath.Join(dir, "absent", "a")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want %v", err, os.ErrNotExist)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("left %v, %v", files, err)
	}
}
