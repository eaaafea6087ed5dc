package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/corpus"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/learn"
	"github.com/kindred-rec/kindred/embed/static/distill/internal/teacher"
	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

const description = `Makes a static table of token vectors from a text encoder of the BERT family, or compares one with it.

Examples:
  go run ./embed/static/distill --teacher ../shared/models/all-minilm-l6-v2 --out table
  go run ./embed/static/distill --teacher ../shared/models/all-minilm-l6-v2 --out table --texts ../shared/data/amazon-office/items.jsonl --holdout
  go run ./embed/static/distill --teacher ../shared/models/all-minilm-l6-v2 --evaluate static --texts ../shared/data/amazon-office/items.jsonl --part odd`

// command is the command line.
type command struct {
	Teacher  string `required:"" placeholder:"DIR" help:"Folder of the encoder: BERT, uncased, with a WordPiece vocabulary."`
	Out      string `placeholder:"TABLE" help:"Folder to write the table to."`
	Evaluate string `placeholder:"static|TABLE" help:"Instead, compare this table (static: the embedded one) with the teacher on the texts. Prints JSON."`
	Texts    string `placeholder:"FILE" help:"Texts to learn from, or to compare on: one a line, or a catalog as JSON lines."`

	Holdout bool    `help:"Leave the texts at odd places, by id, out of learning, and take the figure on them."`
	Part    string  `enum:"all,even,odd" default:"all" help:"With --evaluate: all texts, or those at even or odd places by id."`
	Dim     int     `default:"256" help:"Components of a row, at most the teacher's (${default}). Multiples of 64 are fast."`
	Pieces  int     `default:"20000" help:"Texts to make of the given ones, for the teacher to read (${default})."`
	Steps   int     `default:"1000" help:"Most batches to learn from (${default}); validation ends it sooner."`
	Rate    float64 `default:"0.003" help:"Learning rate (${default})."`
	Seed    uint64  `default:"1" help:"Decides pieces, validation texts and batches (${default})."`

	Cache   string `placeholder:"DIR" help:"Where the teacher's vectors of texts are kept; TABLE/cache if not given."`
	Backend string `enum:"auto,go,xla:cpu,xla:cuda" default:"auto" help:"What computes the teacher: auto, go, xla:cpu or xla:cuda."`
	Pooling string `enum:",mean,cls,last" default:"" help:"mean, cls or last, where the teacher's files do not say."`
	Workers int    `placeholder:"N" help:"Goroutines; one a processor if not given. The table does not depend on it."`
	Force   bool   `help:"Write over a table that is there."`
	JSON    bool   `name:"json" help:"Print the manifest as one line of JSON."`
}

// maxPieces bounds the memory for the teacher's vectors.
const maxPieces = 1 << 20

// check refuses flags that do not go together.
func (c *command) check() error {
	switch {
	case (c.Out == "") == (c.Evaluate == ""):
		return errors.New("give either --out, to make a table, or --evaluate, to compare one")
	case c.Evaluate != "" && c.Texts == "":
		return errors.New("--evaluate needs --texts to compare on")
	case c.Evaluate == "" && c.Part != "all":
		return fmt.Errorf("--part %s is for --evaluate; --holdout keeps odd places out of learning", c.Part)
	case c.Holdout && (c.Texts == "" || c.Evaluate != ""):
		return errors.New("--holdout needs --texts to learn from, and does not go with --evaluate")
	case c.Dim < 1 || c.Dim > static.MaxDim:
		return fmt.Errorf("--dim %d: want 1 to %d", c.Dim, static.MaxDim)
	case c.Pieces < 0 || c.Pieces > maxPieces:
		return fmt.Errorf("--pieces %d: want 0 to %d", c.Pieces, maxPieces)
	case c.Workers < 0 || c.Workers > 1024:
		return fmt.Errorf("--workers %d: want 1 to 1024, or 0 for one a processor", c.Workers)
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	return c.options().Check()
}

// options are those of learning.
func (c *command) options() learn.Options {
	o := learn.Defaults()
	o.Steps, o.LearningRate, o.Seed, o.Workers = c.Steps, c.Rate, c.Seed, c.Workers
	return o
}

func (c *command) run(ctx context.Context, out, log io.Writer) error {
	if c.Out != "" && !c.Force {
		if _, err := os.Stat(filepath.Join(c.Out, static.WeightsFile)); err == nil {
			return fmt.Errorf("%s holds a table; name another folder, or pass --force to write over it", c.Out)
		}
	}
	var texts corpus.Corpus
	if c.Texts != "" { // before the teacher, which takes longer
		var err error
		if texts, err = corpus.Open(c.Texts); err != nil {
			return err
		}
	}
	bar := newProgress(log)
	defer bar.finish()
	quiet := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	t, err := teacher.Open(c.Teacher, transformer.Options{Backend: transformer.Backend(c.Backend), Pooling: checkpoint.Pooling(c.Pooling),
		Workers: c.Workers, Log: quiet})
	if err != nil {
		return err
	}
	defer t.Close()
	cache := teacher.Cache{Dir: c.Cache}
	if c.Out != "" {
		cache.Dir = cmp.Or(c.Cache, filepath.Join(c.Out, "cache"))
	}
	b := &build{command: c, teacher: t, cache: cache, corpus: texts, progress: bar.show}
	if c.Evaluate != "" {
		return b.evaluate(ctx, out)
	}
	m, err := b.run(ctx)
	if err != nil {
		return err
	}
	bar.finish()
	return m.print(out, c.JSON)
}
