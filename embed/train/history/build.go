package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"

	"github.com/cespare/xxhash/v2"
	"github.com/kindred-rec/kindred/embed/train/history/internal/spill"
)

// scoreBatch is how many comments go to the scorer in one call.
const scoreBatch = 256

// checkEvery is how many acts are read between two looks at the context.
const checkEvery = 4096

// Build reads a stream of acts, once, and makes a log of it, which the caller closes. An error of the
// stream, or an act that is malformed (an id beyond MaxID, a value that is not finite, a year beyond 9999), ends
// it; errors of the stream come back wrapped. All files are gone after an error.
func Build(ctx context.Context, acts iter.Seq2[Act, error], o Options) (_ *Log, err error) {
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.Dir, "history-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	sorter, err := spill.NewSorter(dir, o.Memory)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sorter.Close()) }()
	b := &builder{o: o, dir: dir, sorter: sorter, types: map[string]uint8{}, numbers: map[string]uint32{}}
	for i, t := range o.Types {
		b.types[t.Name] = uint8(i)
	}
	if err := b.read(ctx, acts); err != nil {
		return nil, err
	}
	return b.write(ctx)
}

// builder is what Build works with.
type builder struct {
	o       Options
	dir     string
	sorter  *spill.Sorter
	types   map[string]uint8
	numbers map[string]uint32 // of items, by id
	items   []string          // ids, by number
	report  Report
	record  []byte // scratch

	// comments wait until there are enough for one call of the scorer.
	comments []comment
	texts    []string
	scores   []float64
}

// comment is an act that waits for its sentiment.
type comment struct {
	user  string
	place uint64
	act   kept
}

// read sorts the acts of the stream.
func (b *builder) read(ctx context.Context, acts iter.Seq2[Act, error]) error {
	for a, err := range acts {
		if err != nil {
			return fmt.Errorf("history: after %d acts: %w", b.report.Read, err)
		}
		if b.report.Read%checkEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		place := uint64(b.report.Read)
		b.report.Read++
		if err := b.add(ctx, a, place); err != nil {
			return err
		}
	}
	return b.score(ctx)
}

// add takes one act.
func (b *builder) add(ctx context.Context, a Act, place uint64) error {
	b.report.Head = max(b.report.Head, a.Seq)
	if err := check(a); err != nil {
		return fmt.Errorf("%w: act %d, id %.80q: %w", ErrAct, place, a.ID, err)
	}
	if a.User == "" || a.Item == "" {
		b.report.Incomplete++
		return nil
	}
	kind, ok := b.types[a.Type]
	if !ok {
		b.report.Untyped++
		return nil
	}
	item, err := b.number(a.Item)
	if err != nil {
		return err
	}
	t := b.o.Types[kind]
	k := kept{order: NoTime, item: item, kind: kind, value: float32(a.Value), weight: t.weight(a.Value, a.HasValue)}
	if !a.HasValue {
		k.value = 0
	}
	if !a.Time.IsZero() {
		k.order, k.timed = a.Time.UnixMicro(), !a.Synthetic
	}
	if a.ID != "" {
		k.id = max(1, xxhash.Sum64String(a.ID)) // 0 says that there is none
	}
	if !t.Comment || a.Text == "" {
		return b.sort(a.User, place, k)
	}
	b.comments, b.texts = append(b.comments, comment{a.User, place, k}), append(b.texts, a.Text)
	if len(b.comments) == scoreBatch {
		return b.score(ctx)
	}
	return nil
}

// check says what is malformed in an act.
func check(a Act) error {
	switch {
	case len(a.User) > MaxID || len(a.Item) > MaxID:
		return fmt.Errorf("ids of %d (user) and %d (item) bytes; at most %d", len(a.User), len(a.Item), MaxID)
	case a.HasValue && (math.IsNaN(a.Value) || math.Abs(a.Value) > math.MaxFloat32):
		return fmt.Errorf("value %v; want a finite number", a.Value)
	case !a.Time.IsZero() && (a.Time.Year() > 9999 || a.Time.Year() < -9999):
		return fmt.Errorf("time in the year %d; want at most 9999", a.Time.Year())
	}
	return nil
}

// number is the item's number, in order of first appearance.
func (b *builder) number(id string) (uint32, error) {
	if n, ok := b.numbers[id]; ok {
		return n, nil
	}
	if len(b.items) >= b.o.MaxItems {
		return 0, fmt.Errorf("%w: more than %d items; raise Options.MaxItems", ErrLimit, b.o.MaxItems)
	}
	n := uint32(len(b.items))
	b.numbers[id] = n
	b.items = append(b.items, id)
	return n, nil
}

func (b *builder) sort(user string, place uint64, k kept) error {
	b.record = appendAct(b.record[:0], user, b.o.Seed, place, k)
	return b.sorter.Add(b.record)
}

// score weighs the comments that wait by their sentiment.
func (b *builder) score(ctx context.Context) error {
	if len(b.comments) == 0 {
		return nil
	}
	b.scores = append(b.scores[:0], make([]float64, len(b.texts))...)
	if err := b.o.Sentiment.Score(ctx, b.texts, b.scores); err != nil {
		return fmt.Errorf("history: sentiment of %d comments: %w", len(b.texts), err)
	}
	for i, c := range b.comments {
		if !(math.Abs(b.scores[i]) <= 1) {
			return fmt.Errorf("history: the scorer gave %v to %.80q; want -1 to 1", b.scores[i], b.texts[i])
		}
		c.act.weight *= float32(b.scores[i])
		if err := b.sort(c.user, c.place, c.act); err != nil {
			return err
		}
	}
	b.report.Comments += int64(len(b.comments))
	clear(b.texts)
	b.comments, b.texts = b.comments[:0], b.texts[:0]
	return nil
}

// write writes cleaned histories to the log's file and opens it.
func (b *builder) write(ctx context.Context) (*Log, error) {
	b.numbers = nil
	path := filepath.Join(b.dir, "histories")
	file, err := spill.Create(path, blockTarget(b.o.Memory))
	if err != nil {
		return nil, err
	}
	users := &userWriter{o: b.o, report: &b.report, counts: make([]uint32, len(b.items)), seen: make([]bool, len(b.items)), file: file, cleaner: newCleaner(b.o)}
	err = users.all(ctx, b.sorter.Sorted())
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	r := &b.report
	r.Items = int64(len(b.items))
	for _, s := range users.seen {
		if s {
			r.Seen++
		}
	}
	r.Runs, r.Spilled = b.sorter.Runs()
	l := &Log{dir: b.dir, items: b.items, counts: users.counts}
	if l.file, err = spill.Open(path); err != nil {
		return nil, err
	}
	r.Spilled += l.file.Size()
	l.report = *r
	if l.blocks, err = l.file.Blocks(); err != nil {
		return nil, errors.Join(err, l.file.Close())
	}
	return l, nil
}

// blockTarget is the size of a log's blocks: a shuffle holds shuffleBlocks of them.
func blockTarget(memory int64) int { return int(min(max(memory/(4*shuffleBlocks), 1<<10), 256<<10)) }
