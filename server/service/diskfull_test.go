//go:build linux

package service_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"

	"github.com/kindred-rec/kindred/server/service"
)

// smallDisk mounts a file system of a size in memory, if this process may.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mounting a small file system takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

func TestAFullDiskLeavesTheOldSnapshot(t *testing.T) {
	var log said
	dir := smallDisk(t, "3m")
	s := start(t, withIndex(graphAlways), func(c *service.Config) { c.Shop.Index.Dir, c.Log = dir, log.logger() })
	s.put(things(0, 600))
	s.restart() // writes about 800 kB
	graph, about := filepath.Join(dir, "1.hnsw"), filepath.Join(dir, "1.json")
	old := [][]byte{read(t, graph), read(t, about)}
	overwrite(t, filepath.Join(dir, "others.bin"), bytes.Repeat([]byte{1}, 2<<20))
	items := s.changed()
	s.stop()
	contains(t, log.String(), "index snapshot not written; the one before stays")
	contains(t, log.String(), "no space left on device")
	if !bytes.Equal(read(t, graph), old[0]) || !bytes.Equal(read(t, about), old[1]) {
		t.Error("the old snapshot changed")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("half written files stay: %v %v", entries, err)
	}
	s.run(t)
	if x := s.index(); x.RestoredTime == nil || x.RepairedItems != 35 {
		t.Errorf("after the full disk: %v", x)
	}
	found := s.neighbours(slices.Clip(items))
	s.config.Shop.Index.Dir = ""
	s.restart()
	same(t, "after the full disk", found, s.neighbours(items))
}

func TestAFullDiskKeepsNoHalfOfAModel(t *testing.T) {
	dir := smallDisk(t, "1m")
	var log said
	s := visited(t, func(c *service.Config) { c.Shop.Models.Dir, c.Log = dir, log.logger() })
	small := s.uploaded(testModel{Size: 8, Likeness: 0.5})
	s.promoted(small)
	large, _ := s.pack(testModel{Size: 9, Padding: strings.Repeat("x", 2<<20)})
	_, err := s.send(large)
	code(t, err, codes.Unavailable)
	contains(t, err.Error(), "no space is left on the service's disk; nothing of the model was kept")
	entries, err := os.ReadDir(filepath.Join(dir, "1"))
	if err != nil || len(entries) != 1 || entries[0].Name() != small {
		t.Errorf("left: %v %v", entries, err)
	}
	s.promoted(s.uploaded(testModel{Size: 10, Likeness: 0.5}))
	s.restart()
	if st := s.status(); st.ModelFault != "" || st.ServingModel == small || st.ServingModel == "" {
		t.Errorf("after the full disk: %v", st)
	}
}
