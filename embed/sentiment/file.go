package sentiment

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strconv"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// A head's file is in safetensors: float32 tensors, and what they belong to in its metadata.

const (
	formatName  = "kindred.sentiment.head/1"
	maxFile     = 256 << 20
	maxDim      = 1 << 14
	maxMetadata = 1 << 20
)

// Write writes the head as a safetensors file. The same head gives the same bytes.
func (h *Head) Write(w io.Writer) error {
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	metadata := map[string]string{"format": formatName, "encoder": h.model, "dim": strconv.Itoa(h.dim),
		"examples": strconv.Itoa(h.examples), "support": strconv.Itoa(len(h.dual)), "ridge": number(h.options.Ridge),
		"words": number(h.options.Words), "kernel": number(h.options.Kernel), "intercept": number(h.intercept)}
	lexicon := make([]float32, lexical)
	for j, x := range h.lexicon {
		lexicon[j] = float32(x)
	}
	tensors := []checkpoint.Tensor{
		{Name: "mean", Shape: []int{h.dim}, Data: h.mean},
		{Name: "vector", Shape: []int{h.dim}, Data: h.vector},
		{Name: "lexicon", Shape: []int{lexical}, Data: lexicon},
		{Name: "words", Shape: []int{Slots}, Data: h.words},
	}
	if len(h.dual) > 0 {
		tensors = append(tensors, checkpoint.Tensor{Name: "support", Shape: []int{len(h.dual), h.dim}, Data: h.support},
			checkpoint.Tensor{Name: "dual", Shape: []int{len(h.dual)}, Data: h.dual})
	}
	return checkpoint.WriteSafetensors(w, metadata, tensors)
}

// Open reads the head in a file. Errors about its content wrap [ErrFormat].
func Open(fsys fs.FS, name string) (*Head, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	h, err := Parse(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return h, nil
}

// Parse reads a head from the content of its file. Errors wrap [ErrFormat].
func Parse(content []byte) (*Head, error) {
	h, err := parse(content)
	if err != nil && !errors.Is(err, ErrFormat) {
		err = fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return h, err
}

func parse(content []byte) (*Head, error) {
	if len(content) > maxFile {
		return nil, fmt.Errorf("more than %d bytes, which no head has", maxFile)
	}
	tensors, err := checkpoint.ReadHeader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, err
	}
	h := &Head{words: nil}
	support, err := h.readMetadata(content)
	if err != nil {
		return nil, err
	}
	var lexicon []float32
	for _, t := range []struct {
		name  string
		into  *[]float32
		shape []int
	}{{"mean", &h.mean, []int{h.dim}}, {"vector", &h.vector, []int{h.dim}}, {"lexicon", &lexicon, []int{lexical}},
		{"words", &h.words, []int{Slots}}, {"support", &h.support, []int{support, h.dim}}, {"dual", &h.dual, []int{support}}} {
		if support == 0 && (t.name == "support" || t.name == "dual") {
			continue
		}
		if *t.into, err = tensors.Float32(t.name, t.shape...); err != nil {
			return nil, err
		}
		for i, x := range *t.into {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return nil, fmt.Errorf("tensor %q holds %v at %d", t.name, x, i)
			}
		}
	}
	for j, x := range lexicon {
		h.lexicon[j] = float64(x)
	}
	return h, nil
}

// readMetadata reads what the tensors belong to, and how many texts the head keeps.
func (h *Head) readMetadata(content []byte) (support int, err error) {
	length := binary.LittleEndian.Uint64(content) // ReadHeader has checked it
	if length > maxMetadata {
		return 0, fmt.Errorf("header of %d bytes, at most %d are allowed", length, maxMetadata)
	}
	var header struct {
		Metadata map[string]string `json:"__metadata__"`
	}
	if err := json.Unmarshal(content[8:8+length], &header); err != nil {
		return 0, fmt.Errorf("metadata: %w", err)
	}
	m := header.Metadata
	if m["format"] != formatName {
		return 0, fmt.Errorf("format is %.40q; want %q", m["format"], formatName)
	}
	h.model = m["encoder"]
	if h.model == "" {
		return 0, errors.New("no encoder is named")
	}
	for _, n := range []struct {
		name        string
		into        *int
		least, most int
	}{{"dim", &h.dim, 1, maxDim}, {"examples", &h.examples, 0, math.MaxInt32}, {"support", &support, 0, MaxExamples}} {
		if *n.into, err = strconv.Atoi(m[n.name]); err != nil || *n.into < n.least || *n.into > n.most {
			return 0, fmt.Errorf("metadata %q is %.40q; want %d to %d", n.name, m[n.name], n.least, n.most)
		}
	}
	for _, n := range []struct {
		name string
		into *float64
	}{{"ridge", &h.options.Ridge}, {"words", &h.options.Words}, {"kernel", &h.options.Kernel}, {"intercept", &h.intercept}} {
		if *n.into, err = strconv.ParseFloat(m[n.name], 64); err != nil || !(math.Abs(*n.into) <= math.MaxFloat32) {
			return 0, fmt.Errorf("metadata %q is %.40q; want a finite number", n.name, m[n.name])
		}
	}
	if (h.options.Kernel > 0) != (support > 0) {
		return 0, fmt.Errorf("kernel %v with %d texts kept; a kernel needs them, a linear head has none", h.options.Kernel, support)
	}
	return support, h.options.Validate()
}
