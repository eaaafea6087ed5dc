package checkpoint_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/transformertest"
)

func write(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := transformertest.Write(dir, transformertest.Small, 7); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWhatWasWrittenIsLoaded(t *testing.T) {
	m, err := checkpoint.Load(write(t), checkpoint.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(transformertest.Small, m.Config); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(transformertest.Weights(transformertest.Small, 7), m.Weights); diff != "" {
		t.Error(diff)
	}
	if m.Pooling != checkpoint.Mean || m.MaxTokens != 32 || m.Prompts["query"] != "query: " || m.DefaultPrompt != "" {
		t.Errorf("pooling %q, %d tokens, prompts %q, default %q", m.Pooling, m.MaxTokens, m.Prompts, m.DefaultPrompt)
	}
}

func TestTheHashFollowsWhatDecidesOnVectors(t *testing.T) {
	dir := write(t)
	hash := func(s checkpoint.Settings) string {
		m, err := checkpoint.Load(dir, s)
		if err != nil {
			t.Fatal(err)
		}
		return m.Hash
	}
	seen := map[string]string{hash(checkpoint.Settings{}): "as it is"}
	if again := hash(checkpoint.Settings{}); seen[again] == "" {
		t.Error("it changes from load to load")
	}
	differs := func(what, h string) {
		if other, twice := seen[h]; twice {
			t.Errorf("%s has the hash of %s", what, other)
		}
		seen[h] = what
	}
	differs("another pooling", hash(checkpoint.Settings{Pooling: checkpoint.CLS}))
	differs("fewer tokens", hash(checkpoint.Settings{MaxTokens: 16}))
	edit(t, filepath.Join(dir, "vocab.txt"), func(b []byte) []byte { return bytes.Replace(b, []byte("desk"), []byte("dusk"), 1) })
	differs("another vocabulary", hash(checkpoint.Settings{}))
	if err := transformertest.Write(dir, transformertest.Small, 8); err != nil {
		t.Fatal(err)
	}
	differs("other weights", hash(checkpoint.Settings{}))
}

func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// set changes keys of a JSON object in a file; nil removes one.
func set(name string, changes map[string]any) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		edit(t, filepath.Join(dir, name), func(content []byte) []byte {
			object := map[string]any{}
			if err := json.Unmarshal(content, &object); err != nil {
				t.Fatal(err)
			}
			maps.Copy(object, changes)
			maps.DeleteFunc(object, func(_ string, v any) bool { return v == nil })
			content, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			return content
		})
	}
}

// tensors rewrites the weights.
func tensors(change func([]checkpoint.Tensor) []checkpoint.Tensor) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		c := transformertest.Small
		var file bytes.Buffer
		if err := checkpoint.WriteSafetensors(&file, nil, change(transformertest.Weights(c, 7).Tensors(c))); err != nil {
			t.Fatal(err)
		}
		edit(t, filepath.Join(dir, checkpoint.WeightsFile), func([]byte) []byte { return file.Bytes() })
	}
}

func named(all []checkpoint.Tensor, name string) *checkpoint.Tensor {
	return &all[slices.IndexFunc(all, func(t checkpoint.Tensor) bool { return t.Name == name })]
}

