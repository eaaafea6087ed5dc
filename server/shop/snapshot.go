package shop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/google/renameio"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/index/hnsw"
	"github.com/kindred-rec/kindred/server/internal/disk"
)

// A tenant's snapshot is two files: NUMBER.hnsw, the graph as hnsw.Index.Snapshot
// writes it, and NUMBER.json, the manifest, which says what the graph is of. All of it
// can be built again, so a pair that is not whole and ours is removed, and a start
// never fails for it. The manifest carries the checksum that ends the graph's file,
// which binds the two together.

// snapshotFormat is the version of the pair.
const snapshotFormat = 1

type manifest struct {
	Format      int       `json:"format"`
	Tenant      string    `json:"tenant"`
	Engine      Engine    `json:"engine"`
	Storage     string    `json:"storage"`
	Encoder     string    `json:"encoder"` // embed.Info.Model
	Dimension   int       `json:"dimension"`
	Items       int64     `json:"items"`
	LogEpoch    uint64    `json:"log_epoch"`
	LogSequence uint64    `json:"log_sequence"` // reflected at least
	Time        time.Time `json:"time"`
	Bytes       int64     `json:"bytes"` // of the graph's file
	Checksum    string    `json:"checksum"`
	// Effort is what searches are asked with, raised where a self-check said so.
	Effort int            `json:"effort"`
	Check  *manifestCheck `json:"self_check,omitempty"`
}

// manifestCheck is the last self-check before the snapshot.
type manifestCheck struct {
	Recall  float64   `json:"recall"`
	K       int       `json:"k"`
	Queries int       `json:"queries"`
	Effort  int       `json:"effort"`
	Time    time.Time `json:"time"`
}

// snapshotPaths are the two files of a tenant; empty where none are kept.
func (s *Shop) snapshotPaths() (graph, about string) {
	if s.config.Index.Dir == "" {
		return "", ""
	}
	base := filepath.Join(s.config.Index.Dir, strconv.FormatUint(uint64(s.tenantNumber), 10))
	return base + ".hnsw", base + ".json"
}

// makeDir makes the directory of snapshots.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("directory of index snapshots: %w", err)
	}
	return nil
}

// hasSnapshot reports whether a graph was kept, good or not.
func (s *Shop) hasSnapshot() bool {
	graph, _ := s.snapshotPaths()
	_, err := os.Stat(graph)
	return graph != "" && err == nil
}

// openSnapshot maps the tenant's snapshot, or returns nil: where there is none, and
// where there is one that cannot be used, which is removed.
func (s *Shop) openSnapshot(info embed.Info) (*hnsw.Index, manifest) {
	graph, about := s.snapshotPaths()
	if graph == "" {
		return nil, manifest{}
	}
	idx, m, err := s.readSnapshot(graph, about, info)
	if err == nil {
		return idx, m
	}
	if !errors.Is(err, errNoSnapshot) {
		s.config.Log.Warn("index snapshot refused and removed; the index is built anew", "tenant", s.tenant, "file", graph, "reason", err)
	}
	s.removeSnapshot()
	return nil, manifest{}
}

// restore gives a generation that does not serve yet the graph of the snapshot,
// repaired where the vectors have changed since. It reports whether it could.
func (s *Shop) restore(ctx context.Context, g *generation) bool {
	begin := time.Now()
	x, m := s.openSnapshot(g.encoder.Info())
	if x == nil {
		return false
	}
	repaired, err := s.align(ctx, HNSW, x, g.space, allCores())
	if err != nil {
		s.config.Log.Warn("index snapshot not brought up to date; the index is built anew", "tenant", s.tenant, "error", err)
		return false
	}
	c := s.config.Index
	g.use(HNSW, x, min(c.MaxEffort, max(c.Effort, m.Effort)))
	if k := m.Check; k != nil {
		g.check.Store(&indexCheck{recall: k.Recall, queries: k.Queries, k: k.K, effort: k.Effort, items: g.encoded.Load(), at: k.Time})
	}
	g.restored = repaired
	g.restored.from = m.Time
	changes := uint64(repaired.added + repaired.changed + repaired.removed)
	s.snapshotOf, s.snapshotAt = g.space.number, g.changes.Load()-changes
	s.snapshotTime.Store(m.Time.UnixNano())
	s.config.Log.Info("index loaded from its snapshot", "tenant", s.tenant, "items", x.Len(), "written", m.Time,
		"added", repaired.added, "changed", repaired.changed, "removed", repaired.removed, "seconds", time.Since(begin).Seconds())
	return true
}

var errNoSnapshot = errors.New("there is no snapshot")

func (s *Shop) readSnapshot(graph, about string, info embed.Info) (*hnsw.Index, manifest, error) {
	var m manifest
	raw, err := os.ReadFile(about)
	if errors.Is(err, fs.ErrNotExist) {
		if !s.hasSnapshot() {
			return nil, m, errNoSnapshot
		}
		return nil, m, errors.New("its manifest is missing")
	}
	if err != nil {
		return nil, m, err
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, m, fmt.Errorf("its manifest: %w", err)
	}
	if err := s.acceptable(m, graph, info); err != nil {
		return nil, m, err
	}
	config, err := s.graphConfig(info.Dim)
	if err != nil {
		return nil, m, err
	}
	idx, err := hnsw.Open(graph, config)
	return idx, m, err
}

