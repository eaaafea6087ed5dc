package faults

import (
	"bytes"
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

// damage is a kind of file that is damaged while the server is down.
type damage struct {
	name, title string
	files       string // pattern below the data directory
	crash       bool   // the server was killed, so that the file is not rewritten by a stop in order
	derived     bool   // it can be made again, from the log or of nothing: the server must serve without it
	mendable    bool   // verify --repair opens a store with what is left of it
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
	{name: "manifest", title: "the MANIFEST of the store", files: "MANIFEST"},
	{name: "memtable", title: "the log of a memtable, after a kill", files: "*.mem", crash: true, mendable: true},
	{name: "value-log", title: "a value log of the store, which is empty", files: "*.vlog", derived: true},
	{name: "key-registry", title: "the KEYREGISTRY of the store, which has no key", files: "KEYREGISTRY", derived: true},
	{name: "discard", title: "the DISCARD counts of the store, which are none", files: "DISCARD", derived: true},
	{name: "synced", title: "the note of what is synced, after a kill", files: "SYNCED", crash: true, derived: true},
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
	row.Way = fmt.Sprintf("the server is %s, %s is damaged, the server is started, verify is asked; it gets its copy of before back; so for each way: 16 bytes inverted at %d places, the second half cut off, the file removed",
		either(d.crash, "killed", "stopped"), relative, len(places))
	verdict := Pass
	var seen []string
	for _, h := range harms() {
		if err := h.do(found); err != nil {
			return err
		}
		cell, err := d.observe(ctx, w, row, relative)
		if err != nil {
			return err
		}
		row.note("%s: %s", h.name, cell.Text)
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
var places = []float64{0.1, 0.5, 0.9}

// harm is one thing that can happen to a file.
type harm struct {
	name string
	do   func(path string) error
}

func harms() (list []harm) {
	for _, place := range places {
		list = append(list, harm{fmt.Sprintf("inverted at %.0f %%", 100*place), func(path string) error { return flip(path, place) }})
	}
	return append(list, harm{"cut", halve}, harm{"removed", os.Remove})
}

// verify is what the command verify says of the store, in a line, and whether it ends with an error.
func verify(ctx context.Context, w *world, flags ...string) (line string, found bool, err error) {
	out, err := exec.CommandContext(ctx, w.options.Server, append([]string{"verify", "--data", w.data}, flags...)...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return text[strings.LastIndexByte(text, '\n')+1:], true, nil
	}
	return "", false, err
}

// observe starts the server on the damaged store, and judges what it does and what verify says.
func (d damage) observe(ctx context.Context, w *world, row *Row, file string) (Cell, error) {
	cell, refused, err := d.start(ctx, w, row, file)
	w.server.kill()
	if err != nil || cell.Verdict == Fail {
		return cell, err
	}
	line, found, err := verify(ctx, w)
	if err != nil || !refused {
		cell.Text += either(found, "; verify ends with: "+d.plain(w, line), "; verify finds nothing")
		return cell, err
	}
	if !found || !names(line, file) {
		return failed(cell.Text + "; verify does not name it: " + line), nil
	}
	if !d.mendable {
		return cell, nil
	}
	mended, err := d.mend(ctx, w, row)
	mended.Text = cell.Text + "; after verify --repair it " + mended.Text
	return mended, err
}

// mend has verify keep what can be read, and starts the server on that.
func (d damage) mend(ctx context.Context, w *world, row *Row) (Cell, error) {
	if _, _, err := verify(ctx, w, "--repair"); err != nil { // that rows are missing is an error of its
		return Cell{}, err
	}
	w.traffic.quiet.Store(true)
	pause(ctx, 100*time.Millisecond) // calls under way end, as no server runs
	defer func() {
		w.server.kill()
		w.traffic.quiet.Store(false)
	}()
	if err := w.start(ctx); err != nil {
		return failed("does not start: " + d.plain(w, w.server.log.last())), nil
	}
	reading, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stored, err := w.stored(reading)
	if err != nil {
		return failed("cannot be read: " + err.Error()), nil
	}
	seen := w.ledger.check(stored)
	row.note("after verify --repair %d of %d acknowledged events are missing", seen.Missing, seen.Acknowledged)
	return judged(seen.Doubled+seen.Unknown == 0, "serves what can be read"), nil
}

// plain is a line without what differs from one directory to the next.
func (d damage) plain(w *world, line string) string { return strings.ReplaceAll(line, w.root, "") }

// names reports whether a line names a file, or its kind where it is gone, and a way out.
func names(line, file string) bool {
	return (strings.Contains(line, filepath.Base(file)) || strings.Contains(line, "*"+filepath.Ext(file))) && strings.Contains(line, "restore")
}

// start starts the server on the damaged store. To refuse is right where the file is the truth, if the file and the way out are
// named; to serve is right where nothing is lost.
func (d damage) start(ctx context.Context, w *world, row *Row, file string) (cell Cell, refused bool, err error) {
	err = w.start(ctx)
	if line := w.server.log.panicked(); line != "" {
		return failed("panics at the start: " + line), false, nil
	}
	var why refusedStart
	switch {
	case errors.As(err, &why) && d.derived:
		return failed("refuses to start: " + d.plain(w, w.server.log.last())), true, nil
	case errors.As(err, &why):
		row.note("it refuses to start: %s", d.plain(w, w.server.log.last()))
		return judged(names(w.server.log.last(), file), "refuses to start, names the file and the way out"), true, nil
	case err != nil:
		return Cell{}, false, err
	}
	if said := warnings(w.server.log.String()); said != "" {
		row.note("it starts in %.2f s, and says: %s", w.started.Seconds(), d.plain(w, said))
	}
	reading, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stored, err := w.stored(reading)
	if err != nil {
		return passed("serves, and says that the log cannot be read: " + err.Error()), false, nil
	}
	if seen := w.ledger.check(stored); seen.Missing > 0 {
		return failed(fmt.Sprintf("serves, and %d of %d acknowledged events are missing", seen.Missing, seen.Acknowledged)), false, nil
	}
	return passed("serves, nothing is missing"), false, nil
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

// flip inverts bytes at a place of what is written of a file, a share of it.
func flip(path string, place float64) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	at := max(0, min(int(place*float64(written(b))), written(b)-flipped))
	for i := at; i < min(at+flipped, len(b)); i++ {
		b[i] ^= 0xff
	}
	return os.WriteFile(path, b, 0o600)
}

// halve cuts off the second half of what is written of a file.
func halve(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.Truncate(path, int64(written(b)/2))
}

// written is the length of a file without the room that a log has before it is written.
func written(b []byte) int { return len(bytes.TrimRight(b, "\x00")) }

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
