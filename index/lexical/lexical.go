package lexical

import (
	"errors"
	"fmt"
	"sync"

	"github.com/kindred-rec/kindred/index"
)

// Errors, wrapped with the values. index.ErrID and index.ErrQuery are returned too.
var (
	// ErrConfig: a setting is out of range.
	ErrConfig = errors.New("lexical: bad configuration")
	// ErrFull: the memory bound is reached. The item is not found by its words.
	ErrFull = errors.New("lexical: index full")
)

// Config bounds an index. Zero fields take the default named.
type Config struct {
	// MaxItems bounds item numbers, which are below it. Required.
	MaxItems int
	// MaxBytes bounds the memory, as Stats counts it; twice that is held for the moment
	// of a compaction. 1 MiB to 4 GiB, default 1 GiB.
	MaxBytes int64
	// DescriptionBytes of a description are read, cut back to a whole character.
	// Default 2,000.
	DescriptionBytes int
}

func (c Config) withDefaults() Config {
	if c.MaxBytes == 0 {
		c.MaxBytes = 1 << 30
	}
	if c.DescriptionBytes == 0 {
		c.DescriptionBytes = 2000
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.MaxItems < 1 || int64(c.MaxItems) > 1<<31:
		return fmt.Errorf("%w: MaxItems is %d, give 1 to 2,147,483,648", ErrConfig, c.MaxItems)
	case c.MaxBytes < 1<<20 || c.MaxBytes > 4<<30:
		return fmt.Errorf("%w: MaxBytes is %d, give 1 MiB to 4 GiB", ErrConfig, c.MaxBytes)
	case c.DescriptionBytes < 1 || c.DescriptionBytes > 1<<16:
		return fmt.Errorf("%w: DescriptionBytes is %d, give 1 to 65,536", ErrConfig, c.DescriptionBytes)
	}
	return nil
}

// Document is the text of an item. Any part may be empty.
type Document struct {
	Title, Brand     string
	Categories, Tags []string
	Description      string
}

// Index is a lexical index. Its methods are safe for concurrent use. A search sees each
// item as it was before a concurrent write or as it is after; writes that returned
// before the search began are all seen.
type Index struct {
	config Config

	writing sync.Mutex // one writer at a time
	// mu guards the fields of state and the pointer itself, for as long as it takes to
	// change one item or to copy what a search reads.
	mu    sync.RWMutex
	state *state
}

// New returns an empty index.
func New(config Config) (*Index, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	return &Index{config: config, state: newState()}, nil
}

// Put makes an item be found by a text, in place of the one before. A text without
// words is found by none. The same text again costs next to nothing. Errors:
// index.ErrID; ErrFull, and the item is then found by no text.
func (x *Index) Put(id uint32, d *Document) error {
	if err := index.CheckID(id, x.config.MaxItems); err != nil {
		return err
	}
	print := d.fingerprint()
	if x.holds(id, print) {
		return nil
	}
	a := analyzers.Get().(*analyzer)
	defer analyzers.Put(a)
	words := a.document(d, x.config.DescriptionBytes)
	x.writing.Lock()
	defer x.writing.Unlock()
	full := x.state.bytes() > x.config.MaxBytes
	x.mu.Lock()
	if full || len(words) == 0 {
		x.state.remove(id)
	} else {
		x.state.put(id, print, words)
	}
	x.mu.Unlock()
	x.tidy()
	if full {
		return fmt.Errorf("%w: %d bytes of at most %d: item %d is not found by its words; raise MaxBytes",
			ErrFull, x.state.bytes(), x.config.MaxBytes, id)
	}
	return nil
}

// holds reports whether an item has this very text.
func (x *Index) holds(id uint32, print uint64) bool {
	x.writing.Lock()
	defer x.writing.Unlock()
	row, ok := x.state.rowOf(id)
	return ok && x.state.prints[row] == print
}

// Delete makes an item be found by no text. One that is not present is none already.
func (x *Index) Delete(id uint32) {
	x.writing.Lock()
	defer x.writing.Unlock()
	x.mu.Lock()
	x.state.remove(id)
	x.mu.Unlock()
	x.tidy()
}

// tidy keeps the order of terms and the share of buried rows in bounds. Searches go on.
func (x *Index) tidy() {
	s := x.state
	if s.wasteful() {
		fresh := s.compacted()
		x.mu.Lock()
		x.state = fresh
		x.mu.Unlock()
		return
	}
	if s.unordered() {
		sorted := s.ordered()
		x.mu.Lock()
		s.sorted = sorted
		x.mu.Unlock()
	}
}

// Len is the number of items that have words.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.state.live
}

// Stats describes the index now.
func (x *Index) Stats() Stats {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.state
	return Stats{Items: s.live, Terms: len(s.terms), Buried: len(s.items) - s.live, Bytes: s.bytes()}
}

// Stats describes an index and the memory that it holds.
type Stats struct {
	Items  int   // that have words
	Terms  int   // different words
	Buried int   // rows of earlier texts, whose memory is not reclaimed yet
	Bytes  int64 // resident memory
}
