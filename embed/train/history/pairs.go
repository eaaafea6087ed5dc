package history

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kindred-rec/kindred/embed/train/history/internal/spill"
)

// Pair are two items that people act upon one after the other.
type Pair struct {
	A, B  uint32 // A before B if directed, else A < B; never equal
	Users uint32 // how many did so
}

// PairOptions say which items belong together. The zero value of a field means its default.
type PairOptions struct {
	// Window is how many steps the two may be apart among a user's events that attract: from 1
	// to 100, 2 by default.
	Window int
	// MaxGap is the longest time from one of such events to the next; a longer one parts a
	// history in two. 0: none. Gaps that are not known part nothing.
	MaxGap time.Duration
	// Directed tells A before B from B before A.
	Directed bool
	// AtLeast is how many users a pair needs; 1 by default.
	AtLeast uint32
	// Memory is as in Options.
	Memory int64
	// Train gives the part of a history that is trained on; nil is all of it.
	Train func(History) []Event
}

func (o PairOptions) withDefaults() (PairOptions, error) {
	o.Memory = orDefault(o.Memory, 256<<20)
	o.Window = orDefault(o.Window, 2)
	o.AtLeast = orDefault(o.AtLeast, 1)
	switch {
	case o.Window < 1 || o.Window > 100:
		return o, fmt.Errorf("%w: Window is %d; want 1 to 100", ErrOptions, o.Window)
	case o.MaxGap < 0:
		return o, fmt.Errorf("%w: MaxGap is %v; want 0 or more", ErrOptions, o.MaxGap)
	case o.Memory < spill.MinMemory || o.Memory > 1<<30:
		return o, fmt.Errorf("%w: Memory is %d bytes; want %d to %d", ErrOptions, o.Memory, spill.MinMemory, 1<<30)
	}
	return o, nil
}

func orDefault[T comparable](x, value T) T {
	var zero T
	if x == zero {
		return value
	}
	return x
}

// Pairs are the pairs of a log, in a file. They do not change and are safe for concurrent use;
// Close must come after all reading and before the log's.
type Pairs struct {
	dir     string
	file    *spill.File
	blocks  []int64
	count   int64
	degrees []uint32
}

// Pairs counts the pairs of the log: each once a user, so that nobody outvotes the others. The caller closes them.
func (l *Log) Pairs(ctx context.Context, o PairOptions) (_ *Pairs, err error) {
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(l.dir, "pairs-")
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
	if err := l.addPairs(ctx, sorter, o); err != nil {
		return nil, err
	}
	p := &Pairs{dir: dir, degrees: make([]uint32, len(l.items))}
	path := filepath.Join(dir, "pairs")
	if err := p.write(path, sorter.Sorted(), o); err != nil {
		return nil, err
	}
	if p.file, err = spill.Open(path); err != nil {
		return nil, err
	}
	if p.blocks, err = p.file.Blocks(); err != nil {
		return nil, errors.Join(err, p.file.Close())
	}
	return p, nil
}

// addPairs gives the sorter each user's pairs.
func (l *Log) addPairs(ctx context.Context, sorter *spill.Sorter, o PairOptions) error {
	var record [8]byte
	var found []uint64
	users := 0
	for h, err := range l.Users() {
		if err != nil {
			return err
		}
		if users++; users%checkEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		events := h.Events
		if o.Train != nil {
			events = o.Train(h)
		}
		found = pairsOf(found[:0], events, o)
		for _, pair := range found {
			binary.BigEndian.PutUint64(record[:], pair)
			if err := sorter.Add(record[:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// pairsOf appends a user's pairs, each once, as one number.
func pairsOf(to []uint64, events []Event, o PairOptions) []uint64 {
	var window []uint32 // items of the last events that attract, the newest last
	last := int64(NoTime)
	for _, e := range events {
		if !e.Attracts() {
			continue
		}
		if o.MaxGap > 0 && e.Time != NoTime && last != NoTime && e.Time-last > o.MaxGap.Microseconds() {
			window = window[:0]
		}
		last = e.Time
		for _, before := range window {
			a, b := before, e.Item
			if a == b {
				continue
			}
			if !o.Directed {
				a, b = min(a, b), max(a, b)
			}
			to = append(to, uint64(a)<<32|uint64(b))
		}
		if len(window) == o.Window {
			copy(window, window[1:])
			window = window[:len(window)-1]
		}
		window = append(window, e.Item)
	}
	slices.Sort(to)
	return slices.Compact(to)
}

// write counts equal records, which follow each other, and writes pairs.
func (p *Pairs) write(path string, sorted iter.Seq2[[]byte, error], o PairOptions) error {
	w, err := spill.Create(path, blockTarget(o.Memory))
	if err != nil {
		return err
	}
	var pair Pair
	var record [12]byte
	finish := func() error {
		if pair.Users < o.AtLeast { // also at the start, where it is 0
			return nil
		}
		p.count++
		p.degrees[pair.A]++
		p.degrees[pair.B]++
		binary.LittleEndian.PutUint32(record[0:], pair.A)
		binary.LittleEndian.PutUint32(record[4:], pair.B)
		binary.LittleEndian.PutUint32(record[8:], pair.Users)
		return w.Append(record[:])
	}
	for r, err := range sorted {
		if err == nil {
			a, b := binary.BigEndian.Uint32(r), binary.BigEndian.Uint32(r[4:])
			if a != pair.A || b != pair.B {
				err = finish()
				pair = Pair{A: a, B: b}
			}
			pair.Users++
		}
		if err != nil {
			return errors.Join(err, w.Close())
		}
	}
	return errors.Join(finish(), w.Close())
}

// Len is how many pairs there are.
func (p *Pairs) Len() int64 { return p.count }

// Degrees is in how many pairs each item stands, [items]: divided by 2·Len it is how
// likely an item is to be drawn with a pair, which the correction of in-batch negatives needs. It
// is not to be changed.
func (p *Pairs) Degrees() []uint32 { return p.degrees }

// All yields the pairs by A, then B. An error is the last thing yielded.
func (p *Pairs) All() iter.Seq2[Pair, error] { return parsePairs(p.file.Records()) }

// Shuffled yields every pair once, in an order that seed and epoch decide, as Log.Shuffled
// does.
func (p *Pairs) Shuffled(seed, epoch uint64) iter.Seq2[Pair, error] {
	return parsePairs(shuffled(p.file, p.blocks, seed, epoch))
}

func parsePairs(records iter.Seq2[[]byte, error]) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		for r, err := range records {
			var pair Pair
			if err == nil && len(r) != 12 {
				err = fmt.Errorf("%w: a pair of %d bytes", errRecord, len(r))
			}
			if err == nil {
				pair = Pair{binary.LittleEndian.Uint32(r), binary.LittleEndian.Uint32(r[4:]), binary.LittleEndian.Uint32(r[8:])}
			}
			if !yield(pair, err) || err != nil {
				return
			}
		}
	}
}

// Close removes the pairs' files.
func (p *Pairs) Close() error { return errors.Join(p.file.Close(), os.RemoveAll(p.dir)) }
