package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/corpus"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/neighbours"
)

// nearest is how many neighbours the figure compares.
const nearest = 10

// judge knows the teacher's neighbours of some texts.
type judge struct {
	texts   []string
	teacher [][]int32
	workers int
}

// judge makes one for texts whose vectors by the teacher are at hand, [texts, Dim].
func (b *build) judge(ctx context.Context, texts []string, vectors []float32) (*judge, error) {
	if len(texts) <= nearest {
		return nil, fmt.Errorf("%d texts to compare on; want more than %d", len(texts), nearest)
	}
	near, err := neighbours.Nearest(ctx, vectors, b.teacher.Dim(), nearest, b.command.Workers)
	return &judge{texts: texts, teacher: near, workers: b.command.Workers}, err
}

// vectors is the overlap of the vectors, [texts, dim], that a table makes of the texts.
func (j *judge) vectors(ctx context.Context, vectors []float32, dim int) (float64, error) {
	near, err := neighbours.Nearest(ctx, vectors, dim, nearest, j.workers)
	if err != nil {
		return 0, err
	}
	return neighbours.Overlap(near, j.teacher)
}

// encoder is the overlap of an encoder.
func (j *judge) encoder(ctx context.Context, e embed.Encoder) (float64, error) {
	dim := e.Info().Dim
	vectors := make([]float32, len(j.texts)*dim)
	if err := e.Encode(ctx, j.texts, vectors); err != nil {
		return 0, err
	}
	return j.vectors(ctx, vectors, dim)
}

// figure is a table's overlap with the teacher on a part of the texts.
type figure struct {
	Table   string  `json:"table"` // "embedded", "reproduced", "learned", or a name
	Part    string  `json:"part"`  // "validation", "test", or of --part
	Texts   int     `json:"texts"`
	Overlap float64 `json:"overlap_at_10"`
}

// evaluate prints the figure of a table as a line of JSON.
func (b *build) evaluate(ctx context.Context, out io.Writer) error {
	e, err := openTable(b.command.Evaluate)
	if err != nil {
		return err
	}
	chosen := b.corpus.Texts
	if even, odd := corpus.Halves(chosen); b.command.Part == "even" {
		chosen = even
	} else if b.command.Part == "odd" {
		chosen = odd
	}
	texts := corpus.Wholes(chosen)
	vectors, err := b.cache.Texts(ctx, b.teacher, texts, b.progress)
	if err != nil {
		return err
	}
	j, err := b.judge(ctx, texts, vectors)
	if err != nil {
		return err
	}
	overlap, err := j.encoder(ctx, e)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(struct {
		figure
		Teacher string `json:"teacher"`
		Empty   int    `json:"empty"` // rows that were left out
		Twins   int    `json:"twins"`
	}{figure{e.Info().Model, b.command.Part, len(texts), overlap}, b.teacher.Model(), b.corpus.Empty, b.corpus.Twins})
}

func openTable(name string) (*static.Encoder, error) {
	if name == "static" {
		return static.Default()
	}
	return static.LoadDir(name)
}
