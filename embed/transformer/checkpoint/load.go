package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Settings override what a model's files say. The zero value takes the files' word.
type Settings struct {
	// Pooling is needed where the folder has no modules.json.
	Pooling Pooling

	// MaxTokens is how many tokens of a text are read, special ones included; 0 is
	// what the files say, or else as many as the model has positions for. The error
	// names both if it is larger than that.
	MaxTokens int
}

// Model is an encoder as it lies in a folder, without its tokenizer.
type Model struct {
	Name    string // the folder's name
	Hash    string // 16 hexadecimal digits over the content that decides on vectors
	Config  Config
	Pooling Pooling

	// MaxTokens is how many tokens of a text are read, special ones included.
	MaxTokens int

	// Prompts are texts that are put before a text, by the name of their use, such
	// as "query". DefaultPrompt is the one put before texts unless told otherwise;
	// "" is none.
	Prompts       map[string]string
	DefaultPrompt string

	Weights *Weights
}

// Bounds of the small files.
const maxSettingsBytes = 1 << 20

// WeightsFile is the name of the file of weights.
const WeightsFile = "model.safetensors"

// Load reads the model in the folder dir. Errors about content wrap [ErrFormat] or
// [ErrUnsupported] and name the file.
func Load(dir string, s Settings) (*Model, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	m := &Model{Name: filepath.Base(abs)}
	sum := sha256.New()
	content, err := readSmall(dir, "config.json")
	if err != nil {
		return nil, err
	}
	if m.Config, err = ParseConfig(content); err != nil {
		return nil, err
	}
	if err := m.readPooling(dir, s); err != nil {
		return nil, err
	}
	if err := m.readMaxTokens(dir, s); err != nil {
		return nil, err
	}
	if err := m.readPrompts(dir); err != nil {
		return nil, err
	}
	fmt.Fprintf(sum, "%+v %s %d ", m.Config, m.Pooling, m.MaxTokens)
	for _, name := range []string{"tokenizer.json", "vocab.txt", "tokenizer_config.json"} {
		if err := hashFile(sum, dir, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if err := m.readWeights(dir, sum); err != nil {
		return nil, err
	}
	m.Hash = fmt.Sprintf("%x", sum.Sum(nil)[:8])
	return m, nil
}

func readSmall(dir, name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxSettingsBytes+1))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %s: %w", name, err)
	}
	if len(content) > maxSettingsBytes {
		return nil, fmt.Errorf("%w: %s is larger than %d bytes", ErrFormat, name, maxSettingsBytes)
	}
	return content, nil
}

func (m *Model) readPooling(dir string, s Settings) error {
	m.Pooling = s.Pooling
	switch s.Pooling {
	case Mean, CLS, Last:
		return nil
	case PoolingUnset:
	default:
		return fmt.Errorf("checkpoint: pooling %.40q: want mean, cls or last, or none to take the model's", s.Pooling)
	}
	content, err := readSmall(dir, "modules.json")
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s has no modules.json, so it does not say how token vectors are pooled; choose mean, cls or last", ErrFormat, dir)
	}
	if err != nil {
		return err
	}
	folder, err := ParseModules(content)
	if err != nil {
		return err
	}
	if !filepath.IsLocal(folder) {
		return fmt.Errorf("%w: modules.json: the folder %.80q is not inside the model's", ErrFormat, folder)
	}
	if content, err = readSmall(dir, filepath.Join(folder, "config.json")); err != nil {
		return err
	}
	m.Pooling, err = ParsePooling(content)
	return err
}

func (m *Model) readMaxTokens(dir string, s Settings) error {
	most := m.Config.MaxTokens()
	m.MaxTokens = most
	var said struct {
		MaxTokens *int `json:"max_seq_length"`
	}
	switch err := readJSON(dir, "sentence_bert_config.json", &said); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case said.MaxTokens != nil:
		if m.MaxTokens = *said.MaxTokens; m.MaxTokens < 3 || m.MaxTokens > most {
			return fmt.Errorf("%w: sentence_bert_config.json: max_seq_length is %d; want 3 to %d, for which there are positions", ErrFormat, m.MaxTokens, most)
		}
	}
	if s.MaxTokens == 0 {
		return nil
	}
	if s.MaxTokens < 3 || s.MaxTokens > most {
		return fmt.Errorf("checkpoint: MaxTokens is %d; want 3 to %d, for which the model has positions", s.MaxTokens, most)
	}
	m.MaxTokens = s.MaxTokens
	return nil
}

func readJSON(dir, name string, into any) error {
	content, err := readSmall(dir, name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrFormat, name, err)
	}
	return nil
}

func (m *Model) readPrompts(dir string) error {
	var said struct {
		Prompts map[string]string `json:"prompts"`
		Default *string           `json:"default_prompt_name"`
	}
	err := readJSON(dir, "config_sentence_transformers.json", &said)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	m.Prompts = said.Prompts
	if said.Default == nil {
		return nil
	}
	var ok bool
	if m.DefaultPrompt, ok = said.Prompts[*said.Default]; !ok {
		return fmt.Errorf("%w: config_sentence_transformers.json: default_prompt_name %.40q is not among prompts", ErrFormat, *said.Default)
	}
	return nil
}

func (m *Model) readWeights(dir string, sum io.Writer) error {
	f, err := os.Open(filepath.Join(dir, WeightsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("checkpoint: %s has no %s; files of other formats (.bin, .onnx, several shards) are not read: %w", dir, WeightsFile, err)
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	tensors, err := ReadHeader(f, stat.Size())
	if err == nil {
		m.Weights, err = ReadWeights(tensors, m.Config)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, WeightsFile), err)
	}
	if _, err := io.Copy(sum, f); err != nil {
		return fmt.Errorf("checkpoint: %s: %w", WeightsFile, err)
	}
	return nil
}

// hashFile adds the hash of a file, so that where one ends and the next begins counts.
func hashFile(sum io.Writer, dir, name string) error {
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	one := sha256.Sum256(bytes.TrimSpace(content))
	_, err = sum.Write(one[:])
	return err
}
