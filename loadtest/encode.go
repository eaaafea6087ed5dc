package main

import (
	"context"
	"log/slog"

	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/hub"
	"github.com/kindred-rec/kindred/loadtest/encodebench"
)

// encodeCommand is `loadtest encode`.
type encodeCommand struct {
	Model   string   `required:"" placeholder:"static|DIR|OWNER/MODEL" help:"The embedded encoder, a model's folder, or a model of the hub."`
	Backend string   `enum:"auto,go,xla:cpu,xla:cuda" default:"auto" help:"What computes: auto, go, xla:cpu or xla:cuda."`
	Shapes  []string `default:"1x16,1x64,32x32,64x64" placeholder:"BxT" help:"Batch by tokens, one line of output each (${default})."`
	Seconds float64  `default:"5" help:"How long each shape is measured (${default})."`
	Texts   string   `placeholder:"FILE" help:"Measure these texts, one a line, instead of shapes."`
	Out     string   `placeholder:"FILE.npy" help:"Keep the texts' vectors, [texts, dim] float32."`

	Prompt   string `placeholder:"TEXT" help:"What is put before each text, such as 'query: '."`
	Pooling  string `enum:",mean,cls,last" default:"" help:"mean, cls or last, where the model's files do not say."`
	Plugin   string `placeholder:"FILE.so" help:"PJRT plugin of an xla backend; else $KINDRED_PJRT, Kindred's cache, the usual places."`
	Revision string `placeholder:"REVISION" help:"Branch, tag or commit of a model of the hub."`
	Offline  bool   `help:"Never ask the hub: the model must be here."`
	JSON     bool   `name:"json" help:"The output is JSON lines with or without it."`
}

// Help is what --help says beyond the flags.
func (encodeCommand) Help() string {
	return `With shapes: random token numbers, forward pass and pooling in float32, no tokenization. With texts: everything. Prints texts and
GFLOP (of matrix products) a second.

Examples:
  go run ./loadtest encode --model ../shared/models/all-minilm-l6-v2 --backend auto --shapes 1x16,32x32
  go run ./loadtest encode --model static --texts titles.txt --out titles.npy
`
}

// Run measures.
func (c *encodeCommand) Run(ctx context.Context, to output) error {
	bar := newProgress(to.log)
	defer bar.finish()
	return encodebench.Run(ctx, encodebench.Options{Model: c.Model, Backend: transformer.Backend(c.Backend), Plugin: c.Plugin,
		Pooling: checkpoint.Pooling(c.Pooling), Prompt: c.Prompt, Shapes: c.Shapes, Texts: c.Texts, Out: c.Out, Seconds: c.Seconds,
		Hub: hub.Source{Revision: c.Revision, Offline: c.Offline}, Log: slog.New(slog.NewTextHandler(to.log, nil)), Progress: bar.show}, to.out)
}
