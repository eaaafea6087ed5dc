package static

import (
	"context"
	"fmt"
	"sync"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/static/internal/rowsum"
	"github.com/kindred-rec/kindred/embed/wordpiece"
)

// MaxBytes is how many bytes of one text are read. It bounds the time and memory
// of one text: about two milliseconds and 256 KiB.
const MaxBytes = 64 << 10

// Encoder is a table of token vectors with its tokenizer. It is immutable and
// safe for concurrent use.
type Encoder struct {
	info      embed.Info
	tokenizer *wordpiece.Tokenizer
	table     rowsum.Table
	scratch   sync.Pool // of *[]int32, the tokens of one text
}

var (
	_ embed.Encoder   = (*Encoder)(nil)
	_ embed.Measurer  = (*Encoder)(nil)
	_ embed.Immediate = (*Encoder)(nil)
)

func newEncoder(name, hash string, vocab *wordpiece.Vocabulary, table rowsum.Table) (*Encoder, error) {
	tokenizer, err := wordpiece.New(vocab, wordpiece.Options{MaxBytes: MaxBytes})
	if err != nil {
		return nil, err
	}
	e := &Encoder{
		info:      embed.Info{Model: name + "@sha256:" + hash, Dim: table.Dim, MaxBytes: MaxBytes},
		tokenizer: tokenizer,
		table:     table,
	}
	e.scratch.New = func() any { ids := make([]int32, 0, 256); return &ids }
	return e, nil
}

// Info describes the model.
func (e *Encoder) Info() embed.Info { return e.info }

// Immediate implements embed.Immediate: a text costs some microseconds.
func (e *Encoder) Immediate() bool { return true }

// Tokenizer returns the tokenizer that texts are read with.
func (e *Encoder) Tokenizer() *wordpiece.Tokenizer { return e.tokenizer }

// Encode writes the vectors of texts to out, [len(texts), Dim], as [embed.Encoder]
// says. It allocates nothing once it has run a few times, and returns early with
// the context's error when that is done.
func (e *Encoder) Encode(ctx context.Context, texts []string, out []float32) error {
	if err := e.info.CheckShape(len(texts), len(out)); err != nil {
		return err
	}
	ids := e.scratch.Get().(*[]int32)
	defer e.scratch.Put(ids)
	dim := e.info.Dim
	for i, text := range texts {
		if i%64 == 0 {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("static: stopped after %d of %d texts: %w", i, len(texts), err)
			}
		}
		e.encode(ids, text, out[i*dim:(i+1)*dim])
	}
	return nil
}

// EncodeText writes the vector of one text to out, [Dim] float32, and says how
// much of the text was read.
func (e *Encoder) EncodeText(text string, out []float32) (embed.Extent, error) {
	if err := e.info.CheckShape(1, len(out)); err != nil {
		return embed.Extent{}, err
	}
	ids := e.scratch.Get().(*[]int32)
	defer e.scratch.Put(ids)
	return e.encode(ids, text, out), nil
}

// Measure says how much of text Encode reads.
func (e *Encoder) Measure(text string) embed.Extent {
	ids := e.scratch.Get().(*[]int32)
	defer e.scratch.Put(ids)
	var extent embed.Extent
	*ids, extent = e.tokenizer.Append((*ids)[:0], text)
	return extent
}

func (e *Encoder) encode(ids *[]int32, text string, out []float32) (extent embed.Extent) {
	*ids, extent = e.tokenizer.Append((*ids)[:0], text)
	e.table.Sum(out, *ids)
	rowsum.Normalize(out) // a text without tokens stays zeros
	return extent
}
