package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"text/tabwriter"

	"github.com/kindred-rec/kindred/embed/train"
	"github.com/kindred-rec/kindred/embed/train/sequence"
	"github.com/kindred-rec/kindred/loadtest/evaluate"
	"github.com/kindred-rec/kindred/loadtest/report"
	"github.com/kindred-rec/kindred/ranker/selection"
	"github.com/kindred-rec/kindred/server/worker"
)

// evaluateCommand is `loadtest evaluate`.
type evaluateCommand struct {
	logFlags  `embed:""`
	Stage     string    `enum:"retrieval,full" default:"full" help:"full: serving without exploration. retrieval: the inner product of behaviour and item vectors alone."`
	Split     string    `enum:"test,valid" default:"test" help:"Which questions: test, which figures are quoted for, or valid, for tuning."`
	Cold      float64   `placeholder:"SHARE" help:"Share of the items to leave out of training and report apart, as 0.2."`
	Seed      uint64    `default:"1" help:"Decides how training goes, and which items are cold."`
	Fit       bool      `default:"true" negatable:"" help:"Fit the ranker's weights on the validation questions, as training does; --no-fit: the default weights. Where validation is asked, each half of the users has weights fitted on the other half."`
	Ranker    string    `enum:"linear,network,auto" default:"linear" help:"What is fitted to score with: linear weights, a network beside them, or auto: the network where it is clearly better on questions held back from both."`
	Behaviour string    `enum:"learned,mean" default:"learned" help:"What makes users' vectors: learned on the train part, or the mean of text vectors."`
	Epochs    int       `placeholder:"N" help:"Train for at most so many epochs; the trainer's default if not given."`
	Encoder   string    `default:"static" placeholder:"static|DIR|OWNER/MODEL" help:"What encodes item texts: the embedded encoder, the folder of a static table or a transformer, or a transformer of the hub."`
	Backend   string    `enum:"auto,go,xla:cpu,xla:cuda" default:"auto" help:"What computes a transformer: auto, go, xla:cpu or xla:cuda. A static table is always computed in Go."`
	Workers   int       `placeholder:"N" help:"Questions answered side by side; one a processor if not given. The figures do not depend on it."`
	Diversity []float64 `placeholder:"W,..." help:"Ask again with each of these weights of variety, 0 to 1, and print what lists look like, a line of JSON each, before the figures."`
	NewItems  []float64 `placeholder:"SHARE,..." help:"The same with each of these shares of slots kept for items that training hardly met."`
	Report    string    `placeholder:"FILE" help:"Draw what --diversity and --new-items found into a file: HTML, or Markdown if its name ends in .md."`
	JSON      bool      `name:"json" help:"Print the figures as one line of JSON."`
}

// Help is what --help says beyond the flags.
func (evaluateCommand) Help() string {
	return `Ranks the whole catalog for every test question, with the retrieval and ranking that serve, and counts where the item stands
that came next.

Examples:
  go run ./loadtest evaluate --format amazon --data ../shared/data/amazon-office --json
  go run ./loadtest evaluate --format movielens --data ../shared/data/movielens-small --diversity 0,0.1,0.2,0.3,0.5 --report variety.html --json
  go run ./loadtest evaluate --format s3rec --data ../shared/data/s3rec-beauty --stage retrieval
  go run ./loadtest evaluate --format amazon --data ../shared/data/amazon-office --encoder ../shared/models/all-minilm-l6-v2
`
}

// Run evaluates.
func (c *evaluateCommand) Run(ctx context.Context, to output) error {
	if c.Report != "" && len(c.Diversity)+len(c.NewItems) == 0 {
		return fmt.Errorf("--report draws what --diversity and --new-items find; give one of them, as --diversity 0,0.1,0.2,0.3,0.5")
	}
	if c.Report != "" {
		if err := report.CheckFile(c.Report); err != nil {
			return err
		}
	}
	format, reader, err := c.logFlags.options()
	if err != nil {
		return err
	}
	model, err := worker.Load(ctx, worker.ModelConfig{Name: c.Encoder, Backend: c.Backend, Log: slog.New(slog.NewTextHandler(to.log, nil))})
	if err != nil {
		return err
	}
	defer model.Close()
	bars := newProgress(to.log)
	defer bars.finish()
	options := evaluate.Options{Encoder: worker.WithPrompt(model.Encoder, model.DocumentPrompt), Backend: model.Backend,
		Format: format, Dir: c.Data, Reader: reader, Stage: evaluate.Stage(c.Stage), Split: evaluate.Part(c.Split),
		Cold: c.Cold, Seed: c.Seed, Fit: c.Fit && c.Stage == "full", Workers: c.Workers}
	options.Behaviour, options.Ranker = evaluate.Behaviour(c.Behaviour), selection.Kind(c.Ranker)
	options.Diversity, options.NewItems = c.Diversity, c.NewItems
	if c.Epochs > 0 {
		settings := train.DefaultOptions()
		settings.Sequence.Epochs = c.Epochs
		options.Train = &settings
	}
	options.Epoch = func(e sequence.Epoch, most int) { bars.show("training", float64(e.Number)/float64(most)) }
	result, err := evaluate.Run(ctx, options, func(done, all int) { bars.show("questions", float64(done)/float64(all)) })
	bars.finish()
	if err != nil {
		return err
	}
	if err := result.WriteVariety(to.out); err != nil {
		return err
	}
	if c.Report != "" {
		if err := result.VarietyPage().WriteFile(c.Report); err != nil {
			return err
		}
	}
	if c.JSON {
		return result.WriteJSON(to.out)
	}
	return writeFigures(to, result)
}

func writeFigures(to output, r evaluate.Result) error {
	t := tabwriter.NewWriter(to.out, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "%s: %s, stage %s, split %s, seed %d, encoder %s, behaviour %s, weights %s, %d items\n\n", r.Format, r.Protocol, r.Stage, r.Split, r.Seed,
		r.Encoder, r.Behaviour, cmp.Or(r.Weights, "none"), r.Items)
	fmt.Fprint(t, "\tquestions\tHR@5\tHR@10\tNDCG@10\tMRR\t\n")
	row := func(name string, f evaluate.Figures) {
		fmt.Fprintf(t, "%s\t%d\t%.4f\t%.4f\t%.4f\t%.4f\t\n", name, f.Cases, f.HR5, f.HR10, f.NDCG10, f.MRR)
	}
	row("all", r.Figures)
	if r.Cold != nil && r.Warm != nil {
		row("cold items", *r.Cold)
		row("other items", *r.Warm)
	}
	fmt.Fprintf(t, "\ncoverage %.1f%%, %.0f µs a question, %.1f s in all\n", 100*r.Coverage, r.MicrosPerCase, r.Seconds)
	return t.Flush() // a tabwriter writes when it is flushed
}
