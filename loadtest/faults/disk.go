package faults

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// filler is the file that takes the space.
const filler = "filler"

// fill writes zeros until so many bytes are free, or the disk is full.
func fill(dir string, leave uint64) error {
	f, err := os.OpenFile(filepath.Join(dir, filler), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() // what it holds is of no account
	zeros := make([]byte, 64<<10)
	for {
		free, err := freeBytes(dir)
		if err != nil {
			return err
		}
		if free <= leave {
			return nil
		}
		n := min(uint64(len(zeros)), max(free-leave, 1))
		if _, err := f.Write(zeros[:n]); err != nil {
			if noSpace(err) {
				return nil
			}
			return fmt.Errorf("faults: fill the disk: %w", err)
		}
	}
}

func release(dir string) error {
	if err := os.Remove(filepath.Join(dir, filler)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// fillReserve leaves half of the reserve.
func fillReserve(ctx context.Context, w *world, row *Row) error {
	row.Way = "tmpfs of 160 MB mounted for the store, reserve 48 MiB; a file fills it until 24 MiB are free; removed after a while"
	if err := fill(w.root, 24<<20); err != nil {
		return err
	}
	pause(ctx, w.options.Hold)
	_, write := w.traffic.counts()
	row.note("while it was full: %s", write)
	if write.Errors["UNAVAILABLE"] == 0 {
		row.Data = failed("no write was refused below the reserve")
	}
	row.over = time.Now()
	return release(w.root)
}

// fillDisk leaves nothing.
func fillDisk(ctx context.Context, w *world, row *Row) error {
	row.Way = "tmpfs of 160 MB mounted for the store, reserve 48 MiB; a file takes all that is free at once; removed after a while, and the server started again if it ended"
	if err := fill(w.root, 0); err != nil {
		return err
	}
	pause(ctx, w.options.Hold)
	row.note("the process runs on with no byte free: %v", w.server.isUp())
	row.over = time.Now()
	return release(w.root)
}
