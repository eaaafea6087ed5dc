package teacher

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/transformertest"
)

func quiet(string, float64) {}

func small(t *testing.T) (*Teacher, string) {
	t.Helper()
	dir := t.TempDir()
	if err := transformertest.Write(dir, transformertest.Small, 1); err != nil {
		t.Fatal(err)
	}
	return open(t, dir), dir
}

func open(t *testing.T, dir string) *Teacher {
	t.Helper()
	teacher, err := Open(dir, transformer.Options{Backend: transformer.Go, Workers: 2, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { teacher.Close() })
	return teacher
}

// Vectors that come out of a layer norm and are pooled get their length back.
func TestLengthIsFoundAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	const dim = 48
	for range 200 {
		norm := checkpoint.Norm{Scale: make([]float32, dim), Shift: make([]float32, dim)}
		for i := range norm.Scale {
			norm.Scale[i], norm.Shift[i] = float32(1+0.2*r.NormFloat64()), float32(0.2+0.3*r.NormFloat64())
		}
		pooled := make([]float64, dim)
		for range 3 {
			x, mean, square := make([]float64, dim), 0.0, 0.0
			for i := range x {
				x[i] = r.NormFloat64()
				mean += x[i] / dim
			}
			for i := range x {
				x[i] -= mean
				square += x[i] * x[i] / dim
			}
			for i := range x {
				pooled[i] += (x[i]/math.Sqrt(square)*float64(norm.Scale[i]) + float64(norm.Shift[i])) / 3
			}
		}
		length := 0.0
		for _, x := range pooled {
			length += x * x
		}
		length = math.Sqrt(length)
		unit := make([]float32, dim)
		for i, x := range pooled {
			unit[i] = float32(x / length)
		}
		if err := lengthen(unit, norm); err != nil {
			t.Fatal(err)
		}
		for i, x := range pooled {
			if math.Abs(float64(unit[i])-x) > 1e-4*length {
				t.Fatalf("component %d is %g, want %g", i, unit[i], x)
			}
		}
	}
}

func TestRefusesALengthThatIsNotDetermined(t *testing.T) {
	ones := []float32{1, 1, 1, 1}
	for name, norm := range map[string]checkpoint.Norm{
		"no shift":        {Scale: ones, Shift: make([]float32, 4)},
		"shifts cancel":   {Scale: ones, Shift: []float32{1, -1, 1, -1}},
		"a scale of zero": {Scale: []float32{1, 0, 1, 1}, Shift: ones},
		"wrong direction": {Scale: ones, Shift: []float32{-1, -1, -1, -1}},
	} {
		if err := lengthen([]float32{0.5, 0.5, 0.5, 0.5}, norm); !errors.Is(err, ErrLength) {
			t.Errorf("%s: error %v, want ErrLength", name, err)
		}
	}
}

// A token's vector points where the encoder puts the token's text.
func TestTokensPointWhereTheirTextsDo(t *testing.T) {
	teacher, _ := small(t)
	words := []string{"desk", "lamp", "paper", "ink"}
	var ids []int32
	for _, word := range words {
		id, _ := teacher.Vocabulary().ID(word)
		ids = append(ids, id)
	}
	tokens, err := teacher.Tokens(t.Context(), ids, quiet)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := teacher.Texts(t.Context(), words, quiet)
	if err != nil {
		t.Fatal(err)
	}
	dim := teacher.Dim()
	for i, word := range words {
		var dot, square float64
		for d := range dim {
			dot += float64(tokens[i*dim+d]) * float64(texts[i*dim+d])
			square += float64(tokens[i*dim+d]) * float64(tokens[i*dim+d])
		}
		if cosine := dot / math.Sqrt(square); cosine < 1-1e-5 || math.Abs(square-1) < 1e-3 {
			t.Errorf("%s: cosine %.6f, length %.4f; want 1 and a length of its own", word, cosine, math.Sqrt(square))
		}
	}
	if len(teacher.All()) != len(transformertest.Words) {
		t.Errorf("%d tokens, want %d", len(teacher.All()), len(transformertest.Words))
	}
}

