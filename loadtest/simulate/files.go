package simulate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// file is a file that is being written, packed or not.
type file struct {
	io.Writer
	path  string
	parts []func() error // to end it, in order
	bytes int64          // handed over, before packing
}

// Write implements io.Writer.
func (f *file) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	f.bytes += int64(n)
	if err != nil {
		err = fmt.Errorf("simulate: write %s: %w", f.path, err)
	}
	return n, err
}

// create makes a file that is not there yet; packed adds ".zst" to its name. dir is made where it is absent.
func create(dir, name string, packed bool) (*file, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	if packed {
		name += ".zst"
	}
	path := filepath.Join(dir, name)
	plain, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil, bad("%s is there already: give a new directory", path)
	}
	if err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	buffer := bufio.NewWriterSize(plain, 1<<20)
	f := &file{Writer: buffer, path: path, parts: []func() error{buffer.Flush, plain.Close}}
	if packed {
		z, err := zstd.NewWriter(buffer, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("simulate: %w", err), plain.Close())
		}
		f.Writer, f.parts = z, append([]func() error{z.Close}, f.parts...)
	}
	return f, nil
}

// close ends the file.
func (f *file) close() error {
	var errs []error
	for _, part := range f.parts {
		errs = append(errs, part())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("simulate: end %s: %w", f.path, err)
	}
	return nil
}
