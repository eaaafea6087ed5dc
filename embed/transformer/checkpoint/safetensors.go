package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"unsafe"
)

// maxHeaderBytes bounds the header of a safetensors file.
const maxHeaderBytes = 64 << 20

// Tensors is an opened safetensors file: a table of contents, and tensors that are
// read when asked for. It is safe for concurrent use if the file is.
type Tensors struct {
	from   io.ReaderAt
	first  int64 // where the tensors' bytes begin
	length int64 // how many bytes there are after that
	byName map[string]entry
	extra  map[string]string // the metadata
}

// entry is one tensor of the header.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// ReadHeader reads the table of contents of a safetensors file of size bytes. The
// error wraps [ErrFormat] if the file is no such file, or truncated.
func ReadHeader(from io.ReaderAt, size int64) (*Tensors, error) {
	var prefix [8]byte
	if n, err := from.ReadAt(prefix[:], 0); n < len(prefix) {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %d bytes; a safetensors file has at least 8: it is empty or truncated", ErrFormat, n)
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	switch {
	case length > maxHeaderBytes:
		return nil, fmt.Errorf("%w: header of %d bytes, at most %d are allowed; is it a safetensors file?", ErrFormat, length, maxHeaderBytes)
	case int64(length) > size-8:
		return nil, fmt.Errorf("%w: header of %d bytes, but %d follow: the file is truncated", ErrFormat, length, size-8)
	}
	header := make([]byte, length)
	if _, err := from.ReadAt(header, 8); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	t := &Tensors{from: from, first: 8 + int64(length), length: size - 8 - int64(length), byName: map[string]entry{}}
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal(header, &raw); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrFormat, err)
	}
	if text, ok := raw["__metadata__"]; ok {
		if err := json.Unmarshal(text, &t.extra); err != nil {
			return nil, fmt.Errorf("%w: header: metadata, which holds texts by name: %w", ErrFormat, err)
		}
		delete(raw, "__metadata__")
	}
	for name, text := range raw {
		var e entry
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, fmt.Errorf("%w: header: tensor %.80q: %w", ErrFormat, name, err)
		}
		t.byName[name] = e
	}
	return t, nil
}

// Names returns the names of the tensors, sorted.
func (t *Tensors) Names() []string { return slices.Sorted(maps.Keys(t.byName)) }

// Metadata returns the texts that the file says beside its tensors, by name. It is nil if
// there are none, and not to be changed.
func (t *Tensors) Metadata() map[string]string { return t.extra }

// Has reports whether there is a tensor of that name.
func (t *Tensors) Has(name string) bool { _, ok := t.byName[name]; return ok }

// Shape returns the shape of a tensor, or nil if there is none of that name.
func (t *Tensors) Shape(name string) []int { return slices.Clone(t.byName[name].Shape) }

// elementBytes is the size of an element of the types that are widened to float32.
var elementBytes = map[string]int64{"F32": 4, "F16": 2, "BF16": 2}

// Float32 reads the tensor of that name, which must have that shape, row by row.
// The error wraps [ErrFormat] and says what was expected and what was found.
func (t *Tensors) Float32(name string, shape ...int) ([]float32, error) {
	e, ok := t.byName[name]
	if !ok {
		return nil, fmt.Errorf("%w: tensor %q of shape %v is missing; there are %d: %.300s", ErrFormat, name, shape, len(t.byName), strings.Join(t.Names(), ", "))
	}
	width := elementBytes[e.DType]
	if width == 0 {
		return nil, fmt.Errorf("%w: tensor %q is of type %.20q; F32, F16 and BF16 are read", ErrFormat, name, e.DType)
	}
	if !slices.Equal(e.Shape, shape) {
		return nil, fmt.Errorf("%w: tensor %q has shape %v; expected %v", ErrFormat, name, e.Shape, shape)
	}
	n := int64(1)
	for _, axis := range shape {
		n *= int64(axis)
	}
	begin, end := e.Offsets[0], e.Offsets[1]
	switch {
	case begin < 0 || end < begin || end-begin != n*width:
		return nil, fmt.Errorf("%w: tensor %q of %s%v lies at bytes %d to %d; its shape needs %d bytes", ErrFormat, name, e.DType, e.Shape, begin, end, n*width)
	case end > t.length:
		return nil, fmt.Errorf("%w: tensor %q ends at byte %d of %d: the file is truncated", ErrFormat, name, end, t.length)
	}
	raw := make([]byte, n*width)
	if _, err := t.from.ReadAt(raw, t.first+begin); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	return widen(e.DType, raw), nil
}

// littleEndian says whether floats lie in memory as in the file.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

func widen(dtype string, raw []byte) []float32 {
	out := make([]float32, int64(len(raw))/elementBytes[dtype])
	if dtype == "F32" && littleEndian && len(out) > 0 {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&out[0])), len(raw)), raw)
		return out
	}
	for i := range out {
		switch dtype {
		case "F32":
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		case "BF16":
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw[2*i:])) << 16)
		case "F16":
			out[i] = halfToFloat(binary.LittleEndian.Uint16(raw[2*i:]))
		}
	}
	return out
}

// halfToFloat widens an IEEE 754 half.
func halfToFloat(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exponent, fraction := uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exponent {
	case 0: // zero, or a number too small to be normal in a half
		value := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(value) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
