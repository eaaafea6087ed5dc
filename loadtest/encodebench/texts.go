package encodebench

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/google/renameio"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/transformer"
)

// warmTexts are encoded before the clock starts.
const warmTexts = 64

// stepTexts are encoded in one call, so that progress can be told.
const stepTexts = 1 << 14

// warm reads the texts and encodes a few.
func warm(ctx context.Context, o Options, enc embed.Encoder) ([]string, error) {
	texts, err := readLines(o.Texts)
	if err != nil {
		return nil, err
	}
	few := texts[:min(warmTexts, len(texts))]
	return texts, enc.Encode(ctx, few, make([]float32, len(few)*enc.Info().Dim))
}

// runTransformer measures a file of texts and counts their tokens.
func runTransformer(ctx context.Context, o Options, enc *transformer.Encoder, out io.Writer) error {
	o.Progress("compiling", 0)
	if err := enc.WarmUp(ctx, enc.Info().MaxTokens); err != nil {
		return err
	}
	texts, err := warm(ctx, o, enc)
	if err != nil {
		return err
	}
	before := enc.Stats()
	line, err := runTexts(ctx, o, enc, texts)
	if err != nil {
		return err
	}
	after := enc.Stats()
	line.Backend = string(enc.Backend())
	line.Tokens, line.Truncated = int(after.Tokens-before.Tokens), int(after.Truncated-before.Truncated)
	line.Gflops = round(flops(enc, texts, line) * line.TextsPerS / float64(len(texts)) / 1e9)
	return write(out, line)
}

// flops are those that all texts need. What a text has beside its own tokens, special
// ones and a prompt, is the same for all that are not cut.
func flops(enc *transformer.Encoder, texts []string, line Line) (sum float64) {
	own := 0
	lengths := make([]int, len(texts))
	for i, text := range texts {
		lengths[i] = enc.Measure(text).Tokens
		own += lengths[i]
	}
	beside := (line.Tokens - own) / max(1, len(texts)-line.Empty)
	for _, n := range lengths {
		if n > 0 {
			sum += enc.Config().Flops(1, n+beside)
		}
	}
	return sum
}

// runTexts measures a file of texts, everything included but reading the file.
func runTexts(ctx context.Context, o Options, enc embed.Encoder, texts []string) (Line, error) {
	dim := enc.Info().Dim
	rows := make([]float32, len(texts)*dim)
	start := time.Now()
	for first := 0; first < len(texts); first += stepTexts {
		o.Progress("encoding", float64(first)/float64(len(texts)))
		last := min(first+stepTexts, len(texts))
		if err := enc.Encode(ctx, texts[first:last], rows[first*dim:last*dim]); err != nil {
			return Line{}, err
		}
	}
	line := Line{Encoder: name(enc), Backend: "go", Texts: len(texts), TextsPerS: round(float64(len(texts)) / time.Since(start).Seconds())}
	for i := range texts {
		if isZero(rows[i*dim : (i+1)*dim]) {
			line.Empty++
		}
	}
	if o.Out == "" {
		return line, nil
	}
	return line, writeRows(o.Out, rows, dim)
}

func isZero(row []float32) bool {
	for _, x := range row {
		if x != 0 {
			return false
		}
	}
	return true
}

// maxLineBytes bounds one text.
const maxLineBytes = 64 << 20

func readLines(path string) (texts []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLineBytes)
	for lines.Scan() {
		texts = append(texts, strings.TrimSuffix(lines.Text(), "\r"))
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: line %d: %w", path, len(texts)+1, err)
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s holds no text; want one a line", path)
	}
	return texts, nil
}

// writeRows writes [texts, dim] float32 as npy, whole or not at all.
func writeRows(path string, rows []float32, dim int) error {
	f, err := renameio.TempFile("", path)
	if err != nil {
		return err
	}
	defer f.Cleanup()
	w := bufio.NewWriterSize(f, 1<<16)
	if _, err := w.WriteString(npyHeader(len(rows)/dim, dim)); err != nil {
		return err
	}
	if err := binary.Write(w, binary.LittleEndian, rows); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

// npyHeader is what stands before the elements of [rows, columns] float32. The library
// that reads npy here writes no such matrix.
func npyHeader(rows, columns int) string {
	const prefix, align = 10, 64
	text := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, columns)
	for (prefix+len(text)+1)%align != 0 {
		text += " "
	}
	text += "\n"
	return "\x93NUMPY\x01\x00" + string([]byte{byte(len(text)), byte(len(text) >> 8)}) + text
}
