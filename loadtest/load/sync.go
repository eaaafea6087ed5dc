package load

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// syncRounds is how many syncs are timed.
const syncRounds = 50

// SyncTime is the median time of one write of 4 KiB and its sync, in a new file in the folder, which is removed again.
func SyncTime(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, ".sync-*")
	if err != nil {
		return 0, fmt.Errorf("load: time a sync: %w", err)
	}
	d, err := timeSyncs(f)
	if err = errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		return 0, fmt.Errorf("load: time a sync in %s: %w", dir, err)
	}
	return d, nil
}

func timeSyncs(f *os.File) (time.Duration, error) {
	block := make([]byte, 4096)
	times := make([]time.Duration, 0, syncRounds)
	for range syncRounds {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}