func TestABrokenModelIsNamed(t *testing.T) {
	const key = "encoder.layer.1.attention.self.key.weight"
	weights := filepath.Join("model.safetensors")
	for name, try := range map[string]struct {
		damage func(t *testing.T, dir string)
		is     error
		says   []string
	}{
		"a missing tensor": {tensors(func(all []checkpoint.Tensor) []checkpoint.Tensor {
			return slices.DeleteFunc(all, func(t checkpoint.Tensor) bool { return t.Name == key })
		}), checkpoint.ErrFormat, []string{weights, key, "[32 32]", "missing"}},
		"a tensor of another shape": {tensors(func(all []checkpoint.Tensor) []checkpoint.Tensor {
			named(all, key).Shape = []int{16, 64}
			return all
		}), checkpoint.ErrFormat, []string{weights, key, "[16 64]", "expected [32 32]"}},
		"a tensor that is not finite": {tensors(func(all []checkpoint.Tensor) []checkpoint.Tensor {
			named(all, key).Data[5] = float32(math.NaN())
			return all
		}), checkpoint.ErrFormat, []string{weights, key, "element 5"}},
		"a truncated file": {func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, weights), func(b []byte) []byte { return b[:len(b)-100] })
		}, checkpoint.ErrFormat, []string{weights, "encoder.layer.1.output", "truncated"}},
		"an empty file": {func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, weights), func(b []byte) []byte { return nil })
		}, checkpoint.ErrFormat, []string{weights, "empty or truncated"}},
		"no weights": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, weights)); err != nil {
				t.Fatal(err)
			}
		}, os.ErrNotExist, []string{weights}},
		"fewer layers than there are": {set("config.json", map[string]any{"num_hidden_layers": 1}), checkpoint.ErrFormat, []string{"1 layers", "encoder.layer.1"}},
		"another width":               {set("config.json", map[string]any{"hidden_size": 64}), checkpoint.ErrFormat, []string{"word_embeddings", fmt.Sprintf("[%d 32]", len(transformertest.Words)), fmt.Sprintf("expected [%d 64]", len(transformertest.Words))}},
		"an unknown architecture":     {set("config.json", map[string]any{"model_type": "t5"}), checkpoint.ErrUnsupported, []string{"t5", "bert"}},
		"another activation":          {set("config.json", map[string]any{"hidden_act": "relu"}), checkpoint.ErrUnsupported, []string{"relu", "gelu"}},
		"relative positions":          {set("config.json", map[string]any{"position_embedding_type": "relative_key"}), checkpoint.ErrUnsupported, []string{"relative_key"}},
		"heads that do not divide":    {set("config.json", map[string]any{"num_attention_heads": 5}), checkpoint.ErrFormat, []string{"32", "5"}},
		"no epsilon":                  {set("config.json", map[string]any{"layer_norm_eps": 0}), checkpoint.ErrFormat, []string{"layer_norm_eps"}},
		"a RoBERTa without padding":   {set("config.json", map[string]any{"model_type": "roberta", "pad_token_id": nil}), checkpoint.ErrFormat, []string{"pad_token_id"}},
		"a pooling by maximum": {set("1_Pooling/config.json", map[string]any{"pooling_mode_mean_tokens": false, "pooling_mode_max_tokens": true}),
			checkpoint.ErrUnsupported, []string{"pooling_mode_max_tokens"}},
		"two poolings": {set("1_Pooling/config.json", map[string]any{"pooling_mode_cls_token": true}), checkpoint.ErrUnsupported, []string{"pooling_mode_cls_token", "pooling_mode_mean_tokens"}},
		"no pooling":   {set("1_Pooling/config.json", map[string]any{"pooling_mode_mean_tokens": false}), checkpoint.ErrFormat, []string{"no pooling"}},
		"more tokens than positions": {set("sentence_bert_config.json", map[string]any{"max_seq_length": 65}), checkpoint.ErrFormat,
			[]string{"65", "64", "max_seq_length"}},
		"a default prompt that is not there": {set("config_sentence_transformers.json", map[string]any{"default_prompt_name": "passage"}), checkpoint.ErrFormat, []string{"passage"}},
		"a step that is not computed": {func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "modules.json"), func(b []byte) []byte { return bytes.Replace(b, []byte("models.Pooling"), []byte("models.Dense"), 1) })
		}, checkpoint.ErrUnsupported, []string{"Dense"}},
		"a pooling outside the model": {func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "modules.json"), func(b []byte) []byte { return bytes.Replace(b, []byte(`"1_Pooling"`), []byte(`"../x"`), 1) })
		}, checkpoint.ErrFormat, []string{"../x"}},
		"no modules": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "modules.json")); err != nil {
				t.Fatal(err)
			}
		}, checkpoint.ErrFormat, []string{"modules.json", "choose"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t)
			try.damage(t, dir)
			_, err := checkpoint.Load(dir, checkpoint.Settings{})
			if !errors.Is(err, try.is) {
				t.Fatalf("got %v, want %v", err, try.is)
			}
			for _, says := range try.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q does not say %q", err, says)
				}
			}
		})
	}
}

