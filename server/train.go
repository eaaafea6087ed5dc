package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"google.golang.org/grpc"

	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/ranker/clicks"
	"github.com/kindred-rec/kindred/ranker/selection"
	"github.com/kindred-rec/kindred/server/encoder"
	"github.com/kindred-rec/kindred/server/importer"
	"github.com/kindred-rec/kindred/server/training"
	"github.com/kindred-rec/kindred/server/training/schedule"
)

type trainCommand struct {
	Addr    string `placeholder:"HOST:PORT" xor:"from" help:"Train on the log of a running service, and send it the model."`
	KeyFile string `type:"existingfile" placeholder:"FILE" help:"API key of a scientist or admin, in a file."`
	clientTLS
	Key     string `env:"KINDRED_KEY" help:"The key itself, where there is no file."`
	Promote bool   `help:"Have the model serve, if it is not worse than what does."`

	Store  string `type:"path" placeholder:"DIR" xor:"from" help:"Train on the log of a store that no service has open, and keep the model there."`
	Tenant string `default:"default" help:"With --store: whose log."`

	Data string `type:"path" placeholder:"DIR" xor:"from" help:"Train on files: directory, or one file of events (jsonl, csv, parquet)."`
	trainFiles

	Out        string `type:"path" placeholder:"DIR" help:"Folder for the bundle. Required with --data; with a service, to keep a copy."`
	Epochs     int    `default:"0" help:"Passes over the log, at most; 0: 60, and it stops when the validation does not get better."`
	Dim        int    `default:"128" help:"Components of the transformer: a multiple of 32, to 512."`
	Seed       uint64 `default:"1" help:"Seed of all that is drawn."`
	Workers    int    `default:"0" help:"Processors to use; 0: all."`
	Memory     string `default:"2GiB" placeholder:"SIZE" help:"Bound of memory, such as 512MiB or 4GiB."`
	Checkpoint string `type:"path" placeholder:"DIR" help:"Folder that training is saved to: the same command goes on from there after a kill."`
	Ranker     string `default:"auto" enum:"auto,linear,network" help:"What scores: linear weights, a network, or auto: the network where it is clearly better on choices that neither was trained on."`
	RankerFile string `type:"existingfile" placeholder:"FILE" help:"A model of your own that scores instead: LightGBM's text or XGBoost's JSON, whose columns are named as the features of ExportDecisions."`
	Objectives string `placeholder:"TYPE=WEIGHT,…" help:"What lists are to lead to, and what each weighs in what is learned from clicks; click=1,add_to_cart=2,purchase=5,rating=2 if not given."`
	Encoder    string `default:"static" placeholder:"MODEL" help:"Text encoder, the one of the service: static, a model's folder, owner/model on the hub, or remote."`
	Backend    string `default:"auto" enum:"auto,go,xla:cpu,xla:cuda" help:"What computes a transformer of texts: ${enum}."`
	encoderWorkers
	JSON bool `name:"json" help:"Print the figures of the manifest as one line of JSON."`

	Child bool `hidden:"" help:"Started by a service: its key comes first on the standard input, and the end of that ends the training."`
}

// trainFiles says how files are read, as import does.
type trainFiles struct {
	Format        string   `placeholder:"FORMAT" help:"With --data: how the files are laid out: jsonl, movielens, amazon, s3rec, recbole, csv, parquet."`
	ItemsFile     string   `placeholder:"FILE" help:"File of the items, where its name is not the usual one."`
	EventsFile    string   `placeholder:"FILE" help:"File of the events, where its name is not the usual one."`
	Map           []string `placeholder:"FIELD=COLUMN" help:"Columns that have other names (csv, parquet)."`
	IgnoreColumns []string `placeholder:"COLUMN" help:"Columns to leave out (csv, parquet); * leaves out all that are not known."`
	Comma         string   `default:"," help:"What separates the columns of csv: one character, or 'tab'."`
	TimeUnit      string   `enum:"s,ms" default:"s" help:"Unit of times that are written as numbers: s or ms."`
	EventType     string   `placeholder:"TYPE" help:"Type of events whose file names none, such as view or purchase."`
}

