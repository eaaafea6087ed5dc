package store

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/server/record"
)

// TestSyncBetweenReceiptAndAcknowledgement traces the system calls of a process
// that writes: between the sending of a batch and its acknowledgement the map of
// the memtable's log is written out, and the call has succeeded. Without Sync it
// is not, which shows that the trace would miss it.
func TestSyncBetweenReceiptAndAcknowledgement(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	for _, mode := range []string{"sync", "lax"} {
		t.Run(mode, func(t *testing.T) {
			dir, trace := t.TempDir(), filepath.Join(t.TempDir(), "trace")
			child := exec.Command(strace, "-f", "-y", "-s", "64", "-o", trace,
				"-e", "trace=mmap,munmap,msync,fsync,write", os.Args[0])
			child.Env = append(os.Environ(), roleVariable+"="+strings.Join([]string{roleTrace, dir, mode}, " "))
			if out, err := child.CombinedOutput(); err != nil {
				if strings.Contains(string(out), "ptrace") {
					t.Skipf("this machine does not allow tracing: %s", out)
				}
				t.Fatalf("%v: %s", err, out)
			}
			text, err := os.ReadFile(trace)
			if err != nil {
				t.Fatal(err)
			}
			synced := syncsBetweenMarks(t, string(text))
			for n := range tracedBatches {
				if got, want := synced[n] > 0, mode == "sync"; got != want {
					t.Errorf("batch %d: %d syncs of the memtable's log between receipt and acknowledgement", n, synced[n])
				}
				if mode == "sync" && synced[n] != 1 {
					t.Errorf("batch %d: %d syncs of the memtable's log, one is enough", n, synced[n])
				}
			}
		})
	}
}

var (
	tracedMap   = regexp.MustCompile(`^(\d+) .*mmap\(.*<.*\.mem>.*(= (0x[0-9a-f]+)| <unfinished)`)
	tracedMade  = regexp.MustCompile(`^(\d+) .*mmap resumed>.* = (0x[0-9a-f]+)`)
	tracedSync  = regexp.MustCompile(`^(\d+) .*msync\((0x[0-9a-f]+), \d+, MS_SYNC(\) += 0| <unfinished)`)
	tracedMark  = regexp.MustCompile(`write\(.*"mark (\d+) (sent|acknowledged)`)
	tracedEnded = regexp.MustCompile(`^(\d+) .*msync resumed>\) += 0`)
)

// syncsBetweenMarks counts, for each batch, the syncs of a memtable's log that
// began and succeeded between its marks.
func syncsBetweenMarks(t *testing.T, trace string) map[int]int {
	t.Helper()
	logs := map[string]bool{}       // addresses of maps of memtable logs
	mapping := map[string]bool{}    // threads in a call that maps one, which another thread's line interrupts
	unfinished := map[string]bool{} // threads in a sync that began after the mark
	synced := map[int]int{}
	batch := -1
	for line := range strings.Lines(trace) {
		if m := tracedMade.FindStringSubmatch(line); m != nil && mapping[m[1]] {
			delete(mapping, m[1])
			logs[m[2]] = true
		}
		if m := tracedMap.FindStringSubmatch(line); m != nil {
			if m[3] == "" {
				mapping[m[1]] = true
			} else {
				logs[m[3]] = true
			}
		}
		if m := tracedMark.FindStringSubmatch(line); m != nil {
			batch = -1
			clear(unfinished)
			if n, err := strconv.Atoi(m[1]); err == nil && m[2] == "sent" {
				batch = n
			}
		}
		if m := tracedSync.FindStringSubmatch(line); m != nil && logs[m[2]] && batch >= 0 {
			if strings.Contains(m[3], "unfinished") {
				unfinished[m[1]] = true
			} else {
				synced[batch]++
			}
		}
		if m := tracedEnded.FindStringSubmatch(line); m != nil && unfinished[m[1]] {
			delete(unfinished, m[1])
			synced[batch]++
		}
	}
	if len(logs) == 0 {
		t.Fatal("the trace shows no map of a memtable's log")
	}
	return synced
}

// TestNamesOfNewLogsAreSynced writes enough for Badger to start new memtable
// logs and checks that each was noticed, for Badger does not sync their names.
func TestNamesOfNewLogsAreSynced(t *testing.T) {
	o := testOptions()
	o.MemTable, o.Sync = 8<<20, true
	s, tenant := openTest(t, t.TempDir(), o)
	first := s.memtables.newest
	for n := 0; s.memtables.newest < first+3; n++ {
		if n > 100 {
			t.Fatal("40 MB started no new log")
		}
		var batch []record.Mutation
		for i := range 50 {
			it := &record.Item{ID: fmt.Sprint("i", i), Title: fmt.Sprint(n), Description: strings.Repeat("x", 8<<10)}
			batch = append(batch, record.Mutation{Item: it})
		}
		if _, _, err := tenant.Append(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
		logs, err := filepath.Glob(filepath.Join(s.dir, "*.mem"))
		if err != nil || len(logs) == 0 {
			t.Fatalf("logs %v, %v", logs, err)
		}
		newest := fmt.Sprintf("%05d.mem", s.memtables.newest)
		if got := filepath.Base(logs[len(logs)-1]); got != newest {
			t.Fatalf("the newest log is %s, the directory was synced for %s", got, newest)
		}
	}
}
