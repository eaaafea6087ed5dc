//go:build (linux || darwin) && !race

package arena

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

func (m *Mapping) unmapWhenUnreachable() {
	runtime.AddCleanup(m, func(data []byte) { _ = unix.Munmap(data) }, m.data)
}

// collapse asks for huge pages now; a system that has none declines.
func collapse(p unsafe.Pointer, size int) {
	_ = unix.Madvise(unsafe.Slice((*byte)(p), size), madviseCollapse)
}