// Help is what `train --help` says beyond its flags.
func (trainCommand) Help() string {
	return `Makes a trained model, a bundle, of what people did. What is missing to train on is said in one line, and
exits with 4: wait, and run it again. A model that is kept and not promoted exits with 5.

Examples:
  kindred train --addr 127.0.0.1:50051 --key-file scientist.key --promote
  kindred train --format movielens --data ml-latest-small --out bundles
  kindred train --store /var/lib/kindred --promote
  kindred train --addr 127.0.0.1:50051 --objectives click=1,purchase=10 --ranker network
  kindred train --addr 127.0.0.1:50051 --ranker-file lightgbm.txt`
}

// Run trains.
func (c *trainCommand) Run(ctx context.Context) (err error) {
	memory, err := parseSize(c.Memory)
	if err != nil {
		return fmt.Errorf("train: --memory: %w", err)
	}
	debug.SetMemoryLimit(memory)
	if c.Workers > 0 {
		runtime.GOMAXPROCS(c.Workers)
	}
	if c.Child {
		var end func()
		if ctx, c.Key, end, err = schedule.Begin(ctx, os.Stdin); err != nil {
			return fmt.Errorf("train: %w", err)
		}
		defer end()
	}
	texts, err := c.openTexts(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, texts.Close()) }()
	objectives, err := clicks.ParseObjectives(c.Objectives)
	if err != nil {
		return fmt.Errorf("train: --objectives: %w", err)
	}
	o := training.Options{
		Encoder: texts, Epochs: c.Epochs, Dim: c.Dim, Seed: c.Seed, Workers: c.Workers, Memory: memory, Checkpoint: c.Checkpoint,
		Ranker: selection.Kind(c.Ranker), RankerFile: c.RankerFile, Objectives: objectives,
	}
	o.Resuming = func(acts int64) {
		fmt.Fprintf(os.Stderr, "train: going on from a checkpoint of the first %d events\n", acts)
	}
	progress := newTrainProgress(os.Stderr)
	o.Progress = progress.show
	defer progress.end()
	switch {
	case c.Data != "":
		return c.fromFiles(ctx, o)
	case c.Addr != "":
		return c.fromService(ctx, o, c.Addr, c.key)
	case c.Store != "":
		return c.fromStore(ctx, o)
	}
	return errors.New("train: give --addr of a running service, --store of one that does not run, or --data with files")
}

// openTexts opens the encoder of texts. What workers serve is asked of them each time.
func (c *trainCommand) openTexts(ctx context.Context) (*encoder.Encoder, error) {
	config := encoder.Config{Name: c.Encoder, Backend: c.Backend, Log: slog.New(slog.DiscardHandler),
		Remote: remote.Config{Addrs: c.EmbedAddr, PlaintextKey: c.EmbedPlain}}
	var err error
	if config.Remote.Key, err = readToken(c.EmbedToken); err != nil {
		return nil, err
	}
	if config.Remote.TLS, err = c.workerTLS(); err != nil {
		return nil, err
	}
	return encoder.Open(ctx, config)
}

// key is the API key; "" for none.
func (c *trainCommand) key() (string, error) {
	if c.KeyFile == "" {
		return c.Key, nil
	}
	raw, err := os.ReadFile(c.KeyFile)
	return strings.TrimSpace(string(raw)), err
}

