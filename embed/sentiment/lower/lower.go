// Package lower loads the first layers of a transformer as an encoder of its own.
//
// # The problem
//
// A transformer that was trained so that its last layer tells what texts are about has,
// by that layer, forgotten much of how they are meant: "a great camera" and "a bad camera"
// lie close together. A few layers below, both are still there. What judges feelings reads
// there, and pays for the layers that it reads alone.
//
// # How to use it
//
//	enc, err := lower.Load("models/all-minilm-l6-v2", 4, transformer.Options{})
//	defer enc.Close()
//
// Load writes the first layers to a temporary folder, loads it and removes it. The encoder's
// name is the folder's with "-lower4" behind it, and the hash of what is left: a head that
// was trained on its vectors is refused by any other.
//
// # Source
//
// Tenney, Das and Pavlick 2019, "BERT Rediscovers the Classical NLP Pipeline", for what
// stands in which layer.
package lower

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/kindred-rec/kindred/embed/transformer"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// beside are the files of a model's folder that are taken over where they exist.
var beside = []string{"vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "modules.json",
	"sentence_bert_config.json", "config_sentence_transformers.json", "1_Pooling/config.json", "vocab.json", "merges.txt"}

// Load loads the first layers, 1 or more, of the transformer in the folder dir; all of them
// gives the same vectors as transformer.Load. The caller closes the encoder. Errors are
// those of transformer.Load, and one that names both numbers if there are fewer layers.
func Load(dir string, layers int, o transformer.Options) (*transformer.Encoder, error) {
	model, err := checkpoint.Load(dir, checkpoint.Settings{Pooling: o.Pooling, MaxTokens: o.MaxTokens})
	if err != nil {
		return nil, err
	}
	if have := len(model.Weights.Layers); layers < 1 || layers > have {
		return nil, fmt.Errorf("lower: %d layers of %s, which has %d; want 1 to %d", layers, dir, have, have)
	}
	parent, err := os.MkdirTemp("", "kindred-lower-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(parent)
	out := filepath.Join(parent, model.Name+"-lower"+strconv.Itoa(layers))
	if err := write(out, dir, model, layers); err != nil {
		return nil, err
	}
	return transformer.Load(out, o)
}

// write writes a folder with the first layers of a model.
func write(out, dir string, model *checkpoint.Model, layers int) error {
	if err := os.MkdirAll(filepath.Join(out, "1_Pooling"), 0o755); err != nil {
		return err
	}
	for _, name := range beside {
		if err := copyFile(filepath.Join(out, name), filepath.Join(dir, name)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	if err := writeConfig(filepath.Join(out, "config.json"), filepath.Join(dir, "config.json"), layers); err != nil {
		return err
	}
	weights, config := *model.Weights, model.Config
	weights.Layers = weights.Layers[:layers]
	config.Layers = layers
	file, err := os.Create(filepath.Join(out, "model.safetensors"))
	if err != nil {
		return err
	}
	if err := checkpoint.WriteSafetensors(file, nil, weights.Tensors(config)); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// writeConfig writes the settings with another number of layers, and all else as it stands.
func writeConfig(out, from string, layers int) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	settings := map[string]json.RawMessage{}
	if err := json.Unmarshal(content, &settings); err != nil {
		return fmt.Errorf("lower: %s: %w", from, err)
	}
	settings["num_hidden_layers"] = json.RawMessage(strconv.Itoa(layers))
	if content, err = json.Marshal(settings); err != nil {
		return err
	}
	return os.WriteFile(out, content, 0o644)
}

func copyFile(out, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	to, err := os.Create(out)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, in); err != nil {
		to.Close()
		return err
	}
	return to.Close()
}
