package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/batch"
	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/hub"
)

// ModelConfig names a model and what computes it.
type ModelConfig struct {
	// Name is "static", a folder, or owner/model on the hub. Default static.
	Name string
	// Backend of a transformer: auto, go, xla:cpu or xla:cuda. Default auto.
	Backend string
	// Precision of a transformer's products: fp32 (default), or bf16 or fp16 with XLA.
	Precision string
	// MaxTokens is how many tokens of a text a transformer reads. Default what the
	// model says.
	MaxTokens int
	// Revision is a branch, tag or commit on the hub. Default main. Offline forbids the
	// network: the model must be on this machine.
	Revision string
	Offline  bool
	Log      *slog.Logger
}

// Model is a loaded encoder.
type Model struct {
	Encoder embed.Encoder
	// Backend is what computes.
	Backend string
	// Light: a text costs about a microsecond, so that many runners pay.
	Light bool
	// QueryPrompt and DocumentPrompt are those that the model was trained with; mostly
	// none.
	QueryPrompt, DocumentPrompt string
	// Compiled is how many shapes the encoder compiled by itself.
	Compiled func() int
	// Close releases it, after its last call.
	Close func() error
}

// ErrModel is wrapped by errors about which model to load. The error says what there is.
var ErrModel = errors.New("model cannot be loaded")

// Load loads a model: the embedded table for "static"; from a folder a transformer if it has
// a config.json, or else a static table; otherwise a transformer of the hub.
func Load(ctx context.Context, c ModelConfig) (*Model, error) {
	if _, err := transformer.ParseBackend(c.Backend); c.Backend != "" && err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	if c.Name == "" || c.Name == "static" {
		e, err := static.Default()
		return c.table(e, err)
	}
	_, err := os.Stat(filepath.Join(c.Name, "config.json"))
	if stat, dirErr := os.Stat(c.Name); dirErr == nil && stat.IsDir() && errors.Is(err, fs.ErrNotExist) {
		e, err := static.LoadDir(c.Name)
		return c.table(e, err)
	}
	return c.transformer(ctx)
}

func (c ModelConfig) table(e *static.Encoder, err error) (*Model, error) {
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrModel, c.Name, err)
	}
	if b := transformer.Backend(c.Backend); b != "" && b != transformer.Auto && b != transformer.Go {
		return nil, fmt.Errorf("%w: %s is a static table, which the backend %s cannot compute: use auto or go", ErrModel, c.Name, b)
	}
	return &Model{
		Encoder: e, Backend: string(transformer.Go), Light: true,
		Compiled: func() int { return 0 }, Close: func() error { return nil },
	}, nil
}

func (c ModelConfig) transformer(ctx context.Context) (*Model, error) {
	e, err := transformer.Open(ctx, c.Name, hub.Source{Revision: c.Revision, Offline: c.Offline},
		transformer.Options{Backend: transformer.Backend(c.Backend), Precision: transformer.Precision(c.Precision), MaxTokens: c.MaxTokens, Log: c.Log})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	model := &Model{
		Encoder: transformerEncoder{e}, Backend: string(e.Backend()),
		Compiled: func() int { return e.Stats().Compiled }, Close: e.Close,
	}
	// Which prompt goes before a text depends on its kind, which the worker knows: it puts
	// them before the texts. A model that names none of these keeps its default prompt.
	prompts := e.Prompts()
	model.QueryPrompt, model.DocumentPrompt = prompts["query"], cmp.Or(prompts["document"], prompts["passage"])
	if model.QueryPrompt != "" || model.DocumentPrompt != "" {
		model.Encoder = transformerEncoder{e.WithPrompt("")}
	}
	return model, nil
}

// transformerEncoder says of lack of memory what the batcher understands.
type transformerEncoder struct{ *transformer.Encoder }

// Encode implements embed.Encoder.
func (e transformerEncoder) Encode(ctx context.Context, texts []string, out []float32) error {
	err := e.Encoder.Encode(ctx, texts, out)
	// XLA's plugins tell it by the name of its status alone.
	if err != nil && strings.Contains(err.Error(), "RESOURCE_EXHAUSTED") {
		return fmt.Errorf("%w: %w", batch.ErrOutOfMemory, err)
	}
	return err
}
