package static

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// A safetensors file is the length of a header as 8 bytes little endian, a header
// in JSON that says where each tensor lies, and the tensors' bytes.

// maxHeaderBytes bounds the header, which for a table takes some hundred bytes.
const maxHeaderBytes = 1 << 20

// tensor is one tensor of a file.
type tensor struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
	bytes   []byte // set by take
}

// tensors is a file's header and the bytes after it.
type tensors struct {
	byName map[string]tensor
	bytes  []byte
}

func parseSafetensors(file []byte) (tensors, error) {
	if len(file) < 8 {
		return tensors{}, fmt.Errorf("%d bytes; a safetensors file has at least 8: it is empty or truncated", len(file))
	}
	length := binary.LittleEndian.Uint64(file)
	if length > maxHeaderBytes {
		return tensors{}, fmt.Errorf("header of %d bytes, at most %d are allowed; is it a safetensors file?", length, maxHeaderBytes)
	}
	if rest := len(file) - 8; length > uint64(rest) {
		return tensors{}, fmt.Errorf("header of %d bytes, but %d follow: the file is truncated", length, rest)
	}
	header, content := file[8:8+length], file[8+length:]
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal(header, &raw); err != nil {
		return tensors{}, fmt.Errorf("header: %w", err)
	}
	delete(raw, "__metadata__")
	t := tensors{byName: map[string]tensor{}, bytes: content}
	for name, text := range raw {
		var one tensor
		if err := json.Unmarshal(bytes.TrimSpace(text), &one); err != nil {
			return tensors{}, fmt.Errorf("header: tensor %.40q: %w", name, err)
		}
		t.byName[name] = one
	}
	return t, nil
}

// dtypeBytes is the size of an element of the types that a table uses.
var dtypeBytes = map[string]int{"I8": 1, "F32": 4}

// take returns a tensor of the type and number of axes that are wanted, with its
// bytes.
func (t tensors) take(name, dtype string, axes int) (tensor, error) {
	one, ok := t.byName[name]
	if !ok {
		return one, fmt.Errorf("tensor %q is missing; there are %.200q", name, strings.Join(slices.Sorted(maps.Keys(t.byName)), ", "))
	}
	if one.DType != dtype || len(one.Shape) != axes {
		return one, fmt.Errorf("tensor %q is %.20q with shape %d; want %s with %d axes", name, one.DType, one.Shape, dtype, axes)
	}
	size := dtypeBytes[dtype]
	for _, n := range one.Shape {
		if n < 0 || n > math.MaxInt32 || size > MaxWeightsBytes/max(n, 1) {
			return one, fmt.Errorf("tensor %q has shape %d; want at most %d bytes", name, one.Shape, MaxWeightsBytes)
		}
		size *= n
	}
	begin, end := one.Offsets[0], one.Offsets[1]
	if begin < 0 || end < begin || end-begin != size {
		return one, fmt.Errorf("tensor %q of %s%d lies at bytes %d to %d; its shape needs %d bytes", name, dtype, one.Shape, begin, end, size)
	}
	if end > len(t.bytes) {
		return one, fmt.Errorf("tensor %q ends at byte %d of %d: the file is truncated", name, end, len(t.bytes))
	}
	one.bytes = t.bytes[begin:end]
	return one, nil
}

// float32s decodes the bytes of an F32 tensor.
func (t tensor) float32s() []float32 {
	out := make([]float32, len(t.bytes)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.bytes[4*i:]))
	}
	return out
}
