package replay

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// header is the first line of a checkpoint: what must be the same for the replay to go on.
type header struct {
	Version int               `json:"kindred_replay"`
	Catalog int64             `json:"catalog_items"`
	Of      map[string]string `json:"of"`
}

const checkpointVersion = 1

// record is one line of a checkpoint: a step's answers, put down before the step is written to the server.
type record struct {
	Step int      `json:"step"`
	Asks []asking `json:"asks,omitempty"`
	// Of the replay up to here.
	Seconds  float64  `json:"s"`
	Late     float64  `json:"late_s,omitempty"`
	Rejected int64    `json:"rejected,omitempty"`
	Reasons  []string `json:"reasons,omitempty"`
	// End: the log is through, and all of it was written.
	End bool `json:"end,omitempty"`
}

// asking is an answer as a checkpoint has it.
type asking struct {
	At    int      `json:"at"` // in the step
	Rank  int      `json:"rank,omitempty"`
	Tier  int32    `json:"tier"`
	Lag   int64    `json:"lag,omitempty"`
	Wait  int64    `json:"wait_us,omitempty"`
	Took  int64    `json:"took_us"`
	ID    string   `json:"id"`
	Shown []string `json:"shown"`
}

func askings(answers []answer) []asking {
	var list []asking
	for at, a := range answers {
		if a.asked {
			list = append(list, asking{at, a.rank, int32(a.tier), a.lag, a.wait.Microseconds(), a.took.Microseconds(), a.recommendationID, a.shown})
		}
	}
	return list
}

// answers are those of a step of n events.
func (r record) answers(n int) ([]answer, error) {
	answers := make([]answer, n)
	for _, a := range r.Asks {
		if a.At < 0 || a.At >= n || a.Tier < 0 || a.Tier > int32(kindredv1.Tier_TIER_POPULAR) {
			return nil, fmt.Errorf("step %d has an answer of rung %d for event %d of %d", r.Step, a.Tier, a.At, n)
		}
		answers[a.At] = answer{asked: true, rank: a.Rank, tier: kindredv1.Tier(a.Tier), lag: a.Lag, wait: time.Duration(a.Wait) * time.Microsecond,
			took: time.Duration(a.Took) * time.Microsecond, recommendationID: a.ID, shown: a.Shown}
	}
	return answers, nil
}

// checkpoint is the file of a replay that can go on. A nil one keeps nothing. Not safe for concurrent use.
type checkpoint struct {
	path   string
	file   *os.File
	synced time.Time
}

// openCheckpoint opens or makes the file and gives what it holds: the catalog's size of its beginning, and its records to
// read. No records: it is new.
func openCheckpoint(path string, head header) (c *checkpoint, catalog int64, records func() (record, error), err error) {
	none := func() (record, error) { return record{}, io.EOF }
	if path == "" {
		return nil, head.Catalog, none, nil
	}
	wrong := func(err error) error { return fmt.Errorf("replay: checkpoint %s: %w", path, err) }
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("replay: checkpoint: %w", err)
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	c = &checkpoint{path: path, file: file}
	size, err := cutTail(file)
	if err != nil {
		return nil, 0, nil, wrong(err)
	}
	if size == 0 {
		return c, head.Catalog, none, c.line(head)
	}
	in := bufio.NewReaderSize(io.NewSectionReader(file, 0, size), 1<<16)
	var was header
	if err := readLine(in, &was); err != nil || was.Version != checkpointVersion {
		return nil, 0, nil, wrong(fmt.Errorf("%w: its first line is not that of a replay; name another file", ErrCheckpoint))
	}
	if differs := different(was.Of, head.Of); differs != "" {
		return nil, 0, nil, wrong(fmt.Errorf("%w: %s; run the command that began it, or name another file", ErrCheckpoint, differs))
	}
	return c, was.Catalog, func() (r record, err error) {
		if err = readLine(in, &r); err != nil && err != io.EOF {
			err = wrong(fmt.Errorf("%w: %w", ErrCheckpoint, err))
		}
		return r, err
	}, nil
}

// cutTail cuts a last line off that was not written to its end, and gives the size that is left.
func cutTail(file *os.File) (int64, error) {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 1<<16)
	for end := size; end > 0; {
		from := max(0, end-int64(len(buf)))
		part := buf[:end-from]
		if _, err := file.ReadAt(part, from); err != nil {
			return 0, err
		}
		if at := bytes.LastIndexByte(part, '\n'); at >= 0 {
			size = from + int64(at) + 1
			break
		}
		if end, size = from, from; from == 0 {
			break
		}
	}
	if err := file.Truncate(size); err != nil {
		return 0, err
	}
	_, err = file.Seek(size, io.SeekStart)
	return size, err
}

func readLine(in *bufio.Reader, into any) error {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return err // the tail was cut: io.EOF means the end
	}
	return json.Unmarshal(line, into)
}

// different names what is not the same in two headers; empty: nothing.
func different(was, is map[string]string) string {
	var list []string
	for name, now := range is {
		if before := was[name]; before != now {
			list = append(list, fmt.Sprintf("it is of %s %s, this replay of %s", name, before, now))
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// syncEvery is how often a checkpoint is brought to the disk. A killed process loses nothing; a machine that loses its power
// may lose the records since.
const syncEvery = time.Second

func (c *checkpoint) line(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := c.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("replay: checkpoint: %w", err)
	}
	if time.Since(c.synced) < syncEvery {
		return nil
	}
	if err := c.file.Sync(); err != nil {
		return fmt.Errorf("replay: checkpoint: %w", err)
	}
	c.synced = time.Now()
	return nil
}

func (c *checkpoint) add(r record) error {
	if c == nil {
		return nil
	}
	return c.line(r)
}

func (c *checkpoint) close() error {
	if c == nil {
		return nil
	}
	if err := errors.Join(c.file.Sync(), c.file.Close()); err != nil {
		return fmt.Errorf("replay: checkpoint: %w", err)
	}
	return nil
}

// Begun reports whether a checkpoint file has been begun: then the server has its catalog and some of the log already.
func Begun(path string) bool {
	info, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist) && err == nil && info.Size() > 0
}

// identity is what decides the steps, the asks and the figures of a replay. Parallel, waits and retries do not.
func identity(log []dataset.Event, o Options) map[string]string {
	sum := sha256.New()
	out := json.NewEncoder(sum)
	for _, e := range log {
		_ = out.Encode(e) // plain values into memory: cannot fail
	}
	return map[string]string{
		"log":     fmt.Sprintf("%s (%d events)", hex.EncodeToString(sum.Sum(nil)[:8]), len(log)),
		"limit":   fmt.Sprint(o.Limit),
		"seen":    SeenName(o.Seen),
		"surface": fmt.Sprintf("%q", o.Surface),
		"ask":     strings.Join(o.Ask, ","),
		"warm-up": fmt.Sprint(o.WarmUp),
		"window":  fmt.Sprint(o.Window),
		"speed":   fmt.Sprint(o.Speed),
		"seed":    fmt.Sprint(o.Seed),
	}
}
