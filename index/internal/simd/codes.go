package simd

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// CodeBlock divides the length of a row of codes: rows are padded to it.
const CodeBlock = 64

// CodeZero is the code of 0: a code c stands for c - CodeZero.
const CodeZero = 128

// Encode writes v as bytes: code[i] = round(v[i]/scale) + CodeZero, with the
// scale at which the largest element becomes 127 steps, and CodeZero in the
// padding. It returns the scale; a zero vector has scale 0.
func Encode(v []float32, code []uint8) (scale float32) {
	var largest float32
	for _, x := range v {
		largest = max(largest, x, -x)
	}
	for i := range code {
		code[i] = CodeZero
	}
	// The reciprocal of a tiny number overflows: such a vector counts as zero.
	if largest < 1e-30 {
		return 0
	}
	inverse := 127 / largest
	for i, x := range v {
		code[i] = uint8(int32(math.RoundToEven(float64(x*inverse))) + CodeZero)
	}
	return largest / 127
}

// CodedQuery is a query in signed bytes, to be scored against codes.
type CodedQuery struct {
	bytes []int8
	scale float32
	bias  int32 // CodeZero times the sum of bytes: what the codes' offset adds
}

// SetVector makes the query stand for v, padded to size, which is a multiple
// of CodeBlock. The memory is kept from call to call.
func (q *CodedQuery) SetVector(v []float32, size int) {
	if cap(q.bytes) < size {
		q.bytes = make([]int8, size)
	}
	q.bytes = q.bytes[:size]
	code := unsafe.Slice((*uint8)(unsafe.Pointer(&q.bytes[0])), size)
	q.setCode(code, Encode(v, code))
}

// Off returns how far the query is from v, which it was made of, and how long it is:
// both as Euclidean lengths.
func (q *CodedQuery) Off(v []float32) (off, length float32) {
	var far, long float64
	for i, x := range v {
		coded := float64(q.scale) * float64(q.bytes[i])
		d := float64(x) - coded
		far += d * d
		long += coded * coded
	}
	return float32(math.Sqrt(far)), float32(math.Sqrt(long))
}

// SetCode makes the query stand for a stored row, whose length is a multiple of
// CodeBlock.
func (q *CodedQuery) SetCode(code []uint8, scale float32) {
	if cap(q.bytes) < len(code) {
		q.bytes = make([]int8, len(code))
	}
	q.bytes = q.bytes[:len(code)]
	q.setCode(code, scale)
}

func (q *CodedQuery) setCode(code []uint8, scale float32) {
	into := unsafe.Slice((*uint8)(unsafe.Pointer(&q.bytes[0])), len(code))
	sum := int32(0)
	for i := 0; i < len(code); i += CodeBlock {
		sum += signed(code[i:i+CodeBlock], into[i:i+CodeBlock])
	}
	q.scale, q.bias = scale, CodeZero*(sum-CodeZero*int32(len(code)))
}

// signed writes a block of codes as signed bytes, which differ from them in the
// highest bit, and returns the sum of the codes. It takes eight at a time, and
// adds them up in four lanes of 16 bits.
func signed(code, into []uint8) (sum int32) {
	const evenBytes = 0x00ff00ff00ff00ff
	var lanes uint64
	for i := 0; i < CodeBlock; i += 8 {
		w := binary.LittleEndian.Uint64(code[i:])
		binary.LittleEndian.PutUint64(into[i:], w^0x8080808080808080)
		lanes += w&evenBytes + w>>8&evenBytes
	}
	for ; lanes != 0; lanes >>= 16 {
		sum += int32(lanes & 0xffff)
	}
	return sum
}

// DotCodes sets out[i] to the inner product of q with row ids[i] of t, which
// holds codes; scales(row) is found at the same number in scales, a table of
// one float32 a row. It is exact in the codes, and the same under every
// instruction set. ints is scratch, as long as ids.
func (q *CodedQuery) DotCodes(t, scales *Table, ids []uint32, ints []int32, out []float32) {
	if len(ids) == 0 {
		return
	}
	ints, out = ints[:len(ids)], out[:len(ids)]
	if !gatherCodes(q.bytes, t, ids, ints) {
		for i, id := range ids {
			ints[i] = dotCodes(q.bytes, unsafe.Slice((*uint8)(t.Row(id)), len(q.bytes)))
		}
	}
	if len(scales.Chunks) == 1 && scales.Stride == 4 {
		first, scale, bias := scales.Chunks[0], q.scale, q.bias
		for i, id := range ids {
			out[i] = float32(ints[i]-bias) * (scale * *(*float32)(unsafe.Add(first, 4*uintptr(id))))
		}
		return
	}
	for i, id := range ids {
		out[i] = float32(ints[i]-q.bias) * (q.scale * *(*float32)(scales.Row(id)))
	}
}

// dotCodes is the portable twin of the kernels.
func dotCodes(q []int8, row []uint8) int32 {
	row = row[:len(q)]
	var s0, s1, s2, s3 int32
	for i := 0; i+4 <= len(q); i += 4 {
		s0 += int32(q[i]) * int32(row[i])
		s1 += int32(q[i+1]) * int32(row[i+1])
		s2 += int32(q[i+2]) * int32(row[i+2])
		s3 += int32(q[i+3]) * int32(row[i+3])
	}
	return s0 + s1 + s2 + s3
}
