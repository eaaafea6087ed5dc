package simd

import (
	"sync/atomic"
	"unsafe"
)

// NoLink ends a list of links that is shorter than its place.
const NoLink = ^uint32(0)

// Visits marks the rows that a walk has seen. A mark is a byte that names the
// walk, so that a new walk costs nothing but every 255th, which clears. Used by
// one walk at a time.
type Visits struct {
	marks []uint8
	gen   uint8
}

// Begin starts a walk over rows below n.
func (v *Visits) Begin(n int) {
	if len(v.marks) < n {
		v.marks = make([]uint8, n+n/8)
		v.gen = 0
	}
	v.gen++
	if v.gen == 0 {
		clear(v.marks)
		v.gen = 1
	}
}

// Len is how many rows there is room for.
func (v *Visits) Len() int { return len(v.marks) }

// Visit marks row id and reports whether it was unseen.
func (v *Visits) Visit(id uint32) bool {
	unseen := v.marks[id] != v.gen
	v.marks[id] = v.gen
	return unseen
}

// Unseen copies to out the links, up to NoLink, that this walk has not seen,
// marks them, and returns how many there are; rows of Len and above, which came
// into being during the walk, count as seen. The rows in t, and ahead if
// not nil, are asked for from memory. Links are read atomically, as others may
// be writing them; out must be as long as links.
func (v *Visits) Unseen(links, out []uint32, t *Table, ahead unsafe.Pointer) int {
	if n, ok := v.filter(links, out, t, ahead); ok {
		return n
	}
	n := 0
	for i := range links {
		id := atomic.LoadUint32(&links[i])
		if id == NoLink {
			break
		}
		if int64(id) < int64(len(v.marks)) && v.Visit(id) {
			out[n] = id
			n++
		}
	}
	return n
}
