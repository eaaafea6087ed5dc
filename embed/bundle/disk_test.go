package bundle

import (
	"bytes"
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// tight is a disk that has no room, or fails, from its nth operation on. What it takes
// reaches the real one.
type tight struct {
	osDisk
	left *int
	err  error
}

func (d tight) step() error {
	if *d.left--; *d.left < 0 {
		return d.err
	}
	return nil
}

func (d tight) mkdirTemp(dir, pattern string) (string, error) {
	if err := d.step(); err != nil {
		return "", err
	}
	return d.osDisk.mkdirTemp(dir, pattern)
}

func (d tight) mkdirAll(dir string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.osDisk.mkdirAll(dir)
}

func (d tight) rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.osDisk.rename(from, to)
}

func (d tight) syncDir(dir string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.osDisk.syncDir(dir)
}

func (d tight) create(path string) (file, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	f, err := d.osDisk.create(path)
	return tightFile{f, d}, err
}

type tightFile struct {
	file
	disk tight
}

func (f tightFile) Write(p []byte) (int, error) {
	if err := f.disk.step(); err != nil {
		n, _ := f.file.Write(p[:len(p)/2]) // some of it fits
		return n, err
	}
	return f.file.Write(p)
}

func (f tightFile) Sync() error {
	if err := f.disk.step(); err != nil {
		return err
	}
	return f.file.Sync()
}

func TestAFullDiskLeavesNothingWhereverItFills(t *testing.T) {
	full := &writeCase{}
	var stream bytes.Buffer
	if err := made(t, t.TempDir()).Stream(&stream); err != nil {
		t.Fatal(err)
	}
	full.run(t, "written", func(d disk, root string) (*Bundle, error) {
		return write(d, root, about(), payloads(), Limits{}.withDefaults())
	})
	full.run(t, "received", func(d disk, root string) (*Bundle, error) {
		return receive(d, root, bytes.NewReader(stream.Bytes()), Limits{}.withDefaults())
	})
}

type writeCase struct{}

func (*writeCase) run(t *testing.T, what string, put func(disk, string) (*Bundle, error)) {
	t.Helper()
	for steps := 0; ; steps++ {
		root := filepath.Join(t.TempDir(), "models")
		left := steps
		b, err := put(tight{left: &left, err: syscall.ENOSPC}, root)
		if err == nil {
			if steps < 20 {
				t.Errorf("%s: only %d operations could fail", what, steps)
			}
			if _, err := Open(b.Dir(), Limits{}); err != nil {
				t.Error(err)
			}
			return
		}
		if !errors.Is(err, ErrDiskFull) {
			t.Errorf("%s, full after %d operations: %v", what, steps, err)
		}
		if steps > 0 { // the first makes the directory of bundles
			if found := names(t, root); len(found) > 0 {
				t.Errorf("%s, full after %d operations: left %v", what, steps, found)
			}
		}
	}
}
