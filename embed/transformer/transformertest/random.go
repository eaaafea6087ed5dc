// Package transformertest writes small text encoders with random weights, for tests
// that need a model and must not need a download.
package transformertest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// Words are the vocabulary of a random model: special tokens, some words and pieces,
// and the letters and digits, so that most words have pieces.
var Words = words()

func words() []string {
	all := strings.Fields("[PAD] [UNK] [CLS] [SEP] [MASK] desk lamp black paper ink pen gel blue red office chair ##er ##ing query passage naive cafe : . , - # & 中 文")
	for c := 'a'; c <= 'z'; c++ {
		all = append(all, string(c), "##"+string(c))
	}
	for c := '0'; c <= '9'; c++ {
		all = append(all, string(c), "##"+string(c))
	}
	return all
}

// Small is the architecture of a model that computes in microseconds.
var Small = checkpoint.Config{Family: "bert", Vocab: len(Words), Hidden: 32, Layers: 2, Heads: 4, FeedForward: 80, Positions: 64,
	TokenTypes: 2, Epsilon: 1e-12}

// Weights are random weights of an architecture. The same seed gives the same.
func Weights(c checkpoint.Config, seed uint64) *checkpoint.Weights {
	rng := rand.New(rand.NewPCG(seed, 0))
	random := func(n int, around, spread float64) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(around + spread*rng.NormFloat64())
		}
		return x
	}
	linear := func(out, in int) checkpoint.Linear {
		return checkpoint.Linear{Weight: random(out*in, 0, 0.2), Bias: random(out, 0, 0.1)}
	}
	norm := func() checkpoint.Norm {
		return checkpoint.Norm{Scale: random(c.Hidden, 1, 0.1), Shift: random(c.Hidden, 0, 0.1)}
	}
	w := &checkpoint.Weights{Words: random(c.Vocab*c.Hidden, 0, 1), Positions: random(c.Positions*c.Hidden, 0, 0.5),
		TokenTypes: random(c.TokenTypes*c.Hidden, 0, 0.5), Norm: norm()}
	for range c.Layers {
		w.Layers = append(w.Layers, checkpoint.Layer{
			Query: linear(c.Hidden, c.Hidden), Key: linear(c.Hidden, c.Hidden), Value: linear(c.Hidden, c.Hidden),
			Output: linear(c.Hidden, c.Hidden), AttentionNorm: norm(),
			Up: linear(c.FeedForward, c.Hidden), Down: linear(c.Hidden, c.FeedForward), Norm: norm(),
		})
	}
	return w
}

// Write writes a sentence-transformers folder of a BERT with random weights: the
// vocabulary is [Words], the pooling mean, and of a text 32 tokens are read.
func Write(dir string, c checkpoint.Config, seed uint64) error {
	files := map[string]any{
		"config.json": map[string]any{"model_type": c.Family, "vocab_size": c.Vocab, "hidden_size": c.Hidden, "num_hidden_layers": c.Layers,
			"num_attention_heads": c.Heads, "intermediate_size": c.FeedForward, "max_position_embeddings": c.Positions,
			"type_vocab_size": c.TokenTypes, "layer_norm_eps": c.Epsilon, "hidden_act": "gelu", "pad_token_id": max(0, c.FirstPosition-1)},
		"modules.json": []map[string]any{{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
			{"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}},
		"1_Pooling/config.json":             map[string]any{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false},
		"sentence_bert_config.json":         map[string]any{"max_seq_length": 32},
		"config_sentence_transformers.json": map[string]any{"prompts": map[string]string{"query": "query: "}, "default_prompt_name": nil},
		"tokenizer_config.json":             map[string]any{"do_lower_case": true},
	}
	if err := os.MkdirAll(filepath.Join(dir, "1_Pooling"), 0o755); err != nil {
		return err
	}
	for name, content := range files {
		text, err := json.Marshal(content)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "vocab.txt"), []byte(strings.Join(Words, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	return writeWeights(dir, c, seed)
}

func writeWeights(dir string, c checkpoint.Config, seed uint64) error {
	f, err := os.Create(filepath.Join(dir, checkpoint.WeightsFile))
	if err != nil {
		return err
	}
	if err := checkpoint.WriteSafetensors(f, map[string]string{"format": "pt"}, Weights(c, seed).Tensors(c)); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
