package static

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/wordpiece"
)

const tinyVocab = "[UNK]\nink\npen\n"

// tinyHeader is of a table of 3 tokens and dimension 2.
const tinyHeader = `{"__metadata__":{"a":"b"},"scale":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"table":{"dtype":"I8","shape":[3,2],"data_offsets":[12,18]}}`

// tinyTensors are scales of 1, 2 and .5 and rows of (0,0), (3,4) and (-8,6).
var tinyTensors = []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0, 0, 0x3f, 0, 0, 3, 4, 0xf8, 6}

func safetensors(header string, content []byte) []byte {
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(file, header...), content...)
}

func folder(weights []byte, vocab string) fstest.MapFS {
	return fstest.MapFS{WeightsFile: {Data: weights}, VocabFile: {Data: []byte(vocab)}}
}

func TestLoadedTableEncodes(t *testing.T) {
	e, err := Load(folder(safetensors(tinyHeader, tinyTensors), tinyVocab), "tiny")
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{.6, .8, -.8, .6, 0, 0, 2 / 11.18034, 11 / 11.18034}
	got := encode(t, e, "ink", "pen pen", "zzz", "ink pen")
	if slices.CompareFunc(got, want, func(a, b float32) int { return int(math.Abs(float64(a-b)) * 1e6) }) != 0 {
		t.Errorf("vectors %v, want %v", got, want)
	}
	if info := e.Info(); info.Dim != 2 || !strings.HasPrefix(info.Model, "tiny@sha256:") || info.MaxBytes != MaxBytes {
		t.Errorf("info %+v", info)
	}
}

func TestModelNameFollowsContent(t *testing.T) {
	changed := slices.Clone(tinyTensors)
	changed[17]++
	var names []string
	for _, f := range []fs.FS{
		folder(safetensors(tinyHeader, tinyTensors), tinyVocab),
		folder(safetensors(tinyHeader, changed), tinyVocab),
		folder(safetensors(tinyHeader, tinyTensors), strings.ReplaceAll(tinyVocab, "pen", "pin")),
	} {
		e, err := Load(f, "tiny")
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(names, e.Info().Model) {
			t.Errorf("two tables are named %s", e.Info().Model)
		}
		names = append(names, e.Info().Model)
	}
}

func TestLoadDirSameAsDefault(t *testing.T) {
	e, err := LoadDir("model")
	if err != nil {
		t.Fatal(err)
	}
	title, hash, _ := strings.Cut(e.Info().Model, "@")
	if _, want, _ := strings.Cut(byDefault(t).Info().Model, "@"); title != "model" || hash != want {
		t.Errorf("model %s, want that of the default", e.Info().Model)
	}
	if err := embed.Verify(t.Context(), e); err != nil {
		t.Error(err)
	}
}

func TestBadTableIsNamed(t *testing.T) {
	replace := func(old, new string) []byte {
		if !strings.Contains(tinyHeader, old) {
			t.Fatalf("header has no %s", old)
		}
		return safetensors(strings.Replace(tinyHeader, old, new, 1), tinyTensors)
	}
	nan, negative := slices.Clone(tinyTensors), slices.Clone(tinyTensors)
	copy(nan[4:], []byte{0, 0, 0xc0, 0x7f})
	negative[7] |= 0x80
	good := safetensors(tinyHeader, tinyTensors)
	for _, c := range []struct {
		name    string
		weights []byte
		vocab   string
		is      error
		want    []string
	}{
		{"an empty file", nil, tinyVocab, ErrFormat, []string{WeightsFile, "truncated"}},
		{"cut in the header", good[:50], tinyVocab, ErrFormat, []string{"truncated"}},
		{"cut in the last tensor", good[:len(good)-1], tinyVocab, ErrFormat, []string{`"table"`, "18 of 17", "truncated"}},
		{"another kind of file", []byte("PK\x03\x04 a zip archive, say"), tinyVocab, ErrFormat, []string{"is it a safetensors file?"}},
		{"a header that is no JSON", safetensors("{", nil), tinyVocab, ErrFormat, []string{"header"}},
		{"a header with a wrong type", replace("[3,2]", `"3,2"`), tinyVocab, ErrFormat, []string{`"table"`}},
		{"no scale", replace(`"scale"`, `"scales"`), tinyVocab, ErrFormat, []string{`"scale" is missing`, "scales, table"}},
		{"no table", replace(`"table"`, `"embeddings"`), tinyVocab, ErrFormat, []string{`"table" is missing`}},
		{"float rows", replace("I8", "F16"), tinyVocab, ErrFormat, []string{`"table"`, "F16", "I8"}},
		{"too many axes", replace("[3,2]", "[3,2,1]"), tinyVocab, ErrFormat, []string{`"table"`, "2 axes"}},
		{"a shape that needs more", replace("[3,2]", "[3,3]"), tinyVocab, ErrFormat, []string{`"table"`, "9 bytes"}},
		{"a shape that overflows", replace("[3,2]", "[2147483647,2147483647]"), tinyVocab, ErrFormat, []string{`"table"`, "shape"}},
		{"a negative shape", replace("[3,2]", "[-3,-2]"), tinyVocab, ErrFormat, []string{`"table"`, "shape"}},
		{"offsets backwards", replace("[12,18]", "[18,12]"), tinyVocab, ErrFormat, []string{`"table"`, "18 to 12"}},
		{"offsets before the start", replace("[12,18]", "[-6,0]"), tinyVocab, ErrFormat, []string{`"table"`, "-6"}},
		{"other numbers of rows", replace(`[3],"data_offsets":[0,12]`, `[2],"data_offsets":[0,8]`), tinyVocab, ErrFormat, []string{`"table"`, `"scale"`}},
		{"no components", replace(`[3,2],"data_offsets":[12,18]`, `[3,0],"data_offsets":[12,12]`), tinyVocab, ErrFormat, []string{"dim"}},
		{"a scale that is no number", safetensors(tinyHeader, nan), tinyVocab, ErrFormat, []string{`"scale"`, "row 1"}},
		{"a negative scale", safetensors(tinyHeader, negative), tinyVocab, ErrFormat, []string{`"scale"`, "row 1"}},
		{"a vocabulary of another model", good, tinyVocab + "desk\n", ErrFormat, []string{"3 rows", "4 tokens"}},
		{"a bad vocabulary", good, "a\nb\nb\n", wordpiece.ErrVocabulary, []string{VocabFile, "line 3"}},
	} {
		_, err := Load(folder(c.weights, c.vocab), "tiny")
		if !errors.Is(err, c.is) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.is)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q does not say %q", c.name, err, want)
			}
		}
	}
}

func TestMissingFileIsNamed(t *testing.T) {
	for _, name := range []string{WeightsFile, VocabFile} {
		f := folder(safetensors(tinyHeader, tinyTensors), tinyVocab)
		delete(f, name)
		if _, err := Load(f, "tiny"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: error %v", name, err)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, VocabFile), []byte(tinyVocab), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadDir(dir); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), WeightsFile) {
		t.Errorf("a folder without weights: error %v", err)
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add(safetensors(tinyHeader, tinyTensors))
	f.Add([]byte("12345678{}"))
	f.Fuzz(func(t *testing.T, file []byte) {
		table, err := parseTable(file)
		if err != nil {
			return
		}
		out, ids := make([]float32, table.Dim), make([]int32, len(table.Scales))
		for i := range ids {
			ids[i] = int32(i)
		}
		table.Sum(out, ids) // panics where a table is not what it says
	})
}
