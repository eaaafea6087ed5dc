package history

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/kindred-rec/kindred/embed/train/history/internal/spill"
)

// Log is what Build made: histories in a file, and what is known of items. It does not change and
// is safe for concurrent use; Close must come after all reading.
type Log struct {
	dir    string
	file   *spill.File
	blocks []int64
	items  []string
	counts []uint32
	report Report
}

// Report says what became of the stream.
func (l *Log) Report() Report { return l.report }

// Items are the ids of the items by number, in the order in which the stream named them. It is
// not to be changed.
func (l *Log) Items() []string { return l.items }

// Counts is how many events attract to each item, [items]. It is not to be changed. For counts of a
// training part alone, see [Count].
func (l *Log) Counts() []uint32 { return l.counts }

// Close removes the log's files.
func (l *Log) Close() error { return errors.Join(l.file.Close(), os.RemoveAll(l.dir)) }

// Users yields every history, always in the same order. A history is lent until the next turn.
// An error is the last thing yielded; damage of the file is [ErrCorrupt].
func (l *Log) Users() iter.Seq2[History, error] { return histories(l.file.Records()) }

// Shuffled yields every history once, in an order that seed and epoch decide. Blocks are
// drawn, shuffleBlocks at a time, and the histories within them shuffled: memory stays
// bounded. Lending and errors are as in Users.
func (l *Log) Shuffled(seed, epoch uint64) iter.Seq2[History, error] {
	return histories(shuffled(l.file, l.blocks, seed, epoch))
}

func histories(records iter.Seq2[[]byte, error]) iter.Seq2[History, error] {
	return func(yield func(History, error) bool) {
		var events []Event
		for record, err := range records {
			var h History
			if err == nil {
				h, err = parseHistory(record, events)
			}
			if err != nil {
				yield(History{}, err)
				return
			}
			if !yield(h, nil) {
				return
			}
			events = h.Events[:0]
		}
	}
}

// shuffleBlocks is how many blocks are shuffled together.
const shuffleBlocks = 16

// shuffled yields the records of a file in the order that seed and epoch decide.
func shuffled(f *spill.File, blocks []int64, seed, epoch uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		rng := rand.New(rand.NewPCG(seed, mix(epoch)))
		order := slices.Clone(blocks)
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		var records [][]byte
		for group := range slices.Chunk(order, shuffleBlocks) {
			clear(records)
			records = records[:0]
			var err error
			for _, offset := range group {
				if records, err = f.Block(offset, records); err != nil {
					yield(nil, err)
					return
				}
			}
			rng.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// Count adds to counts, [items], how many of the events attract to each item.
func Count(counts []uint32, events []Event) {
	for _, e := range events {
		if e.Attracts() {
			counts[e.Item]++
		}
	}
}

// NoRow is the row of an item that has none.
const NoRow = ^uint32(0)

// Vocabulary numbers the items that have a learned row of their own.
type Vocabulary struct {
	Items []uint32 // items by row
	Rows  []uint32 // row by item, NoRow where there is none
}

// NewVocabulary gives a row to each item counted at least atLeast times, 1 or more: the most frequent
// first, of equal ones the lower number.
func NewVocabulary(counts []uint32, atLeast uint32) (Vocabulary, error) {
	if atLeast < 1 {
		return Vocabulary{}, fmt.Errorf("%w: items with at least %d events; want 1 or more", ErrOptions, atLeast)
	}
	v := Vocabulary{Rows: make([]uint32, len(counts))}
	for i, n := range counts {
		v.Rows[i] = NoRow
		if n >= atLeast {
			v.Items = append(v.Items, uint32(i))
		}
	}
	slices.SortStableFunc(v.Items, func(a, b uint32) int { return cmp.Compare(counts[b], counts[a]) })
	for row, item := range v.Items {
		v.Rows[item] = uint32(row)
	}
	return v, nil
}
