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
	at, err := flip(found)
	if err != nil {
		return err
	}
	relative, _ := filepath.Rel(w.data, found) // found is below data
	row.Way = fmt.Sprintf("the server is %s, 16 bytes at %d of %s are inverted, the server is started; then it gets its copy of before back",
		either(d.crash, "killed", "stopped"), at, relative)
	if err := d.observe(ctx, w, row); err != nil {
		return err
	}
	w.server.kill()
	if err := errors.Join(os.RemoveAll(w.data), os.Rename(copied, w.data)); err != nil {
		return err
	}
	row.over = time.Now()
	return w.start(ctx)
}

// observe starts the server on the damaged store. To refuse is right where the file is the truth; to serve is right where
// nothing is lost; to serve with less and not say so is wrong.
func (d damage) observe(ctx context.Context, w *world, row *Row) error {
	err := w.start(ctx)
	said := w.server.log.last()
	if line := w.server.log.panicked(); line != "" {
		row.Process = failed("panics at the start: " + line)
		return nil
	}
	var refused refusedStart
	switch {
	case errors.As(err, &refused):
		row.Process = judged(!d.derived, "refuses to start: "+said)
		return nil
	case err != nil:
		return err
	}
	row.note("it starts in %.2f s, and says: %s", w.started.Seconds(), warnings(w.server.log.String()))
	reading, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stored, err := w.stored(reading)
	if err != nil {
		row.Process = passed("serves, and says that the log cannot be read: " + err.Error())
		return nil
	}
	seen := w.ledger.check(stored)
	switch {
	case seen.Missing == 0:
		row.Process = passed("serves, nothing is missing")
	case strings.Contains(w.server.log.String(), "level=ERROR"):
		row.Process = passed(fmt.Sprintf("serves without %d events, and says so", seen.Missing))
	default:
		row.Process = failed(fmt.Sprintf("serves, and does not say that %d of %d acknowledged events are missing", seen.Missing, seen.Acknowledged))
	}
	return nil
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
	if len(lines) == 0 {
		return "nothing"
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

// flip inverts bytes in the middle of what is written of a file, and says where.
func flip(path string) (at int, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	end := len(b)
	for end > 0 && b[end-1] == 0 { // a log has room before it
		end--
	}
	at = max(0, min(end/2, end-flipped))
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
