package bundle

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
)

// disk is what writing a bundle needs of the file system. Tests put one in its place
// that has no room.
type disk interface {
	mkdirTemp(dir, pattern string) (string, error)
	mkdirAll(dir string) error
	create(path string) (file, error)
	rename(from, to string) error
	syncDir(dir string) error
	removeAll(path string) error
}

// file is one that is being written.
type file interface {
	io.WriteCloser
	Sync() error
}

// osDisk is the real one.
type osDisk struct{}

func (osDisk) mkdirTemp(dir, pattern string) (string, error) { return os.MkdirTemp(dir, pattern) }
func (osDisk) mkdirAll(dir string) error                     { return os.MkdirAll(dir, 0o700) }
func (osDisk) rename(from, to string) error                  { return os.Rename(from, to) }
func (osDisk) removeAll(path string) error                   { return os.RemoveAll(path) }

func (osDisk) create(path string) (file, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// syncDir makes new names in a directory outlive a power cut. Windows has no such call.
func (osDisk) syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// full says that the disk is, where that is why.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: free some, nothing of the bundle was left: %w", ErrDiskFull, err)
	}
	return err
}
