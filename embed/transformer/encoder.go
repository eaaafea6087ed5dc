package transformer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/internal/batch"
	"github.com/kindred-rec/kindred/embed/transformer/internal/tokens"
)

// MaxBytes is how many bytes of one text are read, its prompt included. It bounds the
// time and memory of one text.
const MaxBytes = 64 << 10

// Options say how a model is used. The zero value takes what the model says, and the
// best backend that there is.
type Options struct {
	// Backend is [Auto], [Go], [XLACPU] or [XLACUDA]; "" is Auto.
	Backend Backend

	// Precision is what products are computed in: [FP32], which "" is too, or on an XLA
	// backend [BF16] or [FP16]. All else, and the vectors, stay float32.
	Precision Precision

	// Plugin is the path of the PJRT plugin for an XLA backend; "" looks for it as
	// [FindPlugin] does. It needs a Backend that is not Auto.
	Plugin string

	// Pooling is needed where the model's folder does not say.
	Pooling checkpoint.Pooling

	// MaxTokens is how many tokens of a text are read, special ones included; 0 is
	// what the model says.
	MaxTokens int

	// Prompt is put before each text, such as "passage: "; "" is the model's default
	// prompt, which most do not have.
	Prompt string

	// Workers is how many goroutines compute and cut texts; 0 is as many as may run
	// at once.
	Workers int

	// Log is told which backend was chosen and why; nil is slog's default.
	Log *slog.Logger
}

// Encoder is a transformer with its tokenizer. It is safe for concurrent use.
type Encoder struct {
	*shared
	words Tokenizer
}

// shared is what encoders with different prompts have in common.
type shared struct {
	info      embed.Info
	backend   Backend
	prompts   map[string]string
	tokenizer *tokens.Tokenizer
	config    checkpoint.Config
	engine    engine
	workers   int
	scratch   sync.Pool // of *window
	counts    counts

	closing sync.RWMutex // read-held by calls under way
	closed  bool
}

// counts are what was done so far.
type counts struct{ texts, empty, truncated, tokens atomic.Int64 }

// Stats are what an encoder has done so far, whatever the prompt.
type Stats struct {
	Texts     int64 // encoded
	Empty     int64 // of those, texts without a token: their rows are zeros
	Truncated int64 // of those, texts whose end was left out
	Tokens    int64 // computed, special tokens included, padding not
	Compiled  int   // shapes that the backend has compiled
}

var (
	_ embed.Encoder  = (*Encoder)(nil)
	_ embed.Measurer = (*Encoder)(nil)
)

// Load loads the model in the folder dir. Errors about its content wrap
// [checkpoint.ErrFormat] or [checkpoint.ErrUnsupported], errors about a backend
// [ErrBackend]. Close releases what the encoder holds.
func Load(dir string, o Options) (*Encoder, error) {
	if o.Workers < 0 {
		return nil, fmt.Errorf("transformer: Workers is %d; want at least 1, or 0 for as many as may run at once", o.Workers)
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	model, err := checkpoint.Load(dir, checkpoint.Settings{Pooling: o.Pooling, MaxTokens: o.MaxTokens})
	if err != nil {
		return nil, fmt.Errorf("transformer: %w", err)
	}
	tokenizer, err := loadTokens(dir, model)
	if err != nil {
		return nil, err
	}
	name := model.Name + "@sha256:" + model.Hash
	if o.short() {
		name += "+" + string(o.Precision) // other vectors, a little
	}
	s := &shared{
		info: embed.Info{Model: name, Dim: model.Config.Hidden,
			MaxTokens: model.MaxTokens, MaxBytes: MaxBytes},
		prompts: model.Prompts, tokenizer: tokenizer, config: model.Config, workers: o.Workers,
	}
	s.scratch.New = func() any { return &window{} }
	if s.engine, s.backend, err = openEngine(model, o); err != nil {
		return nil, err
	}
	prompt := o.Prompt
	if prompt == "" {
		prompt = model.DefaultPrompt
	}
	return s.withPrompt(prompt), nil
}

func (s *shared) withPrompt(prompt string) *Encoder {
	return &Encoder{shared: s, words: newTokenizer(s.tokenizer, prompt)}
}

// WithPrompt returns an encoder of the same model that puts another prompt before each
// text, or none if it is "". Both share weights, counts and [Encoder.Close].
func (e *Encoder) WithPrompt(prompt string) *Encoder { return e.withPrompt(prompt) }

// Prompts are those that the model names, such as "query"; nil if it names none.
func (e *Encoder) Prompts() map[string]string { return maps.Clone(e.prompts) }

// Measure says how much of text Encode reads, the prompt not counted.
func (e *Encoder) Measure(text string) embed.Extent { return e.words.Measure(text) }

// Info describes the model.
func (e *Encoder) Info() embed.Info { return e.info }

// Backend is what computes; never [Auto].
func (e *Encoder) Backend() Backend { return e.backend }

// Config is the architecture.
func (e *Encoder) Config() checkpoint.Config { return e.config }

// Stats returns what was done so far.
func (e *Encoder) Stats() Stats {
	c := &e.counts
	return Stats{Texts: c.texts.Load(), Empty: c.empty.Load(), Truncated: c.truncated.Load(), Tokens: c.tokens.Load(), Compiled: e.engine.compiled()}
}

// WarmUp compiles what texts of up to so many tokens need, so that no caller waits for
// it. Backends that compile nothing return at once.
func (e *Encoder) WarmUp(ctx context.Context, tokens int) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.closing.RUnlock()
	return e.engine.warmUp(ctx, min(max(tokens, 1), e.info.MaxTokens))
}

