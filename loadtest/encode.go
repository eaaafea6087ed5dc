package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/hub"
	"github.com/kindred-rec/kindred/loadtest/encodebench"
)

// encodeCommand is `loadtest encode`.
type encodeCommand struct {
	Model     string   `placeholder:"static|DIR|OWNER/MODEL" xor:"what" required:"" help:"The embedded encoder, a model's folder, or a model of the hub."`
	Backend   string   `enum:"auto,go,xla:cpu,xla:cuda" default:"auto" help:"What computes: auto, go, xla:cpu or xla:cuda."`
	Precision string   `enum:"fp32,bf16,fp16" default:"fp32" help:"What products are computed in: fp32, or with XLA bf16 or fp16."`
	Shapes    []string `default:"1x16,1x64,32x32,64x64" placeholder:"BxT" help:"Batch by tokens, one line of output each (${default})."`
	Seconds   float64  `default:"5" help:"How long each shape is measured (${default})."`
	Texts     string   `placeholder:"FILE" help:"Measure these texts, one a line, instead of shapes; with --addr the texts to send."`
	Out       string   `placeholder:"FILE.npy" help:"Keep the texts' vectors, [texts, dim] float32."`

	Prompt   string `placeholder:"TEXT" help:"What is put before each text, such as 'query: '."`
	Pooling  string `enum:",mean,cls,last" default:"" help:"mean, cls or last, where the model's files do not say."`
	Plugin   string `placeholder:"FILE.so" help:"PJRT plugin of an xla backend; else $KINDRED_PJRT, Kindred's cache, the usual places."`
	Revision string `placeholder:"REVISION" help:"Branch, tag or commit of a model of the hub."`
	Offline  bool   `help:"Never ask the hub: the model must be here."`
	JSON     bool   `name:"json" help:"The output is JSON lines with or without it."`

	overloadFlags `embed:"" group:"Overload of a running worker"`
}

// overloadFlags say how a running worker is overloaded.
type overloadFlags struct {
	Addr         string        `placeholder:"HOST:PORT" xor:"what" required:"" help:"Instead of a model, a running worker: its capacity, half of it, and a multiple of it."`
	Key          string        `env:"KINDRED_WORKER_KEY" placeholder:"KEY" help:"The worker's key, if it asks for one."`
	Metrics      string        `placeholder:"HOST:PORT" help:"The worker's HTTP port: its memory is told too."`
	Overload     float64       `default:"10" help:"Load offered, as a multiple of the capacity (${default})."`
	Duration     time.Duration `default:"60s" help:"How long that is offered (${default})."`
	CallTexts    int           `default:"4" help:"Texts of a call (${default})."`
	Callers      int           `default:"16" help:"Callers of the closed loop that finds the capacity (${default})."`
	CapacityTime time.Duration `default:"5s" help:"How long that takes (${default})."`
	QuietTime    time.Duration `default:"10s" help:"How long half of the capacity is offered (${default})."`
	Seed         uint64        `default:"1" help:"Makes arrivals and texts the same again."`
}

// Help is what --help says beyond the flags.
func (encodeCommand) Help() string {
	return `With shapes: random token numbers, forward pass and pooling in float32, no tokenization. With texts: everything. Prints texts and
GFLOP (of matrix products) a second. With --addr a worker is overloaded, and the latency of the calls it accepts is set against
its latency at half of its capacity.

Examples:
  go run ./loadtest encode --model ../shared/models/all-minilm-l6-v2 --backend auto --shapes 1x16,32x32
  go run ./loadtest encode --model static --texts titles.txt --out titles.npy
  go run ./loadtest encode --addr 127.0.0.1:50061 --metrics 127.0.0.1:50062 --texts titles.txt
`
}

// Run measures.
func (c *encodeCommand) Run(ctx context.Context, to output) error {
	bar := newProgress(to.log)
	defer bar.finish()
	if c.Addr != "" {
		if c.Out != "" {
			return errors.New("--out keeps the vectors of a model named with --model; a worker's are not kept")
		}
		return encodebench.RunOverload(ctx, encodebench.Overload{Addr: c.Addr, Key: c.Key, Metrics: c.Metrics, Texts: c.Texts, CallTexts: c.CallTexts,
			Times: c.Overload, Capacity: c.CapacityTime, Quiet: c.QuietTime, Duration: c.Duration, Callers: c.Callers, Seed: c.Seed,
			Progress: bar.show}, to.out)
	}
	return encodebench.Run(ctx, encodebench.Options{Model: c.Model, Backend: transformer.Backend(c.Backend), Precision: transformer.Precision(c.Precision), Plugin: c.Plugin,
		Pooling: checkpoint.Pooling(c.Pooling), Prompt: c.Prompt, Shapes: c.Shapes, Texts: c.Texts, Out: c.Out, Seconds: c.Seconds,
		Hub: hub.Source{Revision: c.Revision, Offline: c.Offline}, Log: slog.New(slog.NewTextHandler(to.log, nil)), Progress: bar.show}, to.out)
}
