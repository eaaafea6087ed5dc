package checkpoint

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// Tensor is a named array of float32, row by row.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32 // as many as the product of Shape
}

// WriteSafetensors writes tensors as a safetensors file, in their order, and metadata,
// which may be nil. The same arguments give the same bytes.
func WriteSafetensors(w io.Writer, metadata map[string]string, tensors []Tensor) error {
	header := map[string]any{}
	if len(metadata) > 0 {
		header["__metadata__"] = metadata
	}
	offset := int64(0)
	for _, t := range tensors {
		n := 1
		for _, axis := range t.Shape {
			n *= axis
		}
		if n != len(t.Data) {
			return fmt.Errorf("checkpoint: tensor %q of shape %v needs %d elements, got %d", t.Name, t.Shape, n, len(t.Data))
		}
		if _, twice := header[t.Name]; twice {
			return fmt.Errorf("checkpoint: tensor %q stands twice", t.Name)
		}
		end := offset + 4*int64(n)
		header[t.Name] = entry{DType: "F32", Shape: t.Shape, Offsets: [2]int64{offset, end}}
		offset = end
	}
	text, err := json.Marshal(header) // keys are sorted
	if err != nil {
		return err
	}
	for len(text)%8 != 0 { // so that the tensors are aligned
		text = append(text, ' ')
	}
	out := bufio.NewWriterSize(w, 1<<16)
	if err := binary.Write(out, binary.LittleEndian, uint64(len(text))); err != nil {
		return err
	}
	if _, err := out.Write(text); err != nil {
		return err
	}
	for _, t := range tensors {
		if err := binary.Write(out, binary.LittleEndian, t.Data); err != nil {
			return err
		}
	}
	return out.Flush()
}
