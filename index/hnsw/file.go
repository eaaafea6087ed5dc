package hnsw

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// WriteFile writes a snapshot to path: the file is replaced in one step once
// the new content is on disk, or left as it was.
func (x *Index) WriteFile(path string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("hnsw: snapshot to %s: %w", path, err)
	}
	err = errors.Join(x.Snapshot(f), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // it may have got its final name
		return fmt.Errorf("hnsw: snapshot to %s: %w", path, err)
	}
	return nil
}

// syncDir makes a new name in dir outlive a power loss. Windows has no such
// call, and needs none.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
