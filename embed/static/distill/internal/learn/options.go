package learn

import (
	"errors"
	"fmt"
)

// Errors of this package.
var (
	// ErrOptions: an option is out of its range.
	ErrOptions = errors.New("learn: bad option")

	// ErrExamples: there are too few examples, or they do not fit together.
	ErrExamples = errors.New("learn: bad examples")
)

// Options say how to train. [Defaults] gives those that figures are quoted for.
type Options struct {
	LearningRate float64 // of AdamW at its height, in (0, 1]; rows are of length about 1
	Decay        float64 // of a row's distance to its start, in [0, 10]
	Cosine       float64 // weight of the first term, at least 0
	Divergence   float64 // weight of the second, at least 0; not both 0
	Temperature  float64 // in [0.01, 10]
	Whole        float64 // share of whole texts in a batch, 0 to 1; the rest are pieces
	Batch        int     // texts of a batch, 2 to 4096; fewer where there are few texts
	Steps        int     // batches, at least 1
	Every        int     // steps between validations, at least 1
	Patience     int     // validations without a rise after which training ends; 0: never
	Seed         uint64
	Workers      int // goroutines, at least 1; the result does not depend on it
}

// Defaults are the options that were found on validation texts of office products.
func Defaults() Options {
	return Options{LearningRate: 0.003, Decay: 0.1, Cosine: 1, Divergence: 0.3, Temperature: 0.1, Whole: 0.5,
		Batch: 256, Steps: 1000, Every: 50, Patience: 6, Seed: 1, Workers: 1}
}

// Check returns an error that wraps [ErrOptions] if an option is out of its range.
func (o Options) Check() error {
	for _, x := range []struct {
		name          string
		value         float64
		least, atMost float64
	}{
		{"learning rate", o.LearningRate, 1e-9, 1}, {"decay", o.Decay, 0, 10},
		{"weight of the cosine", o.Cosine, 0, 1e6}, {"weight of the divergence", o.Divergence, 0, 1e6},
		{"sum of both weights", o.Cosine + o.Divergence, 1e-9, 2e6},
		{"temperature", o.Temperature, 0.01, 10}, {"share of whole texts", o.Whole, 0, 1},
		{"batch", float64(o.Batch), 2, 4096}, {"steps", float64(o.Steps), 1, 1e7}, {"steps between validations", float64(o.Every), 1, 1e7},
		{"patience", float64(o.Patience), 0, 1e7}, {"workers", float64(o.Workers), 1, 4096},
	} {
		if !(x.value >= x.least && x.value <= x.atMost) {
			return fmt.Errorf("%w: %s is %g; want %g to %g", ErrOptions, x.name, x.value, x.least, x.atMost)
		}
	}
	return nil
}

// Examples are texts as their tokens, and the teacher's vectors of them.
type Examples struct {
	Tokens  [][]int32 // of each text; may be empty
	Vectors []float32 // [texts, Dim], unit length or zeros
	Dim     int       // of the teacher
	Whole   int       // the first so many are whole texts, the others pieces
}

// minExamples is how few examples can be learned from at all.
const minExamples = 4

// usable leaves out texts without tokens or vector, which teach nothing, and checks
// the rest against a table of so many tokens.
func (e Examples) usable(tokens int) (Examples, error) {
	if e.Dim < 1 || len(e.Vectors) != len(e.Tokens)*e.Dim || e.Whole < 0 || e.Whole > len(e.Tokens) {
		return e, fmt.Errorf("%w: %d texts, %d of them whole, with %d float32 of dimension %d", ErrExamples, len(e.Tokens), e.Whole, len(e.Vectors), e.Dim)
	}
	u := Examples{Dim: e.Dim}
	for i, text := range e.Tokens {
		for _, token := range text {
			if token < 0 || int(token) >= tokens {
				return e, fmt.Errorf("%w: text %d has token %d; want 0 to %d", ErrExamples, i, token, tokens-1)
			}
		}
		vector := e.Vectors[i*e.Dim : (i+1)*e.Dim]
		if len(text) == 0 || zero(vector) {
			continue
		}
		u.Tokens, u.Vectors = append(u.Tokens, text), append(u.Vectors, vector...)
		if i < e.Whole {
			u.Whole++
		}
	}
	if u.Whole < minExamples {
		return e, fmt.Errorf("%w: %d whole texts have tokens and a vector; want at least %d", ErrExamples, u.Whole, minExamples)
	}
	return u, nil
}

func zero(v []float32) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}
