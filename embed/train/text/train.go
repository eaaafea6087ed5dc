package text

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"

	"github.com/kindred-rec/kindred/embed/train/text/internal/corpus"
	"github.com/kindred-rec/kindred/embed/train/text/internal/network"
	"github.com/kindred-rec/kindred/embed/train/text/internal/state"
	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// Objective is what a model is trained for: [Contrastive] or [Regression].
type Objective interface {
	prepare(transformer.Tokenizer, Options) (task, error)
}

// encoder gives the vectors of texts of the corpus, [texts, hidden], as they are now.
type encoder func(ctx context.Context, texts []int32) ([]float32, error)

// task is an objective with its examples, by number.
type task interface {
	corpus() *corpus.Corpus
	loss() network.Loss
	head(hidden int) []network.Parameter
	start(context.Context, encoder) (head [][]float32, err error) // once, before the first epoch
	left() int                                                    // examples that are left out
	most() int                                                    // texts of a batch at most
	begin(ctx context.Context, epoch int, dir string, encode encoder) error
	order(epoch int) (batches [][]int) // of one epoch
	texts(batch []int) []int32         // each once
	inputs(batch []int, rows map[int32]int32) []network.Input
	judges() bool
	judge(ctx context.Context, encode encoder, head [][]float32) (float64, error) // the larger, the better
	export(dir string, head [][]float32) error
	hash(hash.Hash)
}

// Epoch is one point of a curve. Epoch 0 is the model before training.
type Epoch struct {
	Epoch  int
	Step   int     // steps done
	Loss   float64 // mean of the epoch's steps
	Figure float64 // on Dev: recall@10 or Pearson's r; 0 without Dev
}

// Result is what a run came to.
type Result struct {
	Curve    []Epoch
	Best     int // the epoch whose weights were exported; 0 is the model as it was
	Steps    int
	Skipped  int // examples that teach nothing
	Compiled int // programs that the backend compiled in this process
	Backend  transformer.Backend
}

// Train trains the model in the folder from and writes the best of its epochs to the
// folder to, which [transformer.Load] reads. Both may not be the same.
//
// Errors wrap [ErrOptions], [ErrExamples], [ErrState], [ErrDiverged],
// [transformer.ErrBackend], those of [checkpoint.Load], or the context's. When the context
// is done, the state is saved first, if the options name a folder for it.
func Train(ctx context.Context, from, to string, objective Objective, o Options) (Result, error) {
	r, err := prepare(from, to, objective, o)
	if err != nil {
		return Result{}, err
	}
	defer r.network.Close()
	if err = r.resume(ctx); err == nil {
		err = r.train(ctx)
	}
	return r.result(), err
}

// run is one training.
type run struct {
	from, to string
	options  Options
	model    *checkpoint.Model
	task     task
	network  *network.Network
	planner  *corpus.Planner
	parts    bool // batches are computed in parts
	backend  transformer.Backend
	stands   stand
}

// stand is where a run stands; it is kept with the state.
type stand struct {
	Run   string // fingerprint of what the run is made of
	Epoch int    // being trained, from 1
	Batch int    // of the epoch, to be trained next
	Step  int    // done
	Loss  float64
	Curve []Epoch
	Best  int
	Done  bool
}

func prepare(from, to string, objective Objective, o Options) (*run, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a, errA := filepath.Abs(from)
	b, errB := filepath.Abs(to)
	if err := errors.Join(errA, errB); err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
	if a == b {
		return nil, fmt.Errorf("%w: the model would be written over itself, in %s; name another folder", ErrOptions, a)
	}
	m, err := checkpoint.Load(from, checkpoint.Settings{MaxTokens: o.MaxTokens})
	if err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
	if err := o.check(m.Config.Layers); err != nil {
		return nil, err
	}
	if o.Prompt == "" {
		o.Prompt = m.DefaultPrompt
	}
	tokenizer, err := transformer.LoadTokenizer(from, m, o.Prompt)
	if err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
	r := &run{from: from, to: to, options: o, model: m}
	if r.task, err = objective.prepare(tokenizer, o); err != nil {
		return nil, err
	}
	r.planner = corpus.NewPlanner(r.task.corpus(), r.task.most(), o.ChunkTexts)
	worst := r.planner.Worst()
	r.parts = len(worst)*worst[0]*r.planner.Rows > o.StepTokens
	return r, r.open()
}

