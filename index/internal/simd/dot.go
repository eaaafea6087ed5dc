package simd

import "unsafe"

// Table locates rows kept in chunks of 1<<Shift rows each. Row r starts
// Stride*(r mod 1<<Shift) bytes after Chunks[r>>Shift]. Chunks that hold no
// requested row may be nil. What a row holds is up to the function: float32
// elements, or codes of one byte each.
type Table struct {
	Chunks []unsafe.Pointer
	Shift  uint
	Stride int // bytes from one row to the next
}

// Row is the address of row id.
func (t *Table) Row(id uint32) unsafe.Pointer {
	low := int(id & (1<<t.Shift - 1))
	return unsafe.Add(t.Chunks[id>>t.Shift], low*t.Stride)
}

// Dot returns the inner product of a and b, which must be equally long. It is
// summed as by [DotGather].
func Dot(a, b []float32) float32 {
	if len(a) != len(b) {
		panic("simd: vectors of different lengths")
	}
	if len(a) == 0 {
		return 0
	}
	var (
		chunk = [1]unsafe.Pointer{unsafe.Pointer(&b[0])}
		row   [1]uint32
		out   [1]float32
	)
	DotGather(a, &Table{Chunks: chunk[:], Shift: 31}, row[:], out[:])
	return out[0]
}

// DotGather sets out[i] to the inner product of q with the first len(q)
// float32 elements of row ids[i] of t. out must be at least as long as ids.
// Any length of q works; lengths that are a multiple of 16 are fastest. It
// does not allocate, and may run concurrently.
func DotGather(q []float32, t *Table, ids []uint32, out []float32) {
	if len(ids) == 0 {
		return
	}
	out = out[:len(ids)]
	if len(q) == 0 {
		clear(out)
		return
	}
	if gather(q, t, ids, out) {
		return
	}
	for i, id := range ids {
		out[i] = dot(q, unsafe.Slice((*float32)(t.Row(id)), len(q)))
	}
}

// dot is the portable twin of the kernels: eight chains, so that the processor
// can overlap the additions.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(a) >= 8 {
		x, y := (*[8]float32)(a), (*[8]float32)(b)
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		s4 += x[4] * y[4]
		s5 += x[5] * y[5]
		s6 += x[6] * y[6]
		s7 += x[7] * y[7]
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		s0 += x * b[i]
	}
	return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
}
