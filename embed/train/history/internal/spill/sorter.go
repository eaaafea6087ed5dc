package spill

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// MinMemory is the least memory of a sorter.
const MinMemory = 64 << 10

// entry is where a record lies in memory; its first bytes spare most comparisons a look
// there.
type entry struct {
	first  uint64 // the first 8 bytes, big endian, zeros behind a shorter record
	offset uint32
	length uint32
}

const entryBytes = 16

// Sorter sorts records by their bytes. It is not safe for concurrent use.
type Sorter struct {
	dir     string // its own, removed by Close
	memory  int
	arena   []byte
	entries []entry
	runs    []string
	made    int // runs made, merged ones included
	spilled int64
	done    bool
}

// NewSorter makes a sorter that keeps its runs in a new folder under dir and holds about
// memory bytes, [MinMemory] to 1 GiB. The caller closes it.
func NewSorter(dir string, memory int64) (*Sorter, error) {
	if memory < MinMemory || memory > 1<<30 {
		return nil, fmt.Errorf("spill: memory of %d bytes; want %d to %d", memory, MinMemory, 1<<30)
	}
	own, err := os.MkdirTemp(dir, "sort-")
	if err != nil {
		return nil, err
	}
	return &Sorter{dir: own, memory: int(memory)}, nil
}

// Add adds a record, which is copied. Equal records are kept, each.
func (s *Sorter) Add(record []byte) error {
	if s.done {
		return errors.New("spill: a record after the sort was read; make another sorter")
	}
	if len(record) > MaxRecord {
		return fmt.Errorf("spill: a record of %d bytes; at most %d are kept", len(record), MaxRecord)
	}
	// A slice may hold twice what it needs after it grew, so half of the memory is filled.
	if len(s.arena)+len(record)+entryBytes*(len(s.entries)+1) > s.memory/2 && len(s.entries) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	var first [8]byte
	copy(first[:], record)
	s.entries = append(s.entries, entry{binary.BigEndian.Uint64(first[:]), uint32(len(s.arena)), uint32(len(record))})
	s.arena = append(s.arena, record...)
	return nil
}

// record is where an entry points.
func (s *Sorter) record(e entry) []byte { return s.arena[e.offset : e.offset+e.length] }

func (s *Sorter) sort() {
	slices.SortFunc(s.entries, func(a, b entry) int {
		if a.first != b.first {
			return cmp.Compare(a.first, b.first)
		}
		return bytes.Compare(s.record(a), s.record(b))
	})
}

// blockTarget is the size of a run's blocks: small enough that a merge of several holds them.
func (s *Sorter) blockTarget() int { return min(max(s.memory/32, 2<<10), 256<<10) }

// fanIn is how many runs are merged at once: each holds a block, packed and not.
func (s *Sorter) fanIn() int { return max(2, s.memory/(4*s.blockTarget())) }

// create makes the file of a new run.
func (s *Sorter) create() (*Writer, error) {
	path := filepath.Join(s.dir, "run-"+strconv.Itoa(s.made))
	s.made++
	s.runs = append(s.runs, path)
	return Create(path, s.blockTarget())
}

// spill writes what is in memory as a sorted run.
func (s *Sorter) spill() error {
	s.sort()
	w, err := s.create()
	if err != nil {
		return err
	}
	for _, e := range s.entries {
		if err := w.Append(s.record(e)); err != nil {
			w.Close()
			return err
		}
	}
	s.arena, s.entries = s.arena[:0], s.entries[:0]
	return s.finish(w)
}

// finish closes the newest run.
func (s *Sorter) finish(w *Writer) error {
	path := w.file.Name()
	if err := w.Close(); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err == nil {
		s.spilled += info.Size()
	}
	return err
}

// Runs is how many runs were written, and how many bytes to files in all.
func (s *Sorter) Runs() (runs int, bytes int64) { return s.made, s.spilled }

// Close removes the sorter's files.
func (s *Sorter) Close() error {
	s.arena, s.entries, s.done = nil, nil, true
	return os.RemoveAll(s.dir)
}

// Sorted yields all records in their order, equal ones one after another. It may be read once; a
// record is lent until the next turn; an error is the last thing yielded.
func (s *Sorter) Sorted() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if s.done {
			yield(nil, errors.New("spill: the sort was read before; make another sorter"))
			return
		}
		s.done = true
		if len(s.runs) == 0 {
			s.sort()
			for _, e := range s.entries {
				if !yield(s.record(e), nil) {
					return
				}
			}
			return
		}
		if err := s.reduce(); err != nil {
			yield(nil, err)
			return
		}
		merge(s.runs, yield)
	}
}

// reduce spills the rest and merges runs until they can be merged at once.
func (s *Sorter) reduce() error {
	if len(s.entries) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.arena, s.entries = nil, nil
	for len(s.runs) > s.fanIn() {
		// The shortest way to few enough: only as many as are too many are merged first.
		n := min(s.fanIn(), len(s.runs)-s.fanIn()+1)
		if err := s.mergeFirst(max(2, n)); err != nil {
			return err
		}
	}
	return nil
}

// mergeFirst merges the first n runs into a new one, at the end.
func (s *Sorter) mergeFirst(n int) error {
	from := slices.Clone(s.runs[:n])
	s.runs = slices.Delete(s.runs, 0, n)
	w, err := s.create()
	if err != nil {
		return err
	}
	var failed error
	merge(from, func(record []byte, err error) bool {
		if failed = err; err == nil {
			failed = w.Append(record)
		}
		return failed == nil
	})
	if failed != nil {
		w.Close()
		return failed
	}
	if err := s.finish(w); err != nil {
		return err
	}
	for _, path := range from {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}
