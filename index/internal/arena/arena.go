// Package arena keeps rows of a fixed size in memory outside the Go heap.
//
// An [Arena] grows by whole chunks and never moves a row, so readers need no
// lock. A chunk reserves address space; memory becomes resident as rows are
// touched. Blocks of 2 MiB that are full are turned into huge pages where the
// system can, which saves a tenth of a graph walk and costs nothing resident.
// Outside the heap the garbage collector neither scans the rows nor doubles
// their size in garbage.
//
// A chunk may instead lie in a file: one that an arena grows by itself, whose
// pages the system may write out and drop, or a private mapping of a file that
// was written before, whose pages are copied when written to.
//
// Where memory cannot be mapped, and under the race detector, which sees only
// the heap, chunks come from the heap.
package arena

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"

	"github.com/kindred-rec/kindred/index/internal/simd"
)

const (
	maxShift  = 15      // rows of a chunk, as a power of two
	hugePage  = 2 << 20 // bytes; chunks are aligned to it
	rowsBound = 1 << 31
)

// Arena holds rows of stride bytes, numbered from 0. Rows that exist may be
// read and written concurrently as far as the caller's own rules allow.
type Arena struct {
	table simd.Table
	limit int // rows that may ever exist

	mu        sync.Mutex
	rows      int // rows that exist
	chunks    int // chunks that exist
	collapsed int // bytes that were offered for huge pages, in the order of rows
	mapped    int // bytes of rows that lie in a file given to Adopt
	file      *os.File
	maps      *mappings
}

// mappings are what to give back when the arena is no longer reachable.
type mappings struct{ regions []region }

// New makes an arena of no rows that may grow to limit rows of stride bytes.
func New(stride, limit int) *Arena {
	if stride < 1 || limit < 1 || limit > rowsBound {
		panic(fmt.Sprintf("arena: %d rows of %d bytes", limit, stride))
	}
	shift := uint(maxShift)
	for shift > 0 && 1<<(shift-1) >= limit {
		shift--
	}
	count := (limit-1)>>shift + 1
	a := &Arena{limit: limit, maps: new(mappings)}
	a.table = simd.Table{Chunks: make([]unsafe.Pointer, count), Shift: shift, Stride: stride}
	runtime.AddCleanup(a, func(m *mappings) { m.release() }, a.maps)
	return a
}

// InFile makes an arena whose chunks lie in file, which the arena truncates,
// grows and closes.
func InFile(stride, limit int, file *os.File) *Arena {
	a := New(stride, limit)
	a.file = file
	return a
}

// Table locates the rows. It is valid as long as the arena is reachable.
func (a *Arena) Table() *simd.Table { return &a.table }

// Row is the address of row i, which must exist.
func (a *Arena) Row(i uint32) unsafe.Pointer { return a.table.Row(i) }

// Grow makes rows below n exist. New rows are zero.
func (a *Arena) Grow(n int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n > a.limit {
		return fmt.Errorf("arena: %d rows wanted, %d is the limit", n, a.limit)
	}
	for n > a.chunks<<a.table.Shift {
		r, err := a.newChunk()
		if err != nil {
			return fmt.Errorf("arena: memory for rows %d to %d: %w", a.chunks<<a.table.Shift, (a.chunks+1)<<a.table.Shift, err)
		}
		a.maps.regions = append(a.maps.regions, r)
		a.table.Chunks[a.chunks] = r.start
		a.chunks++
	}
	a.rows = max(a.rows, n)
	a.collapse()
	return nil
}

func (a *Arena) newChunk() (region, error) {
	size := a.table.Stride << a.table.Shift
	if a.file != nil {
		return mapFile(a.file, int64(a.chunks)*int64(roundUp(size, pageSize)), size)
	}
	return mapMemory(size)
}

// collapse offers each block that has filled up for a huge page.
func (a *Arena) collapse() {
	chunk := a.table.Stride << a.table.Shift
	if a.file != nil || chunk%hugePage != 0 {
		return
	}
	for a.collapsed+hugePage <= a.rows*a.table.Stride {
		if a.collapsed >= a.mapped {
			first := unsafe.Add(a.table.Chunks[a.collapsed/chunk], a.collapsed%chunk)
			collapse(first, hugePage)
		}
		a.collapsed += hugePage
	}
}

// Adopt makes the first n rows exist as they lie in a private mapping: whole
// chunks stay where they are, and the rest is copied. The arena must be empty
// and outlives nothing of m: it keeps m reachable.
func (a *Arena) Adopt(m *Mapping, offset, n int) error {
	rowsPerChunk := 1 << a.table.Shift
	whole := n / rowsPerChunk
	a.mu.Lock()
	for c := range whole {
		a.table.Chunks[c] = unsafe.Pointer(&m.data[offset+c*rowsPerChunk*a.table.Stride])
	}
	a.chunks = whole
	a.rows = whole * rowsPerChunk
	a.mapped = a.rows * a.table.Stride
	a.maps.regions = append(a.maps.regions, region{keep: m})
	a.mu.Unlock()
	if err := a.Grow(n); err != nil {
		return err
	}
	for i := a.mapped / a.table.Stride; i < n; i++ {
		at := offset + i*a.table.Stride
		copy(a.Bytes(uint32(i)), m.data[at:at+a.table.Stride])
	}
	return nil
}

// Bytes is row i, which must exist.
func (a *Arena) Bytes(i uint32) []byte {
	return unsafe.Slice((*byte)(a.Row(i)), a.table.Stride)
}

// Rows is how many rows exist.
func (a *Arena) Rows() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rows
}

// Usage is the memory that the rows take: resident bytes, rounded up to a
// page, and bytes that lie in files.
func (a *Arena) Usage() (resident, mapped int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	size := int64(roundUp(a.rows*a.table.Stride, pageSize))
	if a.file != nil {
		return 0, size
	}
	return size - int64(a.mapped), int64(a.mapped)
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
