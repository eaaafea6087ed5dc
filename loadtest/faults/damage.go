package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// damage is a kind of file whose bits flip while the server is down.
type damage struct {
	name, title string
	files       string // pattern below the data directory
	crash       bool   // the server was killed, so that the file is not rewritten by a stop in order
	derived     bool   // it can be made again from the log: the server must serve without it
	// args of the server, and what makes the file.
	args []string
	make func(ctx context.Context, w *world, row *Row) error
}

// damages are the kinds. Checkpoints and vectors have no files of their own: they are rows of the tables.
var damages = []damage{
	{name: "index", title: "the snapshot of the index", files: "index/*.hnsw", derived: true, args: []string{"--engine", "hnsw"}},
	{name: "index-about", title: "what is noted about the snapshot of the index", files: "index/*.json", derived: true, args: []string{"--engine", "hnsw"}},
	{name: "bundle", title: "a trained model", files: "models/*/*/*.safetensors", derived: true, make: trainModel},
	{name: "table", title: "a table of the store, which holds checkpoints too", files: "*.sst"},
	{name: "value-log", title: "a value log of the store", files: "*.vlog"},
	{name: "manifest", title: "the MANIFEST of the store", files: "MANIFEST"},
	{name: "memtable", title: "the log of a memtable, after a kill", files: "*.mem", crash: true},
}

func (d damage) prepare(_ context.Context, w *world, _ *Row) error {
	w.args = append(w.args, d.args...)
	return nil
}

// inject stops the server, keeps a copy, flips bits, starts it, sees what it says, and gives it the copy back.
func (d damage) inject(ctx context.Context, w *world, row *Row) error {
	if d.make != nil {
		if err := d.make(ctx, w, row); err != nil {
			return err
		}
	}
	w.traffic.still.Store(true)
	defer w.traffic.still.Store(false)
	if d.crash {
		pause(ctx, time.Second) // calls under way end, so that nothing is acknowledged after the copy
		w.server.kill()
	} else if err := w.server.stop(); err != nil {
		return err
	}
	found, err := largest(filepath.Join(w.data, d.files))
	if err != nil {
		return err
	}
	copied := filepath.Join(w.root, "copy")
	if err := os.CopyFS(copied, os.DirFS(w.data)); err != nil {
		return fmt.Errorf("faults: copy the store: %w", err)
	}
	relative, _ := filepath.Rel(w.data, found) // found is below data
	row.Way = fmt.Sprintf("the server is %s, 16 bytes of %s are inverted, the server is started; it gets its copy of before back; so at each of %d places",
		either(d.crash, "killed", "stopped"), relative, len(places))
	verdict := Pass
	var seen []string
	for _, place := range places {
		at, err := flip(found, place)
		if err != nil {
			return err
		}
		cell, err := d.observe(ctx, w, row)
		if err != nil {
			return err
		}
		w.server.kill()
		row.note("at byte %d: %s; verify: %s", at, cell.Text, verified(ctx, w))
		seen = append(seen, cell.Text)
		if cell.Verdict == Fail {
			verdict = Fail
		}
		if err := errors.Join(os.RemoveAll(w.data), os.CopyFS(w.data, os.DirFS(copied))); err != nil {
			return fmt.Errorf("faults: give the copy back: %w", err)
		}
	}
	row.Process = Cell{verdict, strings.Join(sortedUnique(seen), "; ")}
	row.over = time.Now()
	return w.start(ctx)
}

// places of a file that are damaged, one after another, as shares of its length: what a flipped bit does depends on where it is.
var places = []float64{0.1, 0.3, 0.5, 0.7, 0.9}

// verified is what the command verify says of the store, in a line.
func verified(ctx context.Context, w *world) string {
	out, err := exec.CommandContext(ctx, w.options.Server, "verify", "--data", w.data).CombinedOutput()
	text := strings.TrimSpace(string(out))
	text = text[strings.LastIndexByte(text, '\n')+1:]
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return "finds it: " + text
	case err != nil:
		return err.Error()
	}
	return "finds nothing"
}

// observe starts the server on the damaged store. To refuse is right where the file is the truth; to serve is right where
// nothing is lost; to serve with less and not say so is wrong.
func (d damage) observe(ctx context.Context, w *world, row *Row) (Cell, error) {
	err := w.start(ctx)
	if line := w.server.log.panicked(); line != "" {
		return failed("panics at the start: " + line), nil
	}
	var refused refusedStart
	switch {
	case errors.As(err, &refused):
		return judged(!d.derived, "refuses to start: "+strings.ReplaceAll(w.server.log.last(), w.root, "")), nil
	case err != nil:
		return Cell{}, err
	}
	if said := warnings(w.server.log.String()); said != "" {
		row.note("it starts in %.2f s, and says: %s", w.started.Seconds(), strings.ReplaceAll(said, w.root, ""))
	}
	reading, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stored, err := w.stored(reading)
	if err != nil {
		return passed("serves, and says that the log cannot be read: " + err.Error()), nil
	}
	seen := w.ledger.check(stored)
	switch {
	case seen.Missing == 0:
		return passed("serves, nothing is missing"), nil
	case strings.Contains(w.server.log.String(), "level=ERROR"):
		return passed("serves without some events, and says so"), nil
	}
	return failed(fmt.Sprintf("serves, and does not say that %d of %d acknowledged events are missing", seen.Missing, seen.Acknowledged)), nil
}

// warnings are the lines of a log that warn, joined.
func warnings(log string) string {
	var lines []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
			_, text, _ := strings.Cut(line, "msg=")
			lines = append(lines, strings.TrimSpace(text))
		}
	}
	return strings.Join(lines[:min(3, len(lines))], " | ")
}

// largest is the largest file of a pattern.
func largest(pattern string) (string, error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return "", err
	}
	best, size := "", int64(-1)
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return "", err
		}
		if info.Size() > size {
			best, size = name, info.Size()
		}
	}
	if best == "" {
		return "", fmt.Errorf("%w: the server has written no file %s", errUnsupported, filepath.Base(pattern))
	}
	return best, nil
}

const flipped = 16 // bytes

// flip inverts bytes at a place of what is written of a file, a share of it, and says where.
func flip(path string, place float64) (at int, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	end := len(b)
	for end > 0 && b[end-1] == 0 { // a log has room before it
		end--
	}
	at = max(0, min(int(place*float64(end)), end-flipped))
	for i := at; i < min(at+flipped, len(b)); i++ {
		b[i] ^= 0xff
	}
	return at, os.WriteFile(path, b, 0o600)
}

// trainModel trains a small model on the world's log, and has it serve.
func trainModel(ctx context.Context, w *world, row *Row) error {
	for range 20 {
		number, events := w.ledger.batch(100)
		reply, err := w.traffic.writes.WriteEvents(ctx, writeOf(events))
		if err != nil {
			return fmt.Errorf("faults: events to train on: %w", err)
		}
		w.ledger.close(number, reply)
	}
	training := exec.CommandContext(ctx, w.options.Server, "train", "--addr", w.grpc, "--epochs", "1", "--dim", "32", "--workers", "1", "--promote")
	out, err := training.CombinedOutput()
	text := strings.TrimSpace(string(out))
	row.note("train: %s", text[strings.LastIndexByte(text, '\n')+1:])
	if kept, _ := filepath.Glob(filepath.Join(w.data, "models", "*", "*")); len(kept) == 0 {
		return fmt.Errorf("%w: no model was trained: %v: %s", errUnsupported, err, text[strings.LastIndexByte(text, '\n')+1:])
	}
	return nil
}

func either(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

// sortedUnique is for notes that name each thing once.
func sortedUnique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
