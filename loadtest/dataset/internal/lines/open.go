package lines

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds the memory that a zstd file can ask for: 128 MiB, what the zstd command itself accepts unasked.
const maxWindow = 128 << 20

// Open opens a file for reading. Gzip and zstd are recognised by their first bytes, not by the name, and unpacked on the
// way. The caller closes it.
func Open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	rc, err := unpack(f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rc, nil
}

type unpacked struct {
	io.Reader
	close func()
	file  *os.File
}

func (u *unpacked) Close() error {
	u.close()
	return u.file.Close()
}

func unpack(f *os.File) (io.ReadCloser, error) {
	in := bufio.NewReader(f)
	magic, err := in.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case len(magic) >= 2 && string(magic[:2]) == "\x1f\x8b":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		return &unpacked{z, func() { _ = z.Close() }, f}, nil
	case string(magic) == "\x28\xb5\x2f\xfd":
		// One decoder at a time: a reader owns no goroutine that could outlive it.
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return &unpacked{z, z.Close, f}, nil
	}
	return &unpacked{in, func() {}, f}, nil
}
