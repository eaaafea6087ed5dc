//go:build (linux || darwin) && !race

package arena

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

var pageSize = os.Getpagesize()

// region is one stretch of mapped memory, or what keeps it alive.
type region struct {
	start unsafe.Pointer
	size  int
	file  *os.File // closed with the first region that has it
	keep  *Mapping
}

// mapMemory reserves size bytes of zeros, aligned to a huge page if they are
// as large as one.
func mapMemory(size int) (region, error) {
	size = roundUp(size, pageSize)
	spare := 0
	if size >= hugePage {
		spare = hugePage
	}
	p, err := unix.MmapPtr(-1, 0, nil, uintptr(size+spare), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return region{}, err
	}
	if spare == 0 {
		return region{start: p, size: size}, nil
	}
	before := roundUp(int(uintptr(p)), hugePage) - int(uintptr(p))
	start := unsafe.Add(p, before)
	if before > 0 {
		_ = unix.MunmapPtr(p, uintptr(before)) // at worst it stays reserved
	}
	if after := spare - before; after > 0 {
		_ = unix.MunmapPtr(unsafe.Add(start, size), uintptr(after))
	}
	return region{start: start, size: size}, nil
}

// mapFile grows file to hold size bytes at offset and maps them.
func mapFile(file *os.File, offset int64, size int) (region, error) {
	size = roundUp(size, pageSize)
	if err := file.Truncate(offset + int64(size)); err != nil {
		return region{}, err
	}
	p, err := unix.MmapPtr(int(file.Fd()), offset, nil, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return region{}, err
	}
	return region{start: p, size: size, file: file}, nil
}

func (m *mappings) release() {
	for _, r := range m.regions {
		if r.start != nil {
			_ = unix.MunmapPtr(r.start, uintptr(r.size))
		}
		if r.file != nil {
			_ = r.file.Close() // again for each chunk; later ones say that it is closed
		}
	}
}

// Mapping is a file mapped for reading, privately: what is written to it stays
// in memory. Its memory is given back when it is no longer reachable.
type Mapping struct {
	data []byte
}

// MapPrivate maps the whole of file, which may be closed afterwards.
func MapPrivate(file *os.File) (*Mapping, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return &Mapping{}, nil
	}
	data, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	m := &Mapping{data: data}
	m.unmapWhenUnreachable()
	return m, nil
}
