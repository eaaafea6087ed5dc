package teacher

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kindred-rec/kindred/embed/static"
	"github.com/kindred-rec/kindred/embed/wordpiece"
)

// ErrVocabulary: a static table cannot read text as the model does.
var ErrVocabulary = errors.New("teacher: a static table needs an uncased WordPiece vocabulary")

// tokenizerFile is what counts of a tokenizer.json.
type tokenizerFile struct {
	Normalizer *struct {
		Type  string `json:"type"`
		Lower *bool  `json:"lowercase"`
		Strip *bool  `json:"strip_accents"`
	} `json:"normalizer"`
	Model struct {
		Type  string          `json:"type"`
		Vocab json.RawMessage `json:"vocab"`
	} `json:"model"`
}

// Vocabulary reads the vocabulary of the model in the folder dir, from vocab.txt or
// tokenizer.json, and checks that embed/static reads text as the model does. Errors
// about that wrap [ErrVocabulary].
func Vocabulary(dir string) (*wordpiece.Vocabulary, error) {
	content, err := read(dir, "tokenizer.json")
	switch {
	case err == nil:
		return fromTokenizer(dir, content)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if content, err = read(dir, static.VocabFile); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, absent(dir, err)
	}
	if err := checkLower(dir); err != nil {
		return nil, err
	}
	return fromLines(content)
}

func read(dir, name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("teacher: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, static.MaxVocabBytes+1))
	if err != nil {
		return nil, fmt.Errorf("teacher: %w", err)
	}
	if len(content) > static.MaxVocabBytes {
		return nil, fmt.Errorf("%w: %s is larger than %d bytes", ErrVocabulary, f.Name(), static.MaxVocabBytes)
	}
	return content, nil
}

// absent says what the folder has instead of a vocabulary.
func absent(dir string, err error) error {
	for _, name := range []string{"sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "merges.txt"} {
		if _, statErr := os.Stat(filepath.Join(dir, name)); statErr == nil {
			return fmt.Errorf("%w: %s has %s, a SentencePiece or BPE vocabulary; take a teacher of the BERT family", ErrVocabulary, dir, name)
		}
	}
	return fmt.Errorf("%s has neither tokenizer.json nor %s: %w", dir, static.VocabFile, err)
}

func fromTokenizer(dir string, content []byte) (*wordpiece.Vocabulary, error) {
	var f tokenizerFile
	if err := json.Unmarshal(content, &f); err != nil {
		return nil, fmt.Errorf("%w: tokenizer.json: %w", ErrVocabulary, err)
	}
	n := f.Normalizer
	switch {
	case f.Model.Type != "WordPiece":
		return nil, fmt.Errorf("%w: tokenizer.json of %s has a model of type %.40q; take a teacher of the BERT family", ErrVocabulary, dir, f.Model.Type)
	case n == nil || n.Type != "BertNormalizer":
		return nil, fmt.Errorf("%w: tokenizer.json of %s has no BertNormalizer", ErrVocabulary, dir)
	case n.Lower != nil && !*n.Lower:
		return nil, fmt.Errorf("%w: tokenizer.json of %s keeps capital letters; take the uncased model", ErrVocabulary, dir)
	case n.Strip != nil && !*n.Strip:
		return nil, fmt.Errorf("%w: tokenizer.json of %s keeps accents; take the uncased model", ErrVocabulary, dir)
	}
	var numbers map[string]int32
	if err := json.Unmarshal(f.Model.Vocab, &numbers); err != nil {
		return nil, fmt.Errorf("%w: tokenizer.json: vocab: %w", ErrVocabulary, err)
	}
	tokens := make([]string, len(numbers))
	for token, id := range numbers {
		if id < 0 || int(id) >= len(tokens) || tokens[id] != "" {
			return nil, fmt.Errorf("%w: tokenizer.json: token %.40q has number %d; want each from 0 to %d once", ErrVocabulary, token, id, len(tokens)-1)
		}
		tokens[id] = token
	}
	return fromTokens(tokens)
}

func fromTokens(tokens []string) (*wordpiece.Vocabulary, error) {
	vocab, err := wordpiece.NewVocabulary(tokens)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrVocabulary, err)
	}
	return vocab, nil
}

func fromLines(content []byte) (*wordpiece.Vocabulary, error) {
	vocab, err := wordpiece.ReadVocabulary(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrVocabulary, static.VocabFile, err)
	}
	return vocab, nil
}

// checkLower reads whether a model with a vocab.txt alone is uncased.
func checkLower(dir string) error {
	var settings struct {
		Lower *bool `json:"do_lower_case"`
		Strip *bool `json:"strip_accents"`
	}
	content, err := read(dir, "tokenizer_config.json")
	if err != nil {
		return fmt.Errorf("%w: whether the model is uncased must stand in tokenizer_config.json, since there is no tokenizer.json: %w", ErrVocabulary, err)
	}
	if err := json.Unmarshal(content, &settings); err != nil {
		return fmt.Errorf("%w: tokenizer_config.json: %w", ErrVocabulary, err)
	}
	if settings.Lower == nil || !*settings.Lower || settings.Strip != nil && !*settings.Strip {
		return fmt.Errorf("%w: tokenizer_config.json of %s does not say do_lower_case, or keeps accents; take the uncased model", ErrVocabulary, dir)
	}
	return nil
}
