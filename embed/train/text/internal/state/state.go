// Package state keeps a training run on disk, so that one that was killed goes on as if
// it had not been.
//
// One safetensors file holds the weights, both moments of AdamW and, as metadata, where
// the run stands. It is replaced as a whole by a rename, after it has reached the disk: a
// reader sees the old one or the new one.
package state

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio"

	"github.com/kindred-rec/kindred/embed/train/text/internal/network"
	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// ErrState: what is kept is damaged, or of another run.
var ErrState = errors.New("text: state cannot be continued")

// File is the name of the file in its folder.
const File = "training.safetensors"

const note = "run" // key of the metadata

// Save writes the state of the parameters and the run, anything that encodes as JSON.
func Save(dir string, parameters []network.Parameter, s network.State, run any) error {
	text, err := json.Marshal(run)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	var tensors []checkpoint.Tensor
	for _, part := range []struct {
		name   string
		values [][]float32
	}{{"weight.", s.Weights}, {"first.", s.First}, {"second.", s.Second}} {
		for i, p := range parameters {
			tensors = append(tensors, checkpoint.Tensor{Name: part.name + p.Name, Shape: p.Shape, Data: part.values[i]})
		}
	}
	metadata := map[string]string{note: string(text), "steps": fmt.Sprint(s.Steps)}
	return Replace(filepath.Join(dir, File), func(w io.Writer) error { return checkpoint.WriteSafetensors(w, metadata, tensors) })
}

// Replace writes a file as a whole: it is the old one or the new one, never a part. What a
// killed process left of the same file is removed; one process at a time may write it.
func Replace(path string, write func(io.Writer) error) error {
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"[0-9]*"))
	if err != nil {
		return fmt.Errorf("state: %s: %w", path, err)
	}
	for _, old := range left {
		if err := os.Remove(old); err != nil {
			return fmt.Errorf("state: %w", err)
		}
	}
	f, err := renameio.TempFile(filepath.Dir(path), path)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	defer func() { _ = f.Cleanup() }() // does nothing once it has the name
	if err := f.Chmod(0o644); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err := write(f); err != nil {
		return fmt.Errorf("state: %s: %w", path, err)
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// maxHeaderBytes bounds what is read before the tensors.
const maxHeaderBytes = 64 << 20

// Load reads what Save wrote into run, and the parameters' state. Found is false if there
// is none.
func Load(dir string, parameters []network.Parameter, run any) (s network.State, found bool, err error) {
	f, err := os.Open(filepath.Join(dir, File))
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err != nil {
		return s, false, fmt.Errorf("state: %w", err)
	}
	defer f.Close()
	broken := func(err error) error { return fmt.Errorf("%w: %s: %w", ErrState, f.Name(), err) }
	stat, err := f.Stat()
	if err != nil {
		return s, false, fmt.Errorf("state: %w", err)
	}
	tensors, err := checkpoint.ReadHeader(f, stat.Size())
	if err != nil {
		return s, false, broken(err)
	}
	if s.Steps, err = readNote(f, run); err != nil {
		return s, false, broken(err)
	}
	for _, part := range []struct {
		name string
		to   *[][]float32
	}{{"weight.", &s.Weights}, {"first.", &s.First}, {"second.", &s.Second}} {
		for _, p := range parameters {
			values, err := tensors.Float32(part.name+p.Name, p.Shape...)
			if err != nil {
				return s, false, broken(err)
			}
			*part.to = append(*part.to, values)
		}
	}
	return s, true, nil
}

// readNote reads the metadata of a safetensors file.
func readNote(from io.ReaderAt, run any) (steps int, err error) {
	var prefix [8]byte
	if _, err := from.ReadAt(prefix[:], 0); err != nil {
		return 0, err
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > maxHeaderBytes {
		return 0, fmt.Errorf("header of %d bytes; at most %d are read", length, maxHeaderBytes)
	}
	text := make([]byte, length)
	if _, err := from.ReadAt(text, 8); err != nil {
		return 0, err
	}
	var header struct {
		Metadata map[string]string `json:"__metadata__"`
	}
	if err := json.Unmarshal(text, &header); err != nil {
		return 0, err
	}
	if _, err := fmt.Sscan(header.Metadata["steps"], &steps); err != nil {
		return 0, fmt.Errorf("metadata steps is %.40q: %w", header.Metadata["steps"], err)
	}
	return steps, json.Unmarshal([]byte(header.Metadata[note]), run)
}
