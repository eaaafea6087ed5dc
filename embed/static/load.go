package static

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/kindred-rec/kindred/embed/static/internal/rowsum"
	"github.com/kindred-rec/kindred/embed/wordpiece"
)

// The files of a table and the bounds within which they are read.
const (
	WeightsFile = "model.safetensors"
	VocabFile   = "vocab.txt"

	MaxWeightsBytes = 1 << 30
	MaxVocabBytes   = 64 << 20
	MaxDim          = 1 << 14
)

// ErrFormat is wrapped by every error about the content of a table's files. The
// error names the file, the tensor and what is wrong with it.
var ErrFormat = errors.New("static: bad table")

// LoadDir loads the table in the folder dir, and names the model like the folder.
func LoadDir(dir string) (*Encoder, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("static: table %q: %w", dir, err)
	}
	return Load(os.DirFS(dir), filepath.Base(abs))
}

// Load loads the table whose two files, [WeightsFile] and [VocabFile], lie at the
// root of fsys. Name is the model's title in [embed.Info]; a hash of both files
// follows it there. An error about a file's content wraps [ErrFormat] or, for the
// vocabulary, [wordpiece.ErrVocabulary].
func Load(fsys fs.FS, name string) (*Encoder, error) {
	weights, err := readBounded(fsys, WeightsFile, MaxWeightsBytes)
	if err != nil {
		return nil, err
	}
	vocab, err := readBounded(fsys, VocabFile, MaxVocabBytes)
	if err != nil {
		return nil, err
	}
	return parse(name, weights, vocab)
}

func readBounded(fsys fs.FS, name string, bound int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("static: open table: %w", err)
	}
	defer f.Close()
	var content bytes.Buffer
	if stat, err := f.Stat(); err == nil && stat.Size() < bound {
		content.Grow(int(stat.Size()) + bytes.MinRead)
	}
	if _, err := content.ReadFrom(io.LimitReader(f, bound+1)); err != nil {
		return nil, fmt.Errorf("static: read %s: %w", name, err)
	}
	if int64(content.Len()) > bound {
		return nil, fmt.Errorf("%w: %s is larger than %d bytes", ErrFormat, name, bound)
	}
	return content.Bytes(), nil
}

// parse makes an encoder of the content of the two files. It keeps weights, which
// must not change afterwards.
func parse(name string, weights, vocabText []byte) (*Encoder, error) {
	vocab, err := wordpiece.ReadVocabulary(bytes.NewReader(vocabText))
	if err != nil {
		return nil, fmt.Errorf("static: %s: %w", VocabFile, err)
	}
	table, err := parseTable(weights)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, WeightsFile, err)
	}
	if rows := len(table.Scales); rows != vocab.Len() {
		return nil, fmt.Errorf("%w: %s has %d rows and %s has %d tokens; take both from the same model",
			ErrFormat, WeightsFile, rows, VocabFile, vocab.Len())
	}
	return newEncoder(name, contentHash(weights, vocabText), vocab, table)
}

// contentHash is 64 bits of the hash of both files' hashes: enough to tell models
// apart, short enough to read.
func contentHash(files ...[]byte) string {
	all := sha256.New()
	for _, file := range files {
		sum := sha256.Sum256(file)
		all.Write(sum[:])
	}
	return fmt.Sprintf("%x", all.Sum(nil)[:8])
}

func parseTable(weights []byte) (rowsum.Table, error) {
	tensors, err := parseSafetensors(weights)
	if err != nil {
		return rowsum.Table{}, err
	}
	rows, err := tensors.take("table", "I8", 2)
	if err != nil {
		return rowsum.Table{}, err
	}
	scale, err := tensors.take("scale", "F32", 1)
	if err != nil {
		return rowsum.Table{}, err
	}
	if scale.Shape[0] != rows.Shape[0] || rows.Shape[1] < 1 || rows.Shape[1] > MaxDim {
		return rowsum.Table{}, fmt.Errorf("tensor \"table\" is %d and tensor \"scale\" is %d; want [tokens, dim] with dim from 1 to %d, and [tokens]", rows.Shape, scale.Shape, MaxDim)
	}
	table := rowsum.Table{Dim: rows.Shape[1], Rows: rows.bytes, Scales: scale.float32s()}
	for i, s := range table.Scales {
		if s < 0 || math.IsNaN(float64(s)) || s > maxScale {
			return rowsum.Table{}, fmt.Errorf("tensor \"scale\" is %g at row %d; want 0 to %g", s, i, float32(maxScale))
		}
	}
	return table, nil
}

// maxScale keeps the length of the longest text's sum within a float32.
const maxScale = 1e10
