package text

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kindred-rec/kindred/embed/train/text/internal/state"
	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// HeadFile is the name of the file, beside a model, of the head that reads scores: tensors
// "weight" [hidden], "bias" [1], and "range" [2], the lowest and highest score that it was
// trained on.
const HeadFile = "score_head.safetensors"

// scoreHead reads a score from a vector of unit length.
type scoreHead struct {
	weight    []float32
	bias      float32
	low, high float64
}

func (h scoreHead) read(vector []float32) float64 {
	sum := float64(h.bias)
	for i, x := range vector {
		sum += float64(x) * float64(h.weight[i])
	}
	return sum
}

func (h scoreHead) write(dir string) error {
	return state.Replace(filepath.Join(dir, HeadFile), func(w io.Writer) error {
		return checkpoint.WriteSafetensors(w, nil, []checkpoint.Tensor{{Name: "weight", Shape: []int{len(h.weight)}, Data: h.weight},
			{Name: "bias", Shape: []int{1}, Data: []float32{h.bias}}, {Name: "range", Shape: []int{2}, Data: []float32{float32(h.low), float32(h.high)}}})
	})
}

func readHead(dir string, hidden int) (h scoreHead, err error) {
	f, err := os.Open(filepath.Join(dir, HeadFile))
	if errors.Is(err, fs.ErrNotExist) {
		return h, fmt.Errorf("text: %s has no %s: it was not trained by Regression: %w", dir, HeadFile, err)
	}
	if err != nil {
		return h, fmt.Errorf("text: %w", err)
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return h, fmt.Errorf("text: %w", err)
	}
	tensors, err := checkpoint.ReadHeader(f, stat.Size())
	var bias, bounds []float32
	if err == nil {
		h.weight, err = tensors.Float32("weight", hidden)
	}
	if err == nil {
		bias, err = tensors.Float32("bias", 1)
	}
	if err == nil {
		bounds, err = tensors.Float32("range", 2)
	}
	if err != nil {
		return h, fmt.Errorf("text: %s: %w", f.Name(), err)
	}
	h.bias, h.low, h.high = bias[0], float64(bounds[0]), float64(bounds[1])
	return h, nil
}

// Scorer reads scores from texts with a model that [Regression] trained. It is safe for
// concurrent use.
type Scorer struct {
	encoder *transformer.Encoder
	head    scoreHead
}

// LoadScorer loads the model and the head in the folder dir. Errors are those of
// [transformer.Load], or wrap [checkpoint.ErrFormat] or [fs.ErrNotExist] for the head.
func LoadScorer(dir string, o transformer.Options) (*Scorer, error) {
	encoder, err := transformer.Load(dir, o)
	if err != nil {
		return nil, err
	}
	head, err := readHead(dir, encoder.Info().Dim)
	if err != nil {
		return nil, errors.Join(err, encoder.Close())
	}
	return &Scorer{encoder, head}, nil
}

// Range is the lowest and highest score that the model was trained on.
func (s *Scorer) Range() (low, high float64) { return s.head.low, s.head.high }

// Score gives the scores of texts, within Range. A text without a token gets what the head
// gives to no vector at all. Errors are those of [transformer.Encoder.Encode].
func (s *Scorer) Score(ctx context.Context, texts []string) ([]float64, error) {
	dim := s.encoder.Info().Dim
	vectors := make([]float32, len(texts)*dim)
	if err := s.encoder.Encode(ctx, texts, vectors); err != nil {
		return nil, err
	}
	scores := make([]float64, len(texts))
	for i := range scores {
		scores[i] = min(max(s.head.read(vectors[i*dim:(i+1)*dim]), s.head.low), s.head.high)
	}
	return scores, nil
}

// Close releases the model.
func (s *Scorer) Close() error { return s.encoder.Close() }