// acceptable compares a manifest with what serves and with its graph's file.
func (s *Shop) acceptable(m manifest, graph string, info embed.Info) error {
	size, sum, err := checksumOf(graph)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name      string
		got, want any
	}{
		{"format", m.Format, snapshotFormat},
		{"tenant", m.Tenant, s.tenant},
		{"engine", m.Engine, HNSW},
		{"storage", m.Storage, s.config.Index.Storage.String()},
		{"dimension", m.Dimension, info.Dim},
		{"encoder", m.Encoder, info.Model},
		{"size", m.Bytes, size},
		{"checksum", m.Checksum, sum},
	} {
		if f.got != f.want {
			return fmt.Errorf("its manifest's %s is %v, expected %v", f.name, f.got, f.want)
		}
	}
	if m.Effort < 1 || m.Effort > 1<<16 {
		return fmt.Errorf("its manifest's effort is %d", m.Effort)
	}
	return nil
}

// checksumOf returns the size of a graph's file and the checksum at its end.
func checksumOf(path string) (int64, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	return endOf(f)
}

func endOf(f *os.File) (int64, string, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, "", err
	}
	var end [8]byte
	if size < int64(len(end)) {
		return size, "", nil
	}
	_, err = f.ReadAt(end[:], size-int64(len(end)))
	return size, fmt.Sprintf("%x", end), err
}

// maybeSnapshot writes a snapshot if enough has changed since the last.
func (s *Shop) maybeSnapshot() {
	g := s.gen.Load()
	enough := max(uint64(s.config.Index.SnapshotAfter), uint64(g.encoded.Load()/100))
	if s.unsaved(g) >= enough {
		s.writeSnapshot(g)
	}
}

// unsaved is how many changes of a generation's texts its snapshot lacks; all, if the
// snapshot is of another space.
func (s *Shop) unsaved(g *generation) uint64 {
	if s.snapshotOf != g.space.number {
		return max(g.changes.Load(), uint64(g.encoded.Load()))
	}
	return g.changes.Load() - s.snapshotAt
}

// writeSnapshot keeps the graph of a generation, if it is one. A fault is logged, and
// the snapshot before stays. One goroutine at a time calls it: the upkeep, and Close
// after it has ended.
func (s *Shop) writeSnapshot(g *generation) {
	graph, about := s.snapshotPaths()
	x, ok := g.graph()
	if !ok || graph == "" {
		return
	}
	begin, changes := time.Now(), g.changes.Load()
	m := s.describe(g, x)
	if err := s.replaceSnapshot(x, m, graph, about); err != nil {
		s.config.Log.Error("index snapshot not written; the one before stays", "tenant", s.tenant, "file", graph, "error", err)
		return
	}
	s.snapshotOf, s.snapshotAt = g.space.number, changes
	s.snapshotTime.Store(m.Time.UnixNano())
	s.config.Log.Info("index snapshot written", "tenant", s.tenant, "items", m.Items, "bytes", m.Bytes, "seconds", time.Since(begin).Seconds())
}

// describe makes the manifest of a graph, but for its file.
func (s *Shop) describe(g *generation, x *hnsw.Index) *manifest {
	applied, _ := s.applied.load()
	info := g.encoder.Info()
	m := &manifest{
		Format: snapshotFormat, Tenant: s.tenant, Engine: g.engine, Storage: x.Stats().Storage, Encoder: info.Model,
		Dimension: info.Dim, Items: int64(x.Len()), LogEpoch: s.log.Head().Epoch, LogSequence: applied,
		Time: s.config.Now().UTC(), Effort: int(g.nearest.effort.Load()),
	}
	if c := g.check.Load(); c != nil {
		m.Check = &manifestCheck{Recall: c.recall, K: c.k, Queries: c.queries, Effort: c.effort, Time: c.at}
	}
	return m
}

// replaceSnapshot writes both files whole before it puts either in its place.
func (s *Shop) replaceSnapshot(x *hnsw.Index, m *manifest, graph, about string) error {
	dir := filepath.Dir(graph)
	if err := makeDir(dir); err != nil {
		return err
	}
	data, err := renameio.TempFile(dir, graph)
	if err != nil {
		return err
	}
	defer func() { _ = data.Cleanup() }() // after it took its place: nothing
	if err := x.Snapshot(data); err != nil {
		return err
	}
	if err := data.Sync(); err != nil {
		return err
	}
	if m.Bytes, m.Checksum, err = endOf(data.File); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	words, err := renameio.TempFile(dir, about)
	if err != nil {
		return err
	}
	defer func() { _ = words.Cleanup() }()
	if _, err := words.Write(append(raw, '\n')); err != nil {
		return err
	}
	if err := words.Sync(); err != nil {
		return err
	}
	if err := data.CloseAtomicallyReplace(); err != nil {
		return err
	}
	if err := words.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return disk.SyncDir(dir)
}

// tidySnapshot removes the snapshot where no graph serves any more.
func (s *Shop) tidySnapshot() {
	if _, ok := s.gen.Load().graph(); !ok && s.hasSnapshot() {
		s.removeSnapshot()
		s.snapshotTime.Store(0)
	}
}

func (s *Shop) removeSnapshot() {
	graph, about := s.snapshotPaths()
	for _, path := range []string{about, graph} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.config.Log.Warn("index snapshot not removed", "tenant", s.tenant, "file", path, "error", err)
		}
	}
}

// ours matches the names of snapshots, and of what a kill left half written.
var ours = regexp.MustCompile(`^(?:\.?([0-9]+)\.(?:hnsw|json)|kindred-vectors-)([0-9]*)$`)

// removeStrays removes from a directory the snapshots of tenants that are no more, and
// what a kill left half written. Files of other names are left alone.
func removeStrays(dir string, tenants map[uint32]bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		found := ours.FindStringSubmatch(e.Name())
		if found == nil || e.IsDir() {
			continue
		}
		number, err := strconv.ParseUint(found[1], 10, 32)
		whole := e.Name()[0] != '.' && found[2] == "" && err == nil
		if whole && tenants[uint32(number)] {
			continue
		}
		errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
	}
	return errors.Join(errs...)
}