func TestCacheGivesTheSameVectorsWithoutTheTeacher(t *testing.T) {
	teacher, _ := small(t)
	cache := Cache{Dir: filepath.Join(t.TempDir(), "cache")}
	texts := []string{"desk lamp", "", "black ink"}
	first, err := cache.Texts(t.Context(), teacher, texts, quiet)
	if err != nil {
		t.Fatal(err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel() // the teacher cannot encode under it
	second, err := cache.Texts(stopped, teacher, texts, quiet)
	if err != nil || !slices.Equal(first, second) {
		t.Errorf("other vectors from the cache, or error %v", err)
	}
	if _, err := cache.Texts(stopped, teacher, []string{"desk", " lamp", "black ink"}, quiet); !errors.Is(err, context.Canceled) {
		t.Errorf("other texts: error %v, want that the teacher is asked", err)
	}
	files, _ := filepath.Glob(filepath.Join(cache.Dir, "*"))
	content, err := os.ReadFile(files[0])
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, error %v; want one", files, err)
	}
	content[5] ^= 1
	if err := os.WriteFile(files[0], content, 0o644); err != nil {
		t.Fatal(err)
	}
	if again, err := cache.Texts(t.Context(), teacher, texts, quiet); err != nil || !slices.Equal(first, again) {
		t.Errorf("a damaged file is not written anew: error %v", err)
	}
}

func TestReadsTheVocabularyOfEitherFile(t *testing.T) {
	_, dir := small(t)
	numbers := map[string]int{}
	for i, word := range transformertest.Words {
		numbers[word] = i
	}
	content, err := json.Marshal(map[string]any{"normalizer": map[string]any{"type": "BertNormalizer", "lowercase": true},
		"model": map[string]any{"type": "WordPiece", "vocab": numbers}})
	if err != nil {
		t.Fatal(err)
	}
	one, err := Vocabulary(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "vocab.txt")), os.WriteFile(filepath.Join(dir, "tokenizer.json"), content, 0o644)); err != nil {
		t.Fatal(err)
	}
	other, err := Vocabulary(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, word := range transformertest.Words {
		if one.Token(int32(i)) != word || other.Token(int32(i)) != word {
			t.Fatalf("token %d is %q and %q, want %q", i, one.Token(int32(i)), other.Token(int32(i)), word)
		}
	}
}

func TestRefusesVocabulariesThatStaticTablesDoNotRead(t *testing.T) {
	for name, try := range map[string]struct {
		files map[string]string
		names string
	}{
		"sentencepiece": {map[string]string{"tokenizer.json": `{"model":{"type":"Unigram","vocab":[["a",0]]}}`}, "Unigram"},
		"bpe":           {map[string]string{"tokenizer.json": `{"model":{"type":"BPE","vocab":{"a":0}}}`}, "BPE"},
		"bpe, old":      {map[string]string{"vocab.json": `{}`, "merges.txt": ""}, "merges.txt"},
		"model file":    {map[string]string{"sentencepiece.bpe.model": "x"}, "sentencepiece"},
		"cased":         {map[string]string{"tokenizer.json": `{"normalizer":{"type":"BertNormalizer","lowercase":false},"model":{"type":"WordPiece","vocab":{"[UNK]":0}}}`}, "capital"},
		"accents":       {map[string]string{"tokenizer.json": `{"normalizer":{"type":"BertNormalizer","strip_accents":false},"model":{"type":"WordPiece","vocab":{"[UNK]":0}}}`}, "accents"},
		"gap":           {map[string]string{"tokenizer.json": `{"normalizer":{"type":"BertNormalizer"},"model":{"type":"WordPiece","vocab":{"[UNK]":2}}}`}, "number 2"},
		"cased, old":    {map[string]string{"vocab.txt": "[UNK]\n", "tokenizer_config.json": `{"do_lower_case":false}`}, "uncased"},
		"not said":      {map[string]string{"vocab.txt": "[UNK]\n"}, "tokenizer_config.json"},
		"no JSON":       {map[string]string{"tokenizer.json": `{`}, "tokenizer.json"},
	} {
		dir := t.TempDir()
		for file, content := range try.files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Open(dir, transformer.Options{}); !errors.Is(err, ErrVocabulary) || !strings.Contains(err.Error(), try.names) {
			t.Errorf("%s: error %v; want ErrVocabulary naming %q", name, err, try.names)
		}
	}
	if _, err := Open(t.TempDir(), transformer.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: error %v, want that a file does not exist", err)
	}
}

func TestHashTellsTextsApart(t *testing.T) {
	seen := map[string]bool{}
	for _, texts := range [][]string{nil, {""}, {"ab"}, {"a", "b"}, {"", "ab"}} {
		seen[Hash("m", texts)] = true
		seen[Hash("n", texts)] = true
	}
	if len(seen) != 10 {
		t.Errorf("%d hashes of 10 lists", len(seen))
	}
}
