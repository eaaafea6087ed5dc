package sequence

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
)

// ErrCheckpoint is wrapped by errors about a checkpoint that cannot be gone on from: it is
// damaged, or of other data or options.
var ErrCheckpoint = errors.New("sequence: unusable checkpoint")

// Metadata of a checkpoint.
const (
	progressKey = "kindred.sequence.progress"
	markKey     = "kindred.sequence.mark"
)

// arrays are what a run goes on from, by name.
func (r *run) arrays() []checkpoint.Tensor {
	all := []checkpoint.Tensor{{Name: "weights", Data: r.state.Weights}, {Name: "first", Data: r.state.First}, {Name: "second", Data: r.state.Second}, {Name: "best", Data: r.best}}
	if r.state.Average != nil {
		all = append(all, checkpoint.Tensor{Name: "average", Data: r.state.Average}, checkpoint.Tensor{Name: "behind", Data: r.state.Behind})
	}
	for i := range all {
		all[i].Shape = []int{len(all[i].Data)}
	}
	return all
}

// save writes the checkpoint beside its place and then moves it there, so that whoever is
// killed leaves the old one or the new one.
func (r *run) save() error {
	path := r.options.Checkpoint
	if path == "" {
		return nil
	}
	text, err := json.Marshal(r.progress)
	if err != nil {
		return err
	}
	return replace(path, func(f io.Writer) error {
		return checkpoint.WriteSafetensors(f, map[string]string{progressKey: string(text), markKey: r.mark}, r.arrays())
	})
}

// replace writes a file in one step.
func replace(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// resume goes on from the checkpoint, if there is one.
func (r *run) resume() error {
	path := r.options.Checkpoint
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := r.read(f, info.Size()); err != nil {
		return fmt.Errorf("%s: %w; remove it to begin anew", path, err)
	}
	return nil
}

func (r *run) read(from io.ReaderAt, size int64) error {
	file, err := checkpoint.ReadHeader(from, size)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if mark := file.Metadata()[markKey]; mark != r.mark {
		return fmt.Errorf("%w: it is of training with other data or options", ErrCheckpoint)
	}
	for _, a := range r.arrays() {
		x, err := file.Float32(a.Name, a.Shape...)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCheckpoint, err)
		}
		copy(a.Data, x)
	}
	r.progress = progress{}
	if err := json.Unmarshal([]byte(file.Metadata()[progressKey]), &r.progress); err != nil {
		return fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return nil
}

// fingerprint is a hash of all that has an influence on the result.
func fingerprint(d Data, o Options, c *corpus) string {
	h := sha256.New()
	write := func(x any) {
		if err := binary.Write(h, binary.LittleEndian, x); err != nil {
			panic(err) // a hash takes anything, and all types here have a size
		}
	}
	text, err := json.Marshal(o)
	if err != nil {
		panic(err) // options are numbers, and finite
	}
	h.Write(text)
	write(d.Text)
	writeEvents(h, c.events)
	for _, end := range c.ends {
		write(int64(end))
	}
	write(d.HideSeen)
	for _, v := range d.Valid {
		write(int64(len(v.History)))
		writeEvents(h, v.History)
		write(v.Target)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// writeEvents writes what an event is, in chunks.
func writeEvents(to io.Writer, events []Event) {
	const size = 14
	var buffer [1024 * size]byte
	for len(events) > 0 {
		n := min(len(events), len(buffer)/size)
		for i, e := range events[:n] {
			b := buffer[i*size:]
			binary.LittleEndian.PutUint32(b, e.Item)
			binary.LittleEndian.PutUint32(b[4:], math.Float32bits(e.Weight))
			binary.LittleEndian.PutUint16(b[8:], e.Type)
			binary.LittleEndian.PutUint16(b[10:], e.Gap)
			binary.LittleEndian.PutUint16(b[12:], e.Value)
		}
		if _, err := to.Write(buffer[:n*size]); err != nil {
			panic(err) // a hash takes anything
		}
		events = events[n:]
	}
}
