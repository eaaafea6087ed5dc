package main

import (
	"context"
	"log/slog"

	"github.com/kindred-rec/kindred/embed/train"
	"github.com/kindred-rec/kindred/embed/train/sequence"
	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/loadtest/evaluate"
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
	Report    string    `placeholder:"FILE" help:"Draw all that was found into a file: HTML, or Markdown if its name ends in .md."`

	Protocol   string   `enum:"auto,given,leave-one-out,time,rolling" default:"auto" help:"How the log is cut. given: test rows that came with the data. leave-one-out: the last item of each user. time: the whole log at one moment. rolling: the same several times. auto: given where there are such rows, else leave-one-out."`
	TestShare  float64  `placeholder:"SHARE" help:"Share of the events, the last ones, that time and rolling ask (0.2)."`
	ValidShare float64  `placeholder:"SHARE" help:"Share before those for validation (0.1)."`
	Windows    int      `placeholder:"N" help:"Windows that rolling parts the asked share into, each trained for anew (5)."`
	PerUser    int      `placeholder:"N" help:"Questions that time and rolling ask of a user at most in each part, the first ones (10)."`
	Compare    []string `sep:"none" placeholder:"NAME=SPEC" help:"Ask something else the same questions, and say how it differs: mean, learned, popular, itemknn, the folder of a bundle, a file of weights, or a file of a policy. May be given several times."`
	Resamples  int      `placeholder:"N" help:"Resamples of users that intervals are made of (2000)."`

	JSON bool `name:"json" help:"Print the figures as one line of JSON."`
}

// Help is what --help says beyond the flags.
func (evaluateCommand) Help() string {
	return `Ranks the whole catalog for every test question, with the retrieval and ranking that serve, and counts where the item stands
that came next.

What is evaluated is told with intervals of 95%, by resampling users, and with what its lists look like: how varied, novel and
popular they are, whom they show, and how well the short and the long histories fare.

Examples:
  go run ./loadtest evaluate --format amazon --data ../shared/data/amazon-office --json
  go run ./loadtest evaluate --format movielens --data ../shared/data/movielens-small --protocol time --report time.html
  go run ./loadtest evaluate --format movielens --data ../shared/data/movielens-small --compare knn=itemknn --compare top=popular --compare varied=policy.json
  go run ./loadtest evaluate --format movielens --data ../shared/data/movielens-small --diversity 0,0.1,0.2,0.3,0.5 --report variety.html --json
  go run ./loadtest evaluate --format s3rec --data ../shared/data/s3rec-beauty --stage retrieval
  go run ./loadtest evaluate --format amazon --data ../shared/data/amazon-office --encoder ../shared/models/all-minilm-l6-v2
`
}

// Run evaluates.
func (c *evaluateCommand) Run(ctx context.Context, to output) error {
	if err := checkReport(c.Report); err != nil {
		return err
	}
	format, reader, err := c.logFlags.options()
	if err != nil {
		return err
	}
	var contenders []evaluate.Contender
	for _, text := range c.Compare {
		contender, err := evaluate.ParseContender(text)
		if err != nil {
			return err
		}
		contenders = append(contenders, contender)
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
	options.Protocol, options.Windows, options.Compare, options.Resamples = evaluate.Protocol(c.Protocol), c.Windows, contenders, c.Resamples
	options.Cut = dataset.TimeCut{Test: c.TestShare, Valid: c.ValidShare, PerUser: c.PerUser}
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
		if err := result.Page().WriteFile(c.Report); err != nil {
			return err
		}
	}
	if c.JSON {
		return result.WriteJSON(to.out)
	}
	return writeFigures(to, result)
}
