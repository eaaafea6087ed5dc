package service_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/index/hnsw"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/service"
	shops "github.com/kindred-rec/kindred/server/shop"
)

// graphAlways serves with a graph whatever the size. So few items are scanned by it, so
// that its answers are those of flat.
func graphAlways(c *shops.IndexConfig) { c.Engine = shops.HNSW }

// snapshot is the path of the default tenant's graph and of its manifest.
func (s *shop) snapshot() (graph, about string) {
	base := filepath.Join(s.config.Data, "index", "1")
	return base + ".hnsw", base + ".json"
}

// changed makes 35 differences to things(0, 600): 20 added, 10 changed, 5 deleted.
func (c *client) changed() []*kindredv1.Item {
	c.t.Helper()
	c.put(things(600, 620))
	renamed := things(0, 10)
	for _, it := range renamed {
		it.Title = "renamed brass candle holder " + it.Id
	}
	c.put(renamed)
	c.drop(20, 25)
	return slices.Concat(renamed, things(10, 20), things(25, 620))
}

func sameAsFlat(t *testing.T, s *shop, items []*kindredv1.Item) {
	t.Helper()
	got := s.neighbours(items)
	s.stop()
	exact := &shop{config: s.config}
	exact.config.Shop.Index = shops.IndexConfig{Engine: shops.Flat, Dir: filepath.Join(t.TempDir(), "none")}
	exact.run(t)
	defer exact.stop()
	same(t, "against flat", got, exact.neighbours(items))
}

func TestARestartLoadsTheSnapshot(t *testing.T) {
	s := start(t, withIndex(graphAlways))
	s.put(things(0, 600))
	if x := s.index(); x.RestoredTime != nil || x.SnapshotTime != nil {
		t.Errorf("a new tenant has a snapshot: %v", x)
	}
	before := s.neighbours(things(0, 600))
	s.restart()
	x := s.index()
	if x.RestoredTime == nil || x.RepairedItems != 0 || x.Items != 600 || !x.SnapshotTime.AsTime().Equal(x.RestoredTime.AsTime()) {
		t.Errorf("after a restart: %v", x)
	}
	same(t, "after a restart", s.neighbours(things(0, 600)), before)
	written := stat(t, s)
	s.restart()
	if !stat(t, s).Equal(written) {
		t.Error("nothing changed, and the snapshot was written again")
	}
}

func stat(t *testing.T, s *shop) time.Time {
	t.Helper()
	graph, _ := s.snapshot()
	info, err := os.Stat(graph)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}

func TestAnOldSnapshotIsRepaired(t *testing.T) {
	for _, storage := range []hnsw.Storage{hnsw.Float32, hnsw.Int8} {
		t.Run(storage.String(), func(t *testing.T) {
			s := start(t, withIndex(graphAlways), withIndex(func(c *shops.IndexConfig) { c.Storage = storage }))
			s.put(things(0, 600))
			s.restart() // writes it
			graph, about := s.snapshot()
			old := [][]byte{read(t, graph), read(t, about)}
			items := s.changed()
			s.stop()
			overwrite(t, graph, old[0])
			overwrite(t, about, old[1])
			s.run(t)
			x := s.index()
			if x.RestoredTime == nil || x.RepairedItems != 35 || x.Items != 615 || x.Storage != storage.String() {
				t.Errorf("after a restart from before 35 changes: %v", x)
			}
			sameAsFlat(t, s, items)
		})
	}
}

