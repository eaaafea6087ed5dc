package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/renameio"

	"github.com/kindred-rec/kindred/server/internal/disk"
)

// Forget removes the acts of a tenant that began before a time, with how they ended; zero:
// none. The newest act stays whatever its age, so that ids go on. oldest is when the first
// of those left began; zero: there is none.
func (l *Log) Forget(tenant string, before time.Time) (removed int64, oldest time.Time, err error) {
	t := l.of(tenant)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := l.open(t); err != nil {
		return 0, oldest, fmt.Errorf("audit: %w", err)
	}
	kept := map[int64]bool{}
	for _, old := range []bool{true, false} {
		n, first, err := l.forgetIn(t, old, before, kept)
		if err != nil {
			return removed, oldest, fmt.Errorf("audit: %w", err)
		}
		if removed += n; oldest.IsZero() {
			oldest = first
		}
	}
	return removed, oldest, nil
}

// forgetIn is Forget for one of the two files. kept are the ids of acts that stay, of which
// an end may stand in the other file.
func (l *Log) forgetIn(t *tenant, old bool, before time.Time, kept map[int64]bool) (removed int64, oldest time.Time, err error) {
	path := l.path(t.name, old)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, oldest, nil
	}
	if err != nil {
		return 0, oldest, err
	}
	var stays bytes.Buffer
	var faults error
	stay := func(n line) {
		raw, err := n.encode()
		faults = errors.Join(faults, err)
		stays.Write(raw)
	}
	newest := t.next - 1
	err = readLines(f, func(n line) {
		switch {
		case n.End > 0:
			if kept[n.End] {
				stay(n)
			}
		case n.ID == newest || !n.Time.Before(before):
			if kept[n.ID] = true; oldest.IsZero() {
				oldest = n.Time
			}
			stay(n)
		default:
			removed++
		}
	})
	if err := errors.Join(err, faults, f.Close()); err != nil || removed == 0 {
		return 0, oldest, err
	}
	if err := renameio.WriteFile(path, stays.Bytes(), 0o600); err != nil {
		return 0, oldest, err
	}
	if !old {
		t.size = int64(stays.Len())
	}
	return removed, oldest, disk.SyncDir(l.dir)
}
