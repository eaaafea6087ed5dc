package causal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// Tower is one encoder: its sizes and its weights. An encoder may be several that stand
// side by side: their users' and their items' vectors are concatenated.
type Tower struct {
	Config  Config
	Weights *Weights
}

// MaxTowers is the most towers of a file.
const MaxTowers = 16

// metadataKey is where a file says the towers' configurations.
const metadataKey = "kindred.causal"

// Write writes towers as one safetensors file: tensors tower.N.NAME, and the
// configurations as JSON in the metadata. The same towers give the same bytes. The error
// wraps [ErrConfig] or [ErrFormat] if the towers are not what they should be.
func Write(to io.Writer, towers ...Tower) error {
	metadata, tensors, err := Tensors(towers...)
	if err != nil {
		return err
	}
	return checkpoint.WriteSafetensors(to, metadata, tensors)
}

// Tensors are what [Write] writes, for a file that holds more than towers. They share
// memory with the weights.
func Tensors(towers ...Tower) (metadata map[string]string, tensors []checkpoint.Tensor, err error) {
	if len(towers) == 0 || len(towers) > MaxTowers {
		return nil, nil, fmt.Errorf("%w: %d towers, must be from 1 to %d", ErrConfig, len(towers), MaxTowers)
	}
	configs := make([]Config, len(towers))
	for i, t := range towers {
		if err := t.Weights.Validate(t.Config); err != nil {
			return nil, nil, fmt.Errorf("tower %d: %w", i, err)
		}
		configs[i] = t.Config
		tensors = append(tensors, t.Weights.tensors(t.Config, prefix(i))...)
	}
	text, err := json.Marshal(configs)
	return map[string]string{metadataKey: string(text)}, tensors, err
}

func prefix(tower int) string { return fmt.Sprintf("tower.%d.", tower) }

// Read reads what [Write] wrote, from a file of size bytes. The error wraps
// [ErrFormat] if the file is damaged or of another kind, [ErrConfig] if its sizes are
// out of range. Nothing is allocated for tensors that the file is too short to hold.
func Read(from io.ReaderAt, size int64) ([]Tower, error) {
	file, err := checkpoint.ReadHeader(from, size)
	if err != nil {
		return nil, formatError(err)
	}
	return FromTensors(file)
}

// FromTensors reads the towers of an opened file. Its errors are those of [Read].
func FromTensors(file *checkpoint.Tensors) ([]Tower, error) {
	text, ok := file.Metadata()[metadataKey]
	if !ok {
		return nil, fmt.Errorf("%w: no %q in the metadata: this is not the file of a behaviour encoder", ErrFormat, metadataKey)
	}
	var configs []Config
	reader := json.NewDecoder(strings.NewReader(text))
	reader.DisallowUnknownFields() // what a later version added would change the result
	if err := reader.Decode(&configs); err != nil {
		return nil, fmt.Errorf("%w: metadata %q: %w", ErrFormat, metadataKey, err)
	}
	if len(configs) == 0 || len(configs) > MaxTowers {
		return nil, fmt.Errorf("%w: %d towers, must be from 1 to %d", ErrFormat, len(configs), MaxTowers)
	}
	towers := make([]Tower, len(configs))
	for i, c := range configs {
		if err := c.Validate(); err != nil {
			return nil, fmt.Errorf("tower %d: %w", i, err)
		}
		w := &Weights{Layers: make([]Layer, c.Layers)}
		for _, p := range w.places(c) {
			data, err := file.Float32(prefix(i)+p.Name, p.Shape...)
			if err != nil {
				return nil, formatError(err)
			}
			*p.at = data
		}
		if err := w.Validate(c); err != nil {
			return nil, fmt.Errorf("tower %d: %w", i, err)
		}
		towers[i] = Tower{Config: c, Weights: w}
	}
	return towers, nil
}

// formatError is err as one of this package: a checkpoint's word that a file is damaged
// becomes ours, trouble with reading stays what it is.
func formatError(err error) error {
	if errors.Is(err, checkpoint.ErrFormat) {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return err
}
