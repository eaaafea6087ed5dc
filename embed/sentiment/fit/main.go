// Command fit trains a head of sentiment on rated texts and writes it to a file.
//
//	go run ./embed/sentiment/fit --data amazon.tsv --encoder static --out head.safetensors
//	go run ./embed/sentiment/fit --data amazon.tsv --encoder DIR --layers 4 --tune --out head.safetensors
//
// The first made the embedded head. --tune chooses the options by five folds of the texts'
// groups, by the seed, rather than taking the defaults. Nothing else is random.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/google/renameio"
	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/sentiment"
	"github.com/kindred-rec/kindred/embed/sentiment/lower"
	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/transformer"
)

type command struct {
	Data    string `required:"" placeholder:"FILE" help:"Rated texts: REVIEW_SENTENCE, rating, text, separated by tabs."`
	Encoder string `required:"" placeholder:"static|DIR" help:"The embedded encoder, or a transformer's folder."`
	Layers  int    `help:"Of a transformer, the first so many layers; 0: all."`
	Tune    bool   `help:"Choose the options by cross-validation."`
	Seed    uint64 `default:"1" help:"Deals out the folds of --tune."`
	Out     string `required:"" placeholder:"FILE" help:"The head to write."`
}

func main() {
	var c command
	kong.Parse(&c, kong.Description("Trains a head of sentiment on rated texts.\n\nExample:\n  go run ./embed/sentiment/fit --data amazon.tsv --encoder static --out head.safetensors"))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := c.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fit:", strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(1)
	}
}

func (c *command) run(ctx context.Context) error {
	file, err := os.Open(c.Data)
	if err != nil {
		return err
	}
	defer file.Close()
	rated, err := sentiment.ReadTSV(file)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Data, err)
	}
	enc, done, err := c.encoder()
	if err != nil {
		return err
	}
	defer done()
	f, err := sentiment.Extract(ctx, enc, rated.Texts, nil)
	if err != nil {
		return err
	}
	options := sentiment.DefaultOptions()
	if c.Tune {
		choice, err := sentiment.Tune(ctx, []*sentiment.Features{f}, rated.Ratings, rated.Groups, nil, sentiment.Grid(), 5, c.Seed)
		if err != nil {
			return err
		}
		options = choice.Options
	}
	head, err := sentiment.Train(f, rated.Ratings, nil, options)
	if err != nil {
		return err
	}
	var content bytes.Buffer
	if err := head.Write(&content); err != nil {
		return err
	}
	fmt.Printf("%d texts, %+v, %d bytes for %s\n", head.Examples(), options, content.Len(), head.Encoder())
	return renameio.WriteFile(c.Out, content.Bytes(), 0o644)
}

// encoder opens the encoder; done closes it.
func (c *command) encoder() (enc embed.Encoder, done func() error, err error) {
	if c.Encoder == "static" {
		if c.Layers != 0 {
			return nil, nil, errors.New("--layers is of a transformer; the static encoder has none")
		}
		enc, err := static.Default()
		return enc, func() error { return nil }, err
	}
	var t *transformer.Encoder
	if c.Layers == 0 {
		t, err = transformer.Load(c.Encoder, transformer.Options{})
	} else {
		t, err = lower.Load(c.Encoder, c.Layers, transformer.Options{})
	}
	if err != nil {
		return nil, nil, err
	}
	return t, t.Close, nil
}
