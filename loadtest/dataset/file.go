package dataset

import (
	"io"

	"github.com/kindred-rec/kindred/loadtest/dataset/internal/lines"
)

// OpenFile opens one file for reading as the formats do: what gzip or zstd packed, by its first bytes, is unpacked on the
// way. The caller closes it.
func OpenFile(path string) (io.ReadCloser, error) { return lines.Open(path) }
