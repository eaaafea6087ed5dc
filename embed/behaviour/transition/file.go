package transition

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// MaxHeads is the most heads of a file.
const MaxHeads = 16

// metadataKey is where a file says the heads' sizes.
const metadataKey = "kindred.transition"

// about is a head without its tables, as the metadata has it.
type about struct {
	Dim, Items, TextDim int
	Decay               float32
	Recent              int
	Tensors             []string // names of those that are there
}

// Tensors are heads as tensors head.N.NAME of a file, which may hold more, and their sizes
// as JSON in its metadata. They share memory with the heads. The error wraps [ErrHead].
func Tensors(heads ...Head) (metadata map[string]string, tensors []checkpoint.Tensor, err error) {
	if len(heads) == 0 || len(heads) > MaxHeads {
		return nil, nil, fmt.Errorf("%w: %d heads, must be from 1 to %d", ErrHead, len(heads), MaxHeads)
	}
	all := make([]about, len(heads))
	for i := range heads {
		h := &heads[i]
		if err := h.Validate(); err != nil {
			return nil, nil, fmt.Errorf("head %d: %w", i, err)
		}
		all[i] = about{Dim: h.Dim, Items: h.Items, TextDim: h.TextDim, Decay: h.Decay, Recent: h.Recent}
		for _, t := range h.tensors() {
			if *t.at != nil {
				all[i].Tensors = append(all[i].Tensors, t.name)
				tensors = append(tensors, checkpoint.Tensor{Name: fmt.Sprintf("head.%d.%s", i, t.name), Shape: t.shape, Data: *t.at})
			}
		}
	}
	text, err := json.Marshal(all)
	return map[string]string{metadataKey: string(text)}, tensors, err
}

// FromTensors reads the heads of an opened file. The error wraps [ErrFormat] if the file is
// damaged or has none, [ErrHead] if sizes are out of range.
func FromTensors(file *checkpoint.Tensors) ([]Head, error) {
	text, ok := file.Metadata()[metadataKey]
	if !ok {
		return nil, fmt.Errorf("%w: no %q in the metadata", ErrFormat, metadataKey)
	}
	var all []about
	reader := json.NewDecoder(strings.NewReader(text))
	reader.DisallowUnknownFields() // what a later version added would change the result
	if err := reader.Decode(&all); err != nil {
		return nil, fmt.Errorf("%w: metadata %q: %w", ErrFormat, metadataKey, err)
	}
	if len(all) == 0 || len(all) > MaxHeads {
		return nil, fmt.Errorf("%w: %d heads, must be from 1 to %d", ErrFormat, len(all), MaxHeads)
	}
	heads := make([]Head, len(all))
	for i, a := range all {
		h := &heads[i]
		*h = Head{Dim: a.Dim, Items: a.Items, TextDim: a.TextDim, Decay: a.Decay, Recent: a.Recent}
		if err := h.read(file, i, a.Tensors); err != nil {
			return nil, fmt.Errorf("head %d: %w", i, err)
		}
	}
	return heads, nil
}

// read reads the tensors of these names.
func (h *Head) read(file *checkpoint.Tensors, number int, names []string) error {
	if err := h.validateSizes(); err != nil {
		return err
	}
	left := len(names)
	for _, t := range h.tensors() {
		for _, name := range names {
			if name != t.name {
				continue
			}
			data, err := file.Float32(fmt.Sprintf("head.%d.%s", number, name), t.shape...)
			if errors.Is(err, checkpoint.ErrFormat) {
				return fmt.Errorf("%w: %w", ErrFormat, err)
			}
			if err != nil {
				return err
			}
			*t.at = data
			left--
			break
		}
	}
	if left != 0 {
		return fmt.Errorf("%w: tensors %.100q: some are not known, or stand twice", ErrFormat, names)
	}
	return h.Validate()
}
