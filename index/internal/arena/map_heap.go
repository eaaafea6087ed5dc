//go:build !(linux || darwin) || race

package arena

import (
	"io"
	"os"
	"unsafe"
)

var pageSize = 4096

// region is one stretch of heap memory.
type region struct {
	start unsafe.Pointer
	keep  *Mapping
}

func mapMemory(size int) (region, error) {
	words := make([]uint64, (size+7)/8) // aligned to 8 bytes at least
	return region{start: unsafe.Pointer(&words[0])}, nil
}

// mapFile is memory, too: the file stays empty.
func mapFile(_ *os.File, _ int64, size int) (region, error) { return mapMemory(size) }

func (*mappings) release() {}

func collapse(unsafe.Pointer, int) {}

// Mapping is a file read into memory.
type Mapping struct {
	data []byte
}

// MapPrivate reads the whole of file.
func MapPrivate(file *os.File) (*Mapping, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	words := make([]uint64, (info.Size()+7)/8+1)
	data := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), info.Size())
	if _, err := io.ReadFull(io.NewSectionReader(file, 0, info.Size()), data); err != nil {
		return nil, err
	}
	return &Mapping{data: data}, nil
}