// Exports differ: with a family's prefix, with the old names of layer norm, in halves.
func TestOtherExportsAreRead(t *testing.T) {
	c := transformertest.Small
	dir := write(t)
	tensors(func(all []checkpoint.Tensor) []checkpoint.Tensor {
		for i := range all {
			all[i].Name = "bert." + all[i].Name
			if strings.Contains(all[i].Name, "LayerNorm") {
				all[i].Name = strings.NewReplacer("LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias", "LayerNorm.beta").Replace(all[i].Name)
			}
		}
		return append(all, checkpoint.Tensor{Name: "cls.predictions.bias", Shape: []int{1}, Data: []float32{0}})
	})(t, dir)
	m, err := checkpoint.Load(dir, checkpoint.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(transformertest.Weights(c, 7), m.Weights); diff != "" {
		t.Error(diff)
	}
}

func TestHalvesAreWidened(t *testing.T) {
	halves := map[uint16]float32{0x0000: 0, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0400: 1.0 / 16384, 0x0001: 1.0 / (1 << 24), 0x83ff: -1023.0 / (1 << 24), 0x3555: 0.33325195}
	brains := map[uint16]float32{0x0000: 0, 0x3f80: 1, 0xc000: -2, 0x4049: 3.140625}
	for dtype, values := range map[string]map[uint16]float32{"F16": halves, "BF16": brains} {
		var raw []byte
		var want []float32
		for bits, value := range values {
			raw = binary.LittleEndian.AppendUint16(raw, bits)
			want = append(want, value)
		}
		header, err := json.Marshal(map[string]any{"x": map[string]any{"dtype": dtype, "shape": []int{len(want)}, "data_offsets": []int{0, len(raw)}}})
		if err != nil {
			t.Fatal(err)
		}
		file := append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), raw...)
		opened, err := checkpoint.ReadHeader(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := opened.Float32("x", len(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", dtype, diff)
		}
	}
}

func FuzzReadHeader(f *testing.F) {
	var file bytes.Buffer
	if err := checkpoint.WriteSafetensors(&file, map[string]string{"a": "b"}, []checkpoint.Tensor{{Name: "x", Shape: []int{2, 1}, Data: []float32{1, 2}}}); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add([]byte{2, 0, 0, 0, 0, 0, 0, 0, '{', '}'})
	f.Add([]byte("\x40\x00\x00\x00\x00\x00\x00\x00" + `{"x":{"dtype":"F32","shape":[-1,9223372036854775807],"data_offsets":[0,8]}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		tensors, err := checkpoint.ReadHeader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			if !errors.Is(err, checkpoint.ErrFormat) {
				t.Fatalf("%v is no error about the format", err)
			}
			return
		}
		for _, name := range tensors.Names() {
			values, err := tensors.Float32(name, tensors.Shape(name)...)
			if err == nil && len(values)*2 > len(content) {
				t.Fatalf("%d elements of %d bytes", len(values), len(content))
			}
		}
	})
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"model_type":"bert","vocab_size":10,"hidden_size":8,"num_hidden_layers":1,"num_attention_heads":2,"intermediate_size":8,"max_position_embeddings":8,"type_vocab_size":1,"layer_norm_eps":1e-12,"hidden_act":"gelu"}`))
	f.Add([]byte(`{"model_type":"roberta","pad_token_id":1}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := checkpoint.ParseConfig(content)
		switch {
		case err == nil && (c.Hidden < 1 || c.Heads < 1 || c.Hidden%c.Heads != 0 || c.MaxTokens() < 3):
			t.Fatalf("%+v is taken", c)
		case err != nil && !errors.Is(err, checkpoint.ErrFormat) && !errors.Is(err, checkpoint.ErrUnsupported):
			t.Fatal(err)
		}
	})
}

func FuzzParseModules(f *testing.F) {
	f.Add([]byte(`[{"path":"","type":"a.Transformer"},{"path":"1_Pooling","type":"a.Pooling"},{"path":"2","type":"a.Normalize"}]`), []byte(`{"pooling_mode_cls_token":true}`))
	f.Add([]byte(`[]`), []byte(`{"pooling_mode":"mean"}`))
	f.Fuzz(func(t *testing.T, modules, pooling []byte) {
		if dir, err := checkpoint.ParseModules(modules); err == nil && dir == "" {
			t.Fatal("no pooling")
		}
		if p, err := checkpoint.ParsePooling(pooling); (err == nil) != (p == checkpoint.Mean || p == checkpoint.CLS || p == checkpoint.Last) {
			t.Fatalf("pooling %q, %v", p, err)
		}
	})
}
