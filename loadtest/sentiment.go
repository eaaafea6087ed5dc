package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/sentiment"
	"github.com/kindred-rec/kindred/embed/sentiment/lower"
	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/transformer"
	"gonum.org/v1/gonum/stat"
)

// sentimentCommand is `loadtest sentiment`.
type sentimentCommand struct {
	Data    string `required:"" placeholder:"FILE" help:"Rated texts: REVIEW_SENTENCE, rating from -4 to 4, text, separated by tabs."`
	Encoder string `default:"static" placeholder:"static|DIR" help:"The embedded encoder, or a transformer's folder (${default})."`
	Layers  []int  `placeholder:"N" help:"Of a transformer, the first so many layers, 0 for all; of several the training part chooses. None given: all, or the lower two thirds."`
	Backend string `enum:"auto,go,xla:cpu,xla:cuda" default:"go" help:"What computes a transformer: auto, go, xla:cpu or xla:cuda (${default})."`
	Folds   int    `default:"5" help:"Folds by review (${default})."`
	Fixed   bool   `help:"Take the default options instead of choosing them inside each training part."`
	Seed    uint64 `default:"1" help:"Deals out the folds (${default})."`
	JSON    bool   `name:"json" help:"Print the figures as one JSON object."`
}

// Help is what --help says beyond the flags.
func (sentimentCommand) Help() string {
	return `Cross-validates the head that says how a comment feels: Pearson's r with people's ratings, of texts whose review the head has not
seen. Options are chosen by three folds inside of each training part. The lexicon alone is printed beside it.

Examples:
  go run ./loadtest sentiment --data ../shared/data/review-sentiment/amazon.tsv
  go run ./loadtest sentiment --data ../shared/data/review-sentiment/amazon.tsv --encoder ../shared/models/all-minilm-l6-v2 --layers 4 --json
`
}

// sentimentFigures are what is printed.
type sentimentFigures struct {
	Pearson float64            `json:"pearson"`
	Folds   []float64          `json:"pearson_folds"`
	Lexicon float64            `json:"pearson_lexicon"`
	Encoder string             `json:"encoder"`
	Texts   int                `json:"texts"`
	Chosen  []sentimentChoice  `json:"chosen"`
	Seed    uint64             `json:"seed"`
	Seconds float64            `json:"seconds"`
	Stages  map[string]float64 `json:"stage_seconds"`
}

// sentimentChoice is what one fold chose.
type sentimentChoice struct {
	Encoder string  `json:"encoder"`
	Ridge   float64 `json:"ridge"`
	Words   float64 `json:"words"`
	Kernel  float64 `json:"kernel"`
}

// Run measures.
func (c *sentimentCommand) Run(ctx context.Context, to output) error {
	start := time.Now()
	file, err := os.Open(c.Data)
	if err != nil {
		return err
	}
	defer file.Close()
	rated, err := sentiment.ReadTSV(file)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Data, err)
	}
	bar := newProgress(to.log)
	defer bar.finish()
	views, names, err := c.views(ctx, rated.Texts, bar)
	if err != nil {
		return err
	}
	encoded := time.Since(start)
	grid := sentiment.Grid()
	if c.Fixed {
		grid = []sentiment.Options{sentiment.DefaultOptions()}
	}
	v, err := sentiment.CrossValidate(ctx, views, rated.Ratings, rated.Groups, grid, c.Folds, c.Seed,
		func(done, all int) { bar.show("folds", float64(done)/float64(all)) })
	if err != nil {
		return err
	}
	bar.finish()
	lexicon := make([]float64, len(rated.Texts))
	if err := (sentiment.Lexicon{}).Score(ctx, rated.Texts, lexicon); err != nil {
		return err
	}
	f := sentimentFigures{Pearson: v.R, Folds: v.Folds, Lexicon: stat.Correlation(lexicon, rated.Ratings, nil), Encoder: names[0],
		Texts: len(rated.Texts), Seed: c.Seed, Seconds: time.Since(start).Seconds(),
		Stages: map[string]float64{"encode": encoded.Seconds(), "validate": (time.Since(start) - encoded).Seconds()}}
	for _, choice := range v.Choices {
		f.Chosen = append(f.Chosen, sentimentChoice{names[choice.View], choice.Options.Ridge, choice.Options.Words, choice.Options.Kernel})
	}
	return f.print(c.JSON, to)
}

// print writes the figures.
func (f sentimentFigures) print(asJSON bool, to output) error {
	if asJSON {
		return writeJSON(to.out, f)
	}
	for i, r := range f.Folds {
		fmt.Fprintf(to.out, "fold %d: r %.4f  %s, ridge %v, words %v, kernel %v\n", i+1, r, f.Chosen[i].Encoder, f.Chosen[i].Ridge, f.Chosen[i].Words, f.Chosen[i].Kernel)
	}
	_, err := fmt.Fprintf(to.out, "all: r %.4f  lexicon alone %.4f  %d texts, seed %d, %.1f s\n", f.Pearson, f.Lexicon, f.Texts, f.Seed, f.Seconds)
	return err
}

// views encodes the texts with each encoder that may be chosen.
func (c *sentimentCommand) views(ctx context.Context, texts []string, bar *progress) (views []*sentiment.Features, names []string, err error) {
	layers := c.Layers
	if len(layers) == 0 {
		layers = []int{0}
		if c.Encoder != "static" {
			n, err := layersOf(c.Encoder)
			if err != nil {
				return nil, nil, err
			}
			layers = append(layers, max(1, 2*n/3))
		}
	}
	for _, n := range layers {
		f, name, err := c.view(ctx, texts, n, bar)
		if err != nil {
			return nil, nil, err
		}
		views, names = append(views, f), append(names, name)
	}
	return views, names, nil
}

// layersOf is how many layers a transformer has.
func layersOf(dir string) (int, error) {
	t, err := transformer.Load(dir, transformer.Options{Backend: transformer.Go})
	if err != nil {
		return 0, err
	}
	return t.Config().Layers, t.Close()
}

// view encodes the texts with one encoder, which it closes.
func (c *sentimentCommand) view(ctx context.Context, texts []string, layers int, bar *progress) (*sentiment.Features, string, error) {
	var enc embed.Encoder
	if c.Encoder == "static" {
		if layers != 0 {
			return nil, "", errors.New("--layers is of a transformer; the static encoder has none")
		}
		table, err := static.Default()
		if err != nil {
			return nil, "", err
		}
		enc = table
	} else {
		o := transformer.Options{Backend: transformer.Backend(c.Backend)}
		var t *transformer.Encoder
		var err error
		if layers == 0 {
			t, err = transformer.Load(c.Encoder, o)
		} else {
			t, err = lower.Load(c.Encoder, layers, o)
		}
		if err != nil {
			return nil, "", err
		}
		defer t.Close()
		enc = t
	}
	f, err := sentiment.Extract(ctx, enc, texts, func(done, all int) { bar.show("texts", float64(done)/float64(all)) })
	return f, enc.Info().Model, err
}
