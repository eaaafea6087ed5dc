package learned

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/behaviour/transition"
	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// metadataKey is where a file says what the parts count and how events are numbered.
const metadataKey = "kindred.learned"

// about is a model without its tables, as the metadata has it.
type about struct {
	Towers    []float32 `json:"towers,omitempty"` // Scale of each
	Heads     []float32 `json:"heads,omitempty"`
	Items     int       `json:"items"`
	MaxNorm   float32   `json:"max_norm"`
	Numbering Numbering `json:"numbering"`
}

// Write writes all but the ids of the items as one safetensors file. The same model gives
// the same bytes. Errors are those of [Model.Validate] and of the writer.
func (m *Model) Write(to io.Writer) error {
	if err := m.Validate(); err != nil {
		return err
	}
	a := about{Items: len(m.Items), MaxNorm: m.MaxNorm, Numbering: m.Numbering}
	metadata := map[string]string{}
	var tensors []checkpoint.Tensor
	add := func(more map[string]string, some []checkpoint.Tensor, err error) error {
		maps.Copy(metadata, more)
		tensors = append(tensors, some...)
		return err
	}
	if len(m.Towers) > 0 {
		var all []causal.Tower
		for _, t := range m.Towers {
			all, a.Towers = append(all, t.Tower), append(a.Towers, t.Scale)
		}
		if err := add(causal.Tensors(all...)); err != nil {
			return err
		}
	}
	if len(m.Heads) > 0 {
		var all []transition.Head
		for _, h := range m.Heads {
			all, a.Heads = append(all, h.Head), append(a.Heads, h.Scale)
		}
		if err := add(transition.Tensors(all...)); err != nil {
			return err
		}
	}
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	metadata[metadataKey] = string(text)
	return checkpoint.WriteSafetensors(to, metadata, tensors)
}

// Read reads what [Model.Write] or [causal.Write] wrote, from a file of size bytes, and
// the ids of the items that go with it. Errors wrap [ErrFormat], [ErrModel], or those of
// the parts' packages; where the ids are damaged, of package bundle. Nothing is allocated
// for tensors that the file is too short to hold.
func Read(from io.ReaderAt, size int64, items []string) (Model, error) {
	file, err := checkpoint.ReadHeader(from, size)
	if errors.Is(err, checkpoint.ErrFormat) {
		return Model{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err != nil {
		return Model{}, err
	}
	a, err := readAbout(file)
	if err != nil {
		return Model{}, err
	}
	m := Model{Items: items, Numbering: a.Numbering, MaxNorm: a.MaxNorm}
	if a.Items >= 0 && a.Items != len(items) {
		return Model{}, fmt.Errorf("%w: it was written with ids of %d items, there are %d", ErrFormat, a.Items, len(items))
	}
	if err := m.readParts(file, a); err != nil {
		return Model{}, err
	}
	return m, m.Validate()
}

// readAbout reads the metadata. Where there is none the file is of towers alone, all of
// which have Scale 1, and does not say how many ids there are.
func readAbout(file *checkpoint.Tensors) (about, error) {
	text, ok := file.Metadata()[metadataKey]
	if !ok {
		return about{Items: -1}, nil
	}
	var a about
	reader := json.NewDecoder(strings.NewReader(text))
	reader.DisallowUnknownFields() // what a later version added would change the result
	if err := reader.Decode(&a); err != nil {
		return a, fmt.Errorf("%w: metadata %q: %w", ErrFormat, metadataKey, err)
	}
	if a.Items < 0 || len(a.Towers)+len(a.Heads) == 0 {
		return a, fmt.Errorf("%w: metadata %q: %d items, %d towers and %d heads", ErrFormat, metadataKey, a.Items, len(a.Towers), len(a.Heads))
	}
	return a, nil
}

func (m *Model) readParts(file *checkpoint.Tensors, a about) error {
	alone := a.Items < 0
	if alone || len(a.Towers) > 0 {
		towers, err := causal.FromTensors(file)
		if err != nil {
			return err
		}
		if !alone && len(towers) != len(a.Towers) {
			return fmt.Errorf("%w: %d towers, and scales of %d", ErrFormat, len(towers), len(a.Towers))
		}
		for i, t := range towers {
			scale := float32(1)
			if !alone {
				scale = a.Towers[i]
			}
			m.Towers = append(m.Towers, Tower{t, scale})
		}
	}
	if len(a.Heads) > 0 {
		heads, err := transition.FromTensors(file)
		if err != nil {
			return err
		}
		if len(heads) != len(a.Heads) {
			return fmt.Errorf("%w: %d heads, and scales of %d", ErrFormat, len(heads), len(a.Heads))
		}
		for i, h := range heads {
			m.Heads = append(m.Heads, Head{h, a.Heads[i]})
		}
	}
	return nil
}

// maxItems is the most ids of a model, as many as the parts may have rows.
const maxItems = 1 << 26

// Payloads are the files of a model in a bundle. They read the model when the bundle is
// written.
func (m *Model) Payloads() map[string]bundle.Payload {
	files := map[string]bundle.Payload{bundle.BehaviourFile: m.Write}
	if len(m.Items) > 0 {
		files[bundle.ItemsFile] = func(w io.Writer) error { return bundle.WriteItems(w, m.Items) }
	}
	return files
}

// Open reads the model of a verified bundle and prepares it. Errors are those of [Read],
// of [New] and of package bundle.
func Open(b *bundle.Bundle) (*Encoder, error) {
	raw, err := b.ReadFile(bundle.BehaviourFile)
	if err != nil {
		return nil, err
	}
	var items []string
	if b.Has(bundle.ItemsFile) {
		list, err := b.ReadFile(bundle.ItemsFile)
		if err != nil {
			return nil, err
		}
		if items, err = bundle.ReadItems(bytes.NewReader(list), maxItems); err != nil {
			return nil, err
		}
	}
	m, err := Read(bytes.NewReader(raw), int64(len(raw)), items)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", bundle.BehaviourFile, err)
	}
	return New(m)
}