func TestSnapshotsAreWrittenWhenEnoughHasChanged(t *testing.T) {
	s := start(t, withIndex(graphAlways), withIndex(func(c *shops.IndexConfig) { c.SnapshotEvery, c.SnapshotAfter = 5*time.Millisecond, 50 }))
	s.put(things(0, 49))
	time.Sleep(50 * time.Millisecond) // a look or more
	if x := s.index(); x.SnapshotTime != nil {
		t.Errorf("49 changes are kept, 50 are asked for: %v", x)
	}
	s.put(things(49, 60))
	s.eventually("a snapshot", func(x *kindredv1.IndexStatus) bool { return x.SnapshotTime != nil })
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func overwrite(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// reword changes a manifest.
func reword(t *testing.T, about string, edit func(m map[string]any)) {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(read(t, about), &m); err != nil {
		t.Fatal(err)
	}
	edit(m)
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, about, raw)
}

// vouch makes a manifest speak for whatever file lies beside it.
func vouch(t *testing.T, graph, about string) {
	t.Helper()
	raw := read(t, graph)
	reword(t, about, func(m map[string]any) {
		m["bytes"], m["checksum"] = len(raw), fmt.Sprintf("%016x", binary.BigEndian.Uint64(raw[len(raw)-8:]))
	})
}

// A graph takes long to build, so that a crash soon after must not cost another build.
func TestAGraphIsKeptAsSoonAsItServes(t *testing.T) {
	s := start(t, withIndex(func(c *shops.IndexConfig) { c.Threshold, c.SnapshotAfter, c.SnapshotEvery = 500, 100, time.Hour }))
	s.put(things(0, 600))
	s.eventually("a snapshot of the first graph", func(x *kindredv1.IndexStatus) bool { return x.Engine == "hnsw" && x.SnapshotTime != nil })
}

func TestSnapshotsThatCannotBeUsedAreRefused(t *testing.T) {
	flip := func(t *testing.T, path string, at func(n int) int) {
		raw := read(t, path)
		raw[at(len(raw))] ^= 1
		overwrite(t, path, raw)
	}
	for _, c := range []struct {
		name, reason string
		harm         func(t *testing.T, graph, about string)
	}{
		{"truncated", "size", func(t *testing.T, graph, _ string) { overwrite(t, graph, read(t, graph)[:100_000]) }},
		{"truncated, vouched for", "its checksum is", func(t *testing.T, graph, about string) {
			overwrite(t, graph, read(t, graph)[:100_000])
			vouch(t, graph, about)
		}},
		{"empty", "size", func(t *testing.T, graph, _ string) { overwrite(t, graph, nil) }},
		{"a bit of a vector flipped", "its checksum is", func(t *testing.T, graph, _ string) {
			flip(t, graph, func(n int) int { return n * 2 / 3 })
		}},
		{"a bit of the checksum flipped", "checksum", func(t *testing.T, graph, _ string) {
			flip(t, graph, func(n int) int { return n - 1 })
		}},
		{"another kind of file", "size", func(t *testing.T, graph, _ string) { overwrite(t, graph, []byte(strings.Repeat("GIF89a", 100))) }},
		{"another kind of file, vouched for", "it begins with", func(t *testing.T, graph, about string) {
			overwrite(t, graph, []byte(strings.Repeat("GIF89a", 100)))
			vouch(t, graph, about)
		}},
		{"of another dimension", "Dim", func(t *testing.T, graph, about string) {
			foreign(t, graph, 8)
			vouch(t, graph, about)
		}},
		{"of other vectors", "size", func(t *testing.T, graph, _ string) { foreign(t, graph, 256) }},
		{"manifest of another dimension", "dimension", func(t *testing.T, _, about string) {
			reword(t, about, func(m map[string]any) { m["dimension"] = 384 })
		}},
		{"manifest of another encoder", "encoder", func(t *testing.T, _, about string) {
			reword(t, about, func(m map[string]any) { m["encoder"] = "minilm@sha256:0" })
		}},
		{"manifest of another tenant", "tenant", func(t *testing.T, _, about string) {
			reword(t, about, func(m map[string]any) { m["tenant"] = "other" })
		}},
		{"manifest of a later form", "format", func(t *testing.T, _, about string) {
			reword(t, about, func(m map[string]any) { m["format"] = 2 })
		}},
		{"no manifest", "its manifest is missing", func(t *testing.T, _, about string) {
			if err := os.Remove(about); err != nil {
				t.Fatal(err)
			}
		}},
		{"no graph", "no such file", func(t *testing.T, graph, _ string) {
			if err := os.Remove(graph); err != nil {
				t.Fatal(err)
			}
		}},
		{"manifest cut off", "unexpected end of JSON", func(t *testing.T, _, about string) { overwrite(t, about, read(t, about)[:40]) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log said
			s := start(t, withIndex(graphAlways), func(c *service.Config) { c.Log = log.logger() })
			s.put(things(0, 200))
			want := s.neighbours(things(0, 200))
			s.stop()
			graph, about := s.snapshot()
			c.harm(t, graph, about)
			s.run(t)
			if x := s.index(); x.RestoredTime != nil || x.Items != 200 || x.Engine != "hnsw" {
				t.Errorf("it serves %v", x)
			}
			refusal := ""
			for line := range strings.Lines(log.String()) {
				if strings.Contains(line, "index snapshot refused and removed; the index is built anew") {
					refusal = line
				}
			}
			contains(t, refusal, c.reason)
			contains(t, refusal, "tenant=default")
			same(t, "after the refusal", s.neighbours(things(0, 200)), want)
			s.restart() // which wrote a good one
			if x := s.index(); x.RestoredTime == nil {
				t.Errorf("the snapshot after a refused one: %v", x)
			}
		})
	}
}

// foreign writes a good graph of other vectors.
func foreign(t *testing.T, path string, dim int) {
	t.Helper()
	x, err := hnsw.New(hnsw.Config{Dim: dim, MaxItems: 1 << 13})
	if err != nil {
		t.Fatal(err)
	}
	for id := range uint32(50) {
		v := make([]float32, dim)
		v[int(id)%dim] = 1
		if err := x.Add(id, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.WriteFile(path); err != nil {
		t.Fatal(err)
	}
}

func TestChangedStorageBuildsAnew(t *testing.T) {
	var log said
	s := start(t, withIndex(graphAlways), func(c *service.Config) { c.Log = log.logger() })
	s.put(things(0, 200))
	s.stop()
	s.config.Shop.Index.Storage = hnsw.Int8
	s.run(t)
	if x := s.index(); x.RestoredTime != nil || x.Storage != "int8" || x.Items != 200 {
		t.Errorf("after --index-storage int8: %v", x)
	}
	contains(t, log.String(), "storage is float32, expected int8")
}

func TestSnapshotsOfTenantsThatAreNoMoreGo(t *testing.T) {
	s := start(t, withIndex(graphAlways))
	s.put(things(0, 100))
	s.stop()
	dir := filepath.Join(s.config.Data, "index")
	for _, name := range []string{"77.hnsw", "77.json", ".1.hnsw8362", ".1.json22", "kindred-vectors-9", "notes.txt", "1.hnsw.bak"} {
		overwrite(t, filepath.Join(dir, name), []byte("x"))
	}
	s.run(t)
	if x := s.index(); x.RestoredTime == nil {
		t.Errorf("the tenant's own: %v", x)
	}
	var left []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{"1.hnsw", "1.hnsw.bak", "1.json", "notes.txt"}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
}

func TestEachTenantHasItsSnapshot(t *testing.T) {
	s := start(t, withIndex(graphAlways))
	op := s.operate()
	a, b := s.tenant(op, "alpha", kindredv1.Role_ROLE_ADMIN), s.tenant(op, "beta", kindredv1.Role_ROLE_ADMIN)
	a.put(things(0, 30))
	b.put(things(100, 150))
	s.stop()
	if n, err := filepath.Glob(filepath.Join(s.config.Data, "index", "*.hnsw")); err != nil || len(n) != 2 {
		t.Errorf("snapshots %v, %v; want one for each tenant with items", n, err)
	}
}

func TestKilledAfterASnapshotTheNeighboursAreThoseOfFlat(t *testing.T) {
	dir := t.TempDir()
	kill := func(cmd *exec.Cmd, c *client) {
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		c.conn.Close()
	}
	cmd, addr := spawn(t, dir, killGraph+"=6")
	c := dial(t, addr, "")
	c.put(things(0, 600))
	waitFor(t, "a snapshot of almost all", func() bool {
		var m struct{ Items int }
		raw, err := os.ReadFile(filepath.Join(dir, "index", "1.json"))
		return err == nil && json.Unmarshal(raw, &m) == nil && m.Items > 594
	})
	kept := c.index().SnapshotTime.AsTime()
	kill(cmd, c)
	cmd, addr = spawn(t, dir, killGraph+"=1000000") // writes no other
	c = dial(t, addr, "")
	if x := c.index(); x.RestoredTime == nil || x.RestoredTime.AsTime().Before(kept) || x.RepairedItems > 5 {
		t.Errorf("after a kill that followed a snapshot: %v", x)
	}
	items := c.changed()
	kill(cmd, c)
	s := &shop{config: killable(dir)}
	graphAlways(&s.config.Shop.Index)
	s.run(t)
	if x := s.index(); x.RestoredTime == nil || x.RepairedItems < 35 || x.RepairedItems > 40 || x.Items != 615 {
		t.Errorf("after a kill that followed 35 changes: %v", x)
	}
	sameAsFlat(t, s, items)
}
