package text

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kindred-rec/kindred/embed/train/text/internal/state"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// weightFiles are the endings of files that hold weights in some form, and would be wrong
// beside other weights.
var weightFiles = []string{".safetensors", ".bin", ".onnx", ".h5", ".msgpack", ".ot", ".pt", ".gguf"}

// copySettings copies what lies beside a model's weights: settings, tokenizer, words about
// it. Weights in other forms are not copied, nor is what is hidden, such as .git.
func copySettings(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		if hidden := strings.HasPrefix(d.Name(), ".") && relative != "."; hidden && d.IsDir() {
			return filepath.SkipDir
		} else if hidden {
			return nil
		}
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if slices.Contains(weightFiles, filepath.Ext(path)) {
			return nil
		}
		return state.Replace(target, func(w io.Writer) error {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(w, f)
			return err
		})
	})
}

// others are the tensors of a model that the encoder has no use for, such as a pooler,
// so that what other programs read from the folder is still there.
func others(from string, used []checkpoint.Tensor) (all []checkpoint.Tensor, err error) {
	f, err := os.Open(filepath.Join(from, checkpoint.WeightsFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return nil, err
	}
	tensors, err := checkpoint.ReadHeader(f, stat.Size())
	if err != nil {
		return nil, err
	}
	for _, name := range tensors.Names() {
		if known(name, used) {
			continue
		}
		data, err := tensors.Float32(name, tensors.Shape(name)...)
		if err != nil {
			continue // numbers of positions and the like, which readers make themselves
		}
		all = append(all, checkpoint.Tensor{Name: name, Shape: tensors.Shape(name), Data: data})
	}
	return all, nil
}

// known reports whether a name is of one of the tensors, with or without a family before
// it, or with the names of layer norms of old.
func known(name string, used []checkpoint.Tensor) bool {
	for _, prefix := range []string{"bert.", "roberta."} {
		if len(name) > len(prefix) && name[:len(prefix)] == prefix {
			name = name[len(prefix):]
		}
	}
	for old, now := range map[string]string{".gamma": ".weight", ".beta": ".bias"} {
		if filepath.Ext(name) == old {
			name = name[:len(name)-len(old)] + now
		}
	}
	return slices.ContainsFunc(used, func(t checkpoint.Tensor) bool { return t.Name == name })
}

// export writes the model as it is now to the folder. Its weights are replaced as a whole.
func (r *run) export() error {
	weights, head, err := r.network.Export()
	if err != nil {
		return err
	}
	if err := copySettings(r.from, r.to); err != nil {
		return fmt.Errorf("text: copy the model's settings: %w", err)
	}
	tensors := weights.Tensors(r.model.Config)
	more, err := others(r.from, tensors)
	if err != nil {
		return fmt.Errorf("text: %w", err)
	}
	if err := r.task.export(r.to, head); err != nil {
		return err
	}
	return state.Replace(filepath.Join(r.to, checkpoint.WeightsFile), func(w io.Writer) error {
		return checkpoint.WriteSafetensors(w, map[string]string{"format": "pt"}, append(tensors, more...))
	})
}