// open moves the model to the backend.
func (r *run) open() error {
	c := network.Config{Freezing: network.Freezing{Embeddings: r.options.FreezeEmbeddings, Layers: r.options.FreezeLayers},
		Head: r.task.head(r.model.Config.Hidden), Loss: r.task.loss(), Dropout: r.options.Dropout, Decay: r.options.Decay,
		Clip: r.options.Clip, Seed: r.options.Seed}
	if a := r.options.Adapter; a != nil {
		c.Adapter = &network.Adapter{Rank: a.Rank, Alpha: a.Alpha, Matrices: a.Matrices}
	}
	if r.options.FreezeLayers == r.model.Config.Layers && len(c.Head) == 0 {
		return fmt.Errorf("%w: FreezeLayers %d is the whole model: nothing would be trained", ErrOptions, r.options.FreezeLayers)
	}
	var b compute.Backend
	var err error
	if b, r.backend, err = openBackend(r.options); err != nil {
		return err
	}
	if r.network, err = network.New(b, r.model, c); err != nil {
		b.Finalize()
	}
	return err
}

// openBackend opens the backend that the options name.
func openBackend(o Options) (compute.Backend, transformer.Backend, error) {
	switch o.Backend {
	case transformer.XLACPU, transformer.XLACUDA:
		b, err := transformer.OpenXLA(o.Backend, o.Plugin)
		return b, o.Backend, err
	case transformer.Go, transformer.Auto, "":
		if o.Plugin != "" {
			return nil, "", fmt.Errorf("%w: a plugin is for xla:cpu or xla:cuda, not for %s: %s", ErrOptions, o.Backend, o.Plugin)
		}
	default:
		return nil, "", fmt.Errorf("%w: Backend is %.40q; want auto, go, xla:cpu or xla:cuda", ErrOptions, o.Backend)
	}
	if o.Backend != transformer.Go {
		for _, name := range []transformer.Backend{transformer.XLACUDA, transformer.XLACPU} {
			b, err := transformer.OpenXLA(name, "")
			if err == nil {
				o.Log.Info("training backend", "chosen", name)
				return b, name, nil
			}
			o.Log.Info("training backend", "not", name, "why", err)
		}
		o.Log.Info("training backend", "chosen", transformer.Go, "why", "there is nothing else; it is slow")
	}
	// One operation after the other: side by side they wait for each other for ever now
	// and then (compute v0.1.2), and a sum's order would change from run to run.
	b, err := gobackend.New("ops_sequential")
	if err != nil {
		return nil, "", fmt.Errorf("%w: go: %w", transformer.ErrBackend, err)
	}
	return b, transformer.Go, nil
}

// fingerprint tells runs apart that may not continue each other.
func (r *run) fingerprint() string {
	o := r.options
	sum := sha256.New()
	fmt.Fprint(sum, r.model.Hash, r.backend, o.Prompt, o.Epochs, o.Batch, o.LearningRate, o.Warmup, o.Decay, o.Clip, o.Dropout, o.HeadRate,
		o.Seed, o.FreezeEmbeddings, o.FreezeLayers, o.ChunkTexts, o.StepTokens, o.Patience)
	if o.Adapter != nil {
		fmt.Fprint(sum, *o.Adapter)
	}
	r.task.hash(sum)
	return fmt.Sprintf("%x", sum.Sum(nil)[:16])
}

// resume goes on where the state says, or begins.
func (r *run) resume(ctx context.Context) error {
	mine := r.fingerprint()
	if dir := r.options.State; dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("text: %w", err)
		}
		s, found, err := state.Load(dir, r.network.Trained(), &r.stands)
		if err != nil {
			return err
		}
		if found {
			if r.stands.Run != mine {
				return fmt.Errorf("%w: %s holds a run of another model, of other examples or options; remove it to begin anew", ErrState, dir)
			}
			return r.network.Restore(s)
		}
	}
	r.stands = stand{Run: mine, Epoch: 1}
	if err := r.forgetNegatives(); err != nil {
		return err
	}
	head, err := r.task.start(ctx, r.encode)
	if err != nil {
		return r.describe(err)
	}
	if err := r.network.SetHead(head); err != nil {
		return err
	}
	return r.describe(r.endEpoch(ctx, 0, 0))
}

// forgetNegatives removes what a run before left, when its state is gone.
func (r *run) forgetNegatives() error {
	if r.options.State == "" {
		return nil
	}
	old, err := filepath.Glob(filepath.Join(r.options.State, "negatives-*"))
	for _, path := range old {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// shuffled are the numbers 0 to n-1 in an order that depends on seed and epoch alone.
func shuffled(seed uint64, epoch, n int) []int {
	return rand.New(rand.NewPCG(seed, uint64(epoch))).Perm(n)
}

func (r *run) result() Result {
	return Result{Curve: r.stands.Curve, Best: r.stands.Best, Steps: r.stands.Step, Skipped: r.task.left(),
		Compiled: r.network.Compiled(), Backend: r.backend}
}
