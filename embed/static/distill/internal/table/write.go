package table

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/embed/static"
)

// Safetensors returns the file of the rows as embed/static reads it: tensor scale, F32
// [tokens], and table, I8 [tokens, dim]. Metadata goes into the header. An error says
// which row is not finite or too large.
func Safetensors(rows Rows, metadata map[string]string) ([]byte, error) {
	if rows.Dim < 1 || rows.Dim > static.MaxDim || len(rows.Data) == 0 || len(rows.Data)%rows.Dim != 0 {
		return nil, fmt.Errorf("%w: %d float32 of dimension %d; want rows of 1 to %d components", ErrShape, len(rows.Data), rows.Dim, static.MaxDim)
	}
	tokens := len(rows.Data) / rows.Dim
	type entry struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	header, err := json.Marshal(map[string]any{
		"__metadata__": metadata,
		"scale":        entry{"F32", []int{tokens}, [2]int{0, 4 * tokens}},
		"table":        entry{"I8", []int{tokens, rows.Dim}, [2]int{4 * tokens, 4*tokens + len(rows.Data)}},
	})
	if err != nil {
		return nil, err
	}
	header = append(header, bytes.Repeat([]byte{' '}, -len(header)&7)...) // tensors are aligned
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	file = append(file, header...)
	scales := len(file)
	file = append(file, make([]byte, 4*tokens)...)
	for i := range tokens {
		var scale float32
		if file, scale, err = appendRow(file, rows.Row(int32(i))); err != nil {
			return nil, fmt.Errorf("table: row %d: %w", i, err)
		}
		binary.LittleEndian.PutUint32(file[scales+4*i:], math.Float32bits(scale))
	}
	return file, nil
}

// appendRow appends a row as int8 and returns its scale, 0 for a row of zeros.
func appendRow(file []byte, row []float32) ([]byte, float32, error) {
	largest := 0.0
	for _, x := range row {
		if math.IsNaN(float64(x)) || math.Abs(float64(x)) > math.MaxFloat32/2 {
			return nil, 0, fmt.Errorf("component %g is not finite or too large; take a lower learning rate", x)
		}
		largest = max(largest, math.Abs(float64(x)))
	}
	scale := float32(largest / math.MaxInt8)
	if scale == 0 {
		return append(file, make([]byte, len(row))...), 0, nil
	}
	for _, x := range row {
		q := math.RoundToEven(float64(x) / float64(scale))
		file = append(file, byte(int8(min(max(q, -math.MaxInt8), math.MaxInt8))))
	}
	return file, scale, nil
}
