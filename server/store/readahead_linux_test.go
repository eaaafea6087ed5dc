package store

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/server/record"
)

// mapFlags returns what /proc says of the mapping of a file, and whether there is one.
func mapFlags(t *testing.T, path string) (flags string, mapped bool) {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Skip("no /proc/self/smaps: ", err)
	}
	defer f.Close()
	told, lines := false, bufio.NewScanner(f)
	for lines.Scan() {
		told = told || strings.HasPrefix(lines.Text(), "VmFlags:")
		if strings.HasSuffix(lines.Text(), path) {
			mapped = true
		}
		if flags, is := strings.CutPrefix(lines.Text(), "VmFlags:"); is && mapped {
			return flags, true
		}
	}
	if !told {
		t.Skip("this kernel does not tell the flags of mappings")
	}
	return "", false
}

// TestLogsAreNotReadAhead looks at the log that a store is opened with, and at the next.
func TestLogsAreNotReadAhead(t *testing.T) {
	o := testOptions()
	o.MemTable, o.Sync = 8<<20, true
	s, tenant := openTest(t, t.TempDir(), o)
	random := func() {
		t.Helper()
		path := s.memtables.log(s.memtables.newest)
		resolved, err := filepath.EvalSymlinks(path)
		if err != nil {
			t.Fatal(err)
		}
		if flags, mapped := mapFlags(t, resolved); !mapped || !strings.Contains(flags+" ", " rr ") {
			t.Errorf("the mapping of %s (there: %v) has flags %q, not rr", path, mapped, flags)
		}
	}
	random()
	first := s.memtables.newest
	for i := 0; s.memtables.newest == first && i < 100; i++ {
		var batch []record.Mutation
		for k := range 200 {
			event := view(fmt.Sprint("e", i, "-", k), "ann", "i1")
			event.Event.Text = strings.Repeat("x", 2000)
			batch = append(batch, event)
		}
		for _, o := range mustAppend(t, tenant, batch...) {
			if o.Status != record.Added {
				t.Fatal(o)
			}
		}
	}
	if s.memtables.newest == first {
		t.Fatal("40 MB have started no second log of 8 MiB")
	}
	random()
}