// Close waits for calls under way and releases the model. Calls after it return
// [embed.ErrUnavailable], a second Close nil.
func (e *Encoder) Close() error {
	e.closing.Lock()
	defer e.closing.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	return e.engine.close()
}

// enter holds off Close until closing is read-unlocked.
func (s *shared) enter() error {
	s.closing.RLock()
	if s.closed {
		s.closing.RUnlock()
		return fmt.Errorf("%w: the encoder was closed", embed.ErrUnavailable)
	}
	return nil
}

// EncodeTokens writes the vectors of texts that are token numbers already, special
// tokens and prompt included, to out, [texts, Dim]. Text i is ids[starts[i]:starts[i+1]],
// from 1 token to [embed.Info.MaxTokens].
func (e *Encoder) EncodeTokens(ctx context.Context, ids []int32, starts []int, out []float32) error {
	if len(starts) == 0 || starts[0] < 0 || starts[len(starts)-1] > len(ids) {
		return fmt.Errorf("transformer: starts %.100v of %d token numbers: want the first of each text, and the end", starts, len(ids))
	}
	texts := batch.Texts{IDs: ids, Starts: starts}
	if err := e.info.CheckShape(texts.Len(), len(out)); err != nil {
		return err
	}
	for i := range texts.Len() {
		if n := starts[i+1] - starts[i]; n < 1 || n > e.info.MaxTokens {
			return fmt.Errorf("transformer: text %d has %d tokens; want 1 to %d", i, n, e.info.MaxTokens)
		}
	}
	for _, id := range ids {
		if id < 0 || int(id) >= e.config.Vocab {
			return fmt.Errorf("transformer: token %d; want 0 to %d", id, e.config.Vocab-1)
		}
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.closing.RUnlock()
	if err := e.engine.encode(ctx, texts, out); err != nil {
		return e.describe(err)
	}
	normalizeRows(out, e.info.Dim)
	e.counts.texts.Add(int64(texts.Len()))
	e.counts.tokens.Add(int64(starts[texts.Len()] - starts[0]))
	return nil
}

func (s *shared) describe(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("transformer: stopped: %w", err)
	}
	return fmt.Errorf("transformer: backend %s: %w", s.backend, err)
}

// normalizeRows scales rows to unit length; what has none becomes zeros.
func normalizeRows(rows []float32, dim int) {
	for ; len(rows) > 0; rows = rows[dim:] {
		var sum float64
		for _, x := range rows[:dim] {
			sum += float64(x) * float64(x)
		}
		if !(sum > 0) || math.IsInf(sum, 1) {
			clear(rows[:dim])
			continue
		}
		by := float32(1 / math.Sqrt(sum))
		for i := range rows[:dim] {
			rows[i] *= by
		}
	}
}
