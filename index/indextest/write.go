package indextest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/index"
)

// testHistory plays random histories of few items against the oracle.
func testHistory(t *testing.T, e Engine) {
	vectors := Clusters(21, 300, 6)
	rapid.Check(t, func(rt *rapid.T) {
		x, o := e.New(t, 6, 40), oracle{}
		for range rapid.IntRange(1, 120).Draw(rt, "steps") {
			id := rapid.Uint32Range(0, 39).Draw(rt, "item")
			v := vectors[rapid.IntRange(0, len(vectors)-1).Draw(rt, "vector")]
			step(rt, x, o, rapid.IntRange(0, 3).Draw(rt, "act"), id, v)
			if x.Len() != len(o) {
				rt.Fatalf("%d items, want %d", x.Len(), len(o))
			}
		}
	})
}

// step does one act to both and compares.
func step(t *rapid.T, x index.Index, o oracle, act int, id uint32, v []float32) {
	_, present := o[id]
	var err, want error
	switch act {
	case 0:
		if err = x.Add(id, v); present {
			want = index.ErrExists
		} else {
			o[id] = v
		}
	case 1:
		if err = x.Update(id, v); present {
			o[id] = v
		} else {
			want = index.ErrNotFound
		}
	case 2:
		if err = x.Delete(id); !present {
			want = index.ErrNotFound
		}
		delete(o, id)
	case 3:
		q := index.Query{Vector: v, K: int(id) + 1}
		hits, serr := x.Search(q, nil)
		checkHits(t, o, q, hits)
		err = serr
	}
	if !errors.Is(err, want) {
		t.Fatalf("act %d on item %d, present %v: %v, want %v", act, id, present, err, want)
	}
	got, ok := x.Vector(id, nil)
	if known, present := o[id]; ok != present || ok && got[0] != known[0] {
		t.Fatalf("after act %d item %d is %v, want %v", act, id, got, known)
	}
}

// testComeBack deletes most items and adds them again elsewhere, several times
// over: nothing of their first life may be left, and recall must hold.
func testComeBack(t *testing.T, e Engine) {
	vectors := Clusters(22, 2100, 24)
	x, o := e.filled(t, vectors[:1000])
	rng := rand.New(rand.NewPCG(8, 9))
	for range 3 {
		order := rng.Perm(1000)
		for _, i := range order[:800] {
			if err := x.Delete(uint32(i)); err != nil {
				t.Fatal(err)
			}
			delete(o, uint32(i))
		}
		e.demandRecall(t, meanRecall(t, x, o, queriesOf(vectors[2000:2030], 10)))
		for _, i := range order[:800] {
			v := vectors[1000+rng.IntN(1000)]
			add(t, x, uint32(i), v)
			o[uint32(i)] = v
		}
		e.demandRecall(t, meanRecall(t, x, o, queriesOf(vectors[2000:2100], 10)))
	}
	for id := range o {
		if err := x.Delete(id); err != nil {
			t.Fatal(err)
		}
	}
	if hits := search(t, x, index.Query{Vector: vectors[0], K: 10}); x.Len() != 0 || len(hits) != 0 {
		t.Fatalf("all deleted, %d left, found %v", x.Len(), hits)
	}
	add(t, x, 5, vectors[5])
	if hits := search(t, x, index.Query{Vector: vectors[5], K: 10}); len(hits) != 1 || hits[0].ID != 5 {
		t.Fatalf("the first item after all were deleted: %v", hits)
	}
}

func snapshotOf(t testing.TB, x index.Index) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := x.Snapshot(&buf); err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	return buf.Bytes()
}

func testSnapshot(t *testing.T, e Engine) {
	vectors := Clusters(23, 700, 17)
	x, o := e.filled(t, vectors[:600])
	for id := uint32(0); id < 600; id += 3 {
		if err := x.Delete(id); err != nil {
			t.Fatal(err)
		}
		delete(o, id)
	}
	y, err := e.Load(bytes.NewReader(snapshotOf(t, x)), 17, 1200)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	if y.Len() != x.Len() {
		t.Fatalf("%d items come back as %d", x.Len(), y.Len())
	}
	for id, v := range o {
		if got, ok := y.Vector(id, nil); !ok || got[0] != v[0] || got[16] != v[16] {
			t.Fatalf("item %d comes back as %v", id, got)
		}
	}
	e.demandRecall(t, meanRecall(t, y, o, queriesOf(vectors[600:], 10)))
	add(t, y, 0, vectors[0]) // what was loaded takes writes
	o[0] = vectors[0]
	e.demandRecall(t, meanRecall(t, y, o, queriesOf(vectors[600:], 10)))
}

func testBadSnapshots(t *testing.T, e Engine) {
	x, _ := e.filled(t, Clusters(24, 60, 5))
	good := snapshotOf(t, x)
	refused := func(what string, data []byte, dim, maxItems int) {
		t.Helper()
		if _, err := e.Load(bytes.NewReader(data), dim, maxItems); !errors.Is(err, index.ErrSnapshot) {
			t.Errorf("%s: %v, want %v", what, err, index.ErrSnapshot)
		}
	}
	for n := 0; n < len(good); n += 1 + n/50 {
		refused("truncated", good[:n], 5, 120)
	}
	for n := 0; n < len(good); n += 1 + n/100 {
		flipped := bytes.Clone(good)
		flipped[n] ^= 1 << (n % 8)
		refused("flipped", flipped, 5, 120)
	}
	refused("with a tail", append(bytes.Clone(good), 0), 5, 120)
	refused("foreign", []byte("PK\x03\x04 surely not a snapshot of anything at all"), 5, 120)
	refused("another dimension", good, 6, 120)
	refused("too many items", good, 5, 30)
	broken := io.MultiReader(bytes.NewReader(good[:20]), failing{})
	if _, err := e.Load(broken, 5, 120); !errors.Is(err, errDisk) || errors.Is(err, index.ErrSnapshot) {
		t.Errorf("a failing reader: %v, want %v and not %v", err, errDisk, index.ErrSnapshot)
	}
}

var errDisk = errors.New("disk on fire")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errDisk }