func (c *trainCommand) fromFiles(ctx context.Context, o training.Options) error {
	if c.Out == "" || c.Format == "" {
		return errors.New("train: --data needs --format of the files, and --out, a folder for the bundle")
	}
	format, reader, err := importer.ReaderOptions(c.Format, c.Map, c.IgnoreColumns, c.Comma, c.TimeUnit)
	if err != nil {
		return err
	}
	reader.ItemsFile, reader.EventsFile, reader.EventType = c.ItemsFile, c.EventsFile, c.EventType
	source, err := dataset.Open(format, c.Data, reader)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	bad, o := 0, withDir(o, c.Out)
	r, err := training.Run(ctx, training.Files{Source: source, Bad: func(*dataset.RowError) { bad++ }}, o)
	if err != nil {
		return trainError(err)
	}
	if bad > 0 {
		fmt.Fprintf(os.Stderr, "train: %d bad rows were left out; `import --dry-run` lists them\n", bad)
	}
	return c.report(os.Stdout, &trained{Result: r, dir: r.Bundle.Dir()})
}

func withDir(o training.Options, dir string) training.Options {
	o.Dir = dir
	return o
}

// fromService trains on a tenant's log, sends the model, and has it serve if asked to.
func (c *trainCommand) fromService(ctx context.Context, o training.Options, addr string, key func() (string, error)) (err error) {
	secret, err := key()
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	var options []grpc.DialOption
	if secret != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(secret)))
	}
	conn, err := c.dial(addr, options...)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	tenant, err := training.Connect(ctx, conn)
	if err != nil {
		return trainError(err)
	}
	if err := tenant.Fits(o.Encoder.Info()); err != nil {
		return trainError(err)
	}
	if o.Dir = c.Out; o.Dir == "" {
		if o.Dir, err = os.MkdirTemp(c.Checkpoint, schedule.WorkPrefix); err != nil {
			return fmt.Errorf("train: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	}
	o.Parent = tenant.Serving()
	r, err := training.Run(ctx, tenant, o)
	if err != nil {
		return trainError(err)
	}
	done := &trained{Result: r, addr: addr}
	if c.Out != "" {
		done.dir = r.Bundle.Dir()
	}
	if done.removed, err = tenant.Upload(ctx, r.Bundle); err != nil {
		return trainError(err)
	}
	if c.Promote {
		v, err := tenant.Promote(ctx, r.Bundle.Hash(), c.note())
		if err != nil {
			return trainError(err)
		}
		done.verdict = &v
	}
	if err := c.report(os.Stdout, done); err != nil {
		return err
	}
	if done.verdict != nil && !done.verdict.Promoted {
		return exitError{code: schedule.ExitKept, text: "train: " + done.verdict.Refused}
	}
	return nil
}

func (c *trainCommand) note() string {
	if c.Child {
		return "trained on schedule"
	}
	return "trained by the train command"
}

// bearer sends the key with each call.
type bearer string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (bearer) RequireTransportSecurity() bool { return false }

// exitError has an exit code of its own.
type exitError struct {
	code int
	text string
}

func (e exitError) Error() string { return e.text }
func (e exitError) ExitCode() int { return e.code }

// trainError is an error with the exit code that says what to do about it.
func trainError(err error) error {
	text := "train: " + plain(err)
	if errors.Is(err, training.ErrTooLittle) {
		return exitError{code: schedule.ExitTooLittle, text: text}
	}
	return errors.New(text)
}

// parseSize reads a size in bytes with a unit.
func parseSize(text string) (int64, error) {
	var n float64
	var unit string
	if _, err := fmt.Sscanf(text, "%g%s", &n, &unit); err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is no size: give one such as 512MiB or 4GiB", text)
	}
	shift, ok := map[string]int{"MIB": 20, "M": 20, "GIB": 30, "G": 30}[strings.ToUpper(unit)]
	if !ok || n > 1<<20 {
		return 0, fmt.Errorf("%q is no size: give one such as 512MiB or 4GiB", text)
	}
	return int64(n * float64(int64(1)<<shift)), nil
}

// trained is what a run did, for printing.
type trained struct {
	training.Result
	dir, addr string
	removed   []string
	verdict   *training.Verdict
}

// trainedLine is the line of --json.
type trainedLine struct {
	Bundle    string             `json:"bundle"`
	Path      string             `json:"path,omitempty"`
	Metrics   map[string]float64 `json:"metrics"`
	Users     int64              `json:"users"`
	Items     int64              `json:"items"`
	Events    int64              `json:"events"`
	SetAside  int64              `json:"set_aside"`
	LogHead   uint64             `json:"log_head,omitempty"`
	Epochs    int                `json:"epochs"`
	BestEpoch int                `json:"best_epoch"`
	Ranker    string             `json:"ranker"`
	RankedBy  string             `json:"ranker_learned_from"`
	Choices   int                `json:"ranker_choices"`
	Resumed   bool               `json:"resumed"`
	Seconds   float64            `json:"seconds"`
	Promoted  *bool              `json:"promoted,omitempty"`
	Serving   bool               `json:"serving,omitempty"`
	Refused   string             `json:"refused,omitempty"`
}

func (c *trainCommand) report(w io.Writer, t *trained) error {
	m := t.Bundle.Manifest()
	if !c.JSON {
		return printTrained(w, t)
	}
	line := trainedLine{
		Bundle: string(t.Bundle.Hash()), Path: t.dir, Metrics: map[string]float64{}, Users: m.Data.Users, Items: m.Data.Items, Events: m.Data.Events,
		SetAside: m.Data.SetAside, LogHead: m.Data.LogHead, Epochs: len(t.Train.Curve), BestEpoch: t.Train.Transformer.Best.Number,
		Resumed: t.Resumed, Seconds: t.Seconds, Ranker: t.Ranking.Kind, RankedBy: t.Ranking.From, Choices: t.Ranking.Fitted,
	}
	for _, x := range m.Metrics {
		line.Metrics[x.Part+"_"+x.Name] = x.Value
	}
	if t.verdict != nil {
		line.Promoted, line.Serving, line.Refused = &t.verdict.Promoted, t.verdict.Serving, t.verdict.Refused
	}
	return json.NewEncoder(w).Encode(line)
}

// printTrained says what was made, and what to do next.
func printTrained(w io.Writer, t *trained) error {
	m, hash := t.Bundle.Manifest(), t.Bundle.Hash().Short()
	fmt.Fprintf(w, "model %s: %d events of %d users on %d items, %d set aside; %d epochs, the best was %d; %.1f s\n",
		hash, m.Data.Events, m.Data.Users, m.Data.Items, m.Data.SetAside, len(t.Train.Curve), t.Train.Transformer.Best.Number, t.Seconds)
	if t.Cases > 0 {
		fmt.Fprintf(w, "validation, %d cases: NDCG@10 %.4f, HR@10 %.4f; by popularity alone %.4f, %.4f\n",
			t.Cases, t.Model.NDCG10, t.Model.HR10, t.Popular.NDCG10, t.Popular.HR10)
	} else {
		fmt.Fprintln(w, "validation: none, nobody came back for something new")
	}
	printRanking(w, &t.Ranking)
	if t.dir != "" {
		fmt.Fprintln(w, "written to", t.dir)
	}
	if t.addr == "" {
		_, err := fmt.Fprintf(w, "send it to a service: kindred models upload %s --addr HOST:PORT\n", filepath.Clean(t.dir))
		return err
	}
	for _, h := range t.removed {
		fmt.Fprintf(w, "model %s was removed for it\n", short(h))
	}
	var err error
	switch v := t.verdict; {
	case v == nil:
		fmt.Fprintf(w, "compare it with what serves: kindred models evaluate %s --addr %s\n", hash, t.addr)
		_, err = fmt.Fprintf(w, "have it serve: kindred models promote %s --addr %s\n", hash, t.addr)
	case !v.Promoted:
		_, err = fmt.Fprintf(w, "it is kept and does not serve; promote it all the same: kindred models promote %s --force --addr %s\n", hash, t.addr)
	case v.Serving:
		_, err = fmt.Fprintf(w, "it serves (generation %s); go back: kindred models rollback --addr %s\n", v.Generation, t.addr)
	default:
		_, err = fmt.Fprintf(w, "it is promoted and being built: kindred models list --addr %s\n", t.addr)
	}
	return err
}
