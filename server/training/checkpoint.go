package training

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// maxResume is how old a checkpoint may be: what people did since would be missed.
const maxResume = 24 * time.Hour

// checkpoint is the folder that a run goes on from: the trainer's own file and, beside it,
// how much of the log it is of.
type checkpoint struct {
	dir     string // empty: none is kept
	present bool
	of      struct {
		Acts int64 `json:"acts"`
	}
}

func (c *checkpoint) training() string {
	if c.dir == "" {
		return ""
	}
	return filepath.Join(c.dir, "training.safetensors")
}

func (c *checkpoint) note() string { return filepath.Join(c.dir, "log.json") }

// openCheckpoint finds out whether there is something to go on from.
func openCheckpoint(dir string) (*checkpoint, error) {
	c := &checkpoint{dir: dir}
	if dir == "" {
		return c, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	info, err := os.Stat(c.training())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c, nil
	case err != nil:
		return nil, fmt.Errorf("checkpoint: %w", err)
	case time.Since(info.ModTime()) > maxResume:
		return c, c.clear()
	}
	raw, err := os.ReadFile(c.note())
	if err != nil || json.Unmarshal(raw, &c.of) != nil || c.of.Acts <= 0 {
		return c, c.clear() // of what log it is cannot be said any more
	}
	c.present = true
	return c, nil
}

// limit is how much of the log is read; 0: all.
func (c *checkpoint) limit() int64 {
	if c.present {
		return c.of.Acts
	}
	return 0
}

// save notes how much of the log was read.
func (c *checkpoint) save(acts int64) error {
	if c.dir == "" || c.present {
		return nil
	}
	c.of.Acts = acts
	raw, err := json.Marshal(c.of)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.note(), raw, 0o600); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// clear removes what there is to go on from.
func (c *checkpoint) clear() error {
	c.present = false
	if c.dir == "" {
		return nil
	}
	for _, path := range []string{c.training(), c.note()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	return nil
}
