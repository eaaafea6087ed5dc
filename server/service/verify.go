package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/index/hnsw"
	"github.com/kindred-rec/kindred/server/api"
	"github.com/kindred-rec/kindred/server/internal/pause"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store"
)

// verify reads everything that the service keeps, one call at a time.
func (s *Service) verify(ctx context.Context, bytesPerSecond int64, progress func(rows, bytes int64)) (*store.Verification, error) {
	if !s.upkeep.verifying.TryLock() {
		return nil, fmt.Errorf("another verification is under way; retry when it has ended: %w", record.ErrOverloaded)
	}
	defer s.upkeep.verifying.Unlock()
	rate := s.verifyRate(bytesPerSecond)
	found, err := s.store.VerifyServed(ctx, rate, progress)
	if err != nil {
		return nil, err
	}
	return found, VerifyFiles(s.config.Data, found, func(bytes int64) error {
		return pause.For(ctx, time.Duration(float64(bytes)/float64(rate)*float64(time.Second)))
	})
}

// verifyRate raises a rate so that a compaction after an erase is not held up for more than
// a quarter of the time that is promised. A row takes up to about three times the bytes of
// its part of a table, which is packed.
func (s *Service) verifyRate(asked int64) int64 {
	if asked == 0 {
		asked = api.DefaultVerifyRate
	}
	st := s.store.Storage()
	return max(asked, int64(3*float64(st.TableBytes)/(s.config.EraseWithin.Seconds()/4)))
}

// VerifyFiles adds what lies beside the rows of a store to a verification: every byte of
// every trained model, and the checksums of indexes. rest is called after each of them with
// its size; its error ends it.
func VerifyFiles(data string, found *store.Verification, rest func(bytes int64) error) error {
	models, err := filepath.Glob(filepath.Join(ModelsDir(data), "*", strings.Repeat("[0-9a-f]", 64)))
	if err != nil {
		return err
	}
	indexes, err := filepath.Glob(filepath.Join(IndexDir(data), "*.hnsw"))
	if err != nil {
		return err
	}
	err = verifyFiles(found, "model", models, rest, func(path string) error {
		_, err := bundle.Open(path, bundle.Limits{})
		return err
	})
	if err != nil {
		return err
	}
	return verifyFiles(found, "index", indexes, rest, hnsw.CheckFile)
}

func verifyFiles(found *store.Verification, kind string, paths []string, rest func(int64) error, check func(path string) error) error {
	n := store.Count{Kind: kind}
	for _, path := range paths {
		err := check(path)
		if _, gone := os.Stat(path); errors.Is(gone, fs.ErrNotExist) {
			continue // meanwhile
		}
		size := sizeUnder(path)
		n.Rows++
		n.Bytes += size
		if err != nil {
			n.Faults++
			found.Faults = append(found.Faults, store.Fault{Kind: kind, Key: path, What: err.Error()})
		}
		if err := rest(size); err != nil {
			return err
		}
	}
	found.Counts = append(found.Counts, n)
	return nil
}

// sizeUnder is how many bytes a file has, or the files of a folder; what is gone has none.
func sizeUnder(path string) (size int64) {
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil
	})
	return size
}
