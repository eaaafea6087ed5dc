//go:build linux

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kindred-rec/kindred/server/record"
)

// mountSmall mounts a file system of a size in memory, if this process may.
func mountSmall(t *testing.T, size string) string {
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

// TestFullDiskRefusesWritesAndRecovers fills the disk with events until writes
// are refused, reads, gives the disk more space, and writes on without opening
// the store again.
func TestFullDiskRefusesWritesAndRecovers(t *testing.T) {
	dir := mountSmall(t, "96m")
	o := testOptions()
	o.Sync, o.MemTable, o.MemTables, o.Reserve = true, 8<<20, 1, 48<<20
	s, tenant := openTest(t, filepath.Join(dir, "db"), o)
	text := strings.Repeat("long comments fill a disk ", 300)
	written := 0
	fill := func() error {
		for ; written < 1_000_000; written += 50 {
			var batch []record.Mutation
			for i := range 50 {
				m := view(fmt.Sprint(written+i), fmt.Sprint("user", i), "i1")
				m.Event.Text = fmt.Sprint(i, text)
				batch = append(batch, m)
			}
			if _, _, err := tenant.Append(context.Background(), batch); err != nil {
				return err
			}
		}
		t.Fatal("the disk is not full after 8 GB")
		return nil
	}
	// A flush that ends between two writes can give space back, so that the second
	// is taken: fill again then.
	for rounds := 0; ; rounds++ {
		if err := fill(); !errors.Is(err, record.ErrDiskFull) {
			t.Fatalf("refused with %v", err)
		}
		now := time.Now()
		err := tenant.PutDecisions([]record.Decision{{ID: record.NewDecisionID(now, 1), Time: now}})
		if errors.Is(err, record.ErrDiskFull) {
			break
		}
		if err != nil || rounds == 1000 {
			t.Fatalf("decisions on a full disk, tried %d times: %v", rounds+1, err)
		}
	}
	number, known := tenant.UserNumber("user7", "")
	events, err := tenant.History(number, 0, written)
	if !known || err != nil || len(events) != written/50 {
		t.Errorf("%d events of %d can be read: %v", len(events), written/50, err)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=256m"); err != nil {
		t.Fatal(err)
	}
	if out := mustAppend(t, tenant, view("after", "user7", "i1"), view("0", "user0", "other")); out[0].Status != record.Added || out[1].Status != record.Refused {
		t.Errorf("with space again: %+v", out)
	}
	if s.failure.Load() != nil {
		t.Error("the store has failed")
	}
}

// TestFullDiskIsNotOpened: Badger would end the process.
func TestFullDiskIsNotOpened(t *testing.T) {
	dir := mountSmall(t, "16m")
	if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 14<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(filepath.Join(dir, "db"), testOptions()); !errors.Is(err, record.ErrDiskFull) {
		if err == nil {
			s.Close()
		}
		t.Errorf("opened: %v", err)
	}
}
