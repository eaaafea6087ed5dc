package encodebench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/hub"
)

// Options say what is measured.
type Options struct {
	Model     string                // "static", or a folder, or a model of the hub
	Backend   transformer.Backend   // what computes a transformer
	Precision transformer.Precision // of its products; "" is fp32
	Plugin    string                // PJRT plugin, if not at the usual places
	Pooling   checkpoint.Pooling    // where the model's files do not say
	Prompt    string                // before each text
	Shapes    []string              // such as "32x64": batch by tokens; used without Texts
	Texts     string                // file of texts, one a line
	Out       string                // npy file for the texts' vectors; "" keeps none
	Seconds   float64               // that each shape is measured for
	Hub       hub.Source            // where Model is not a folder
	Log       *slog.Logger          // nil is slog's default

	// Progress is told what is done and which share of it, 0 to 1; nil for nobody.
	Progress func(what string, share float64)
}

// Line is what is printed for a shape, or for a file of texts.
type Line struct {
	Encoder   string  `json:"encoder"`
	Backend   string  `json:"backend"`
	Batch     int     `json:"batch"`
	Tokens    int     `json:"tokens"`
	TextsPerS float64 `json:"texts_per_s"`
	Gflops    float64 `json:"gflop_per_s"`

	// For a file of texts: Batch is 0 and Tokens are all texts'.
	Texts     int `json:"texts,omitempty"`
	Truncated int `json:"truncated,omitempty"`
	Empty     int `json:"empty,omitempty"`
}

// Run measures and writes a JSON line for each shape, or one for the texts.
func Run(ctx context.Context, o Options, out io.Writer) error {
	if o.Progress == nil {
		o.Progress = func(string, float64) {}
	}
	if o.Out != "" && o.Texts == "" {
		return fmt.Errorf("--out keeps the vectors of texts; name their file with --texts")
	}
	if o.Model == "static" {
		return runStatic(ctx, o, out)
	}
	enc, err := transformer.Open(ctx, o.Model, o.Hub, transformer.Options{Backend: o.Backend, Precision: o.Precision, Plugin: o.Plugin, Pooling: o.Pooling, Prompt: o.Prompt, Log: o.Log})
	if err != nil {
		return err
	}
	defer enc.Close()
	if o.Texts != "" {
		return runTransformer(ctx, o, enc, out)
	}
	for i, text := range o.Shapes {
		batch, tokens, err := parseShape(text, enc.Info().MaxTokens)
		if err != nil {
			return err
		}
		o.Progress("measuring "+text, float64(i)/float64(len(o.Shapes)))
		line, err := runShape(ctx, o, enc, batch, tokens)
		if err != nil {
			return err
		}
		if err := write(out, line); err != nil {
			return err
		}
	}
	return nil
}

func write(out io.Writer, line Line) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = out.Write(append(text, '\n'))
	return err
}

// parseShape reads "32x64".
func parseShape(text string, most int) (batch, tokens int, err error) {
	left, right, _ := strings.Cut(text, "x")
	batch, err1 := strconv.Atoi(left)
	tokens, err2 := strconv.Atoi(right)
	if err1 != nil || err2 != nil || batch < 1 || batch > maxBatch || tokens < 1 {
		return 0, 0, fmt.Errorf("--shapes %q: want batch x tokens, such as 32x64, with a batch of 1 to %d", text, maxBatch)
	}
	if most > 0 && tokens > most {
		return 0, 0, fmt.Errorf("--shapes %q: the model reads at most %d tokens", text, most)
	}
	return batch, tokens, nil
}

// maxBatch bounds the memory of a shape.
const maxBatch = 4096

func runStatic(ctx context.Context, o Options, out io.Writer) error {
	enc, err := static.Default()
	if err != nil {
		return err
	}
	if o.Texts != "" {
		texts, err := warm(ctx, o, enc)
		if err != nil {
			return err
		}
		line, err := runTexts(ctx, o, enc, texts)
		if err != nil {
			return err
		}
		return write(out, line)
	}
	for _, text := range o.Shapes {
		batch, tokens, err := parseShape(text, 0)
		if err != nil {
			return err
		}
		line, err := runWords(ctx, o, enc, batch, tokens)
		if err != nil {
			return err
		}
		if err := write(out, line); err != nil {
			return err
		}
	}
	return nil
}

// runWords measures a static encoder, which takes texts alone, with texts of so many
// words of one token.
func runWords(ctx context.Context, o Options, enc *static.Encoder, batch, tokens int) (Line, error) {
	texts := make([]string, batch)
	for i := range texts {
		texts[i] = strings.TrimSpace(strings.Repeat("paper ", tokens))
	}
	rows := make([]float32, batch*enc.Info().Dim)
	rate, err := timed(ctx, o.Seconds, func() error { return enc.Encode(ctx, texts, rows) })
	return Line{Encoder: enc.Info().Model, Backend: "go", Batch: batch, Tokens: tokens, TextsPerS: round(rate * float64(batch))}, err
}

// timed gives how often a second run can run, after it ran once.
func timed(ctx context.Context, seconds float64, run func() error) (rate float64, err error) {
	if err := run(); err != nil {
		return 0, err
	}
	start := time.Now()
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := run(); err != nil {
			return 0, err
		}
		if spent := time.Since(start).Seconds(); spent >= seconds {
			return float64(n) / spent, nil
		}
	}
}

func round(x float64) float64 { return float64(int64(x*10+0.5)) / 10 }

// name is the encoder's model.
func name(enc embed.Encoder) string { return enc.Info().Model }
