package catalog

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// A Dictionary maps the distinct strings of one field to codes 1, 2, 3 … and
// back. Code 0 is the empty string, "none". It only grows. Reading a text takes
// no lock; only a [Table] adds to it.
type Dictionary struct {
	name     string // as errors name it
	maxTexts int
	maxBytes int

	texts atomic.Pointer[[]string] // index is the code; published after codes

	mu    sync.RWMutex
	codes map[string]uint32
	bytes int
}

func newDictionary(name string, limits Limits) *Dictionary {
	d := &Dictionary{
		name:     name,
		maxTexts: limits.MaxTexts,
		maxBytes: limits.MaxTextBytes,
		codes:    map[string]uint32{},
	}
	d.texts.Store(&[]string{""})
	return d
}

// Len is the number of codes in use, with 0: every code is below it. It never
// shrinks.
func (d *Dictionary) Len() int { return len(*d.texts.Load()) }

// Text returns the string of a code, "" for 0 or a code never given out.
func (d *Dictionary) Text(code uint32) string {
	texts := *d.texts.Load()
	if int(code) >= len(texts) {
		return ""
	}
	return texts[code]
}

// Code returns the code of text. It is 0 and false for "" and for a text that
// no item has carried.
func (d *Dictionary) Code(text string) (uint32, bool) {
	d.mu.RLock()
	code, ok := d.codes[text]
	d.mu.RUnlock()
	return code, ok
}

// intern returns the code of text, adding it where it is new.
func (d *Dictionary) intern(text string) (uint32, error) {
	if text == "" {
		return 0, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if code, ok := d.codes[text]; ok {
		return code, nil
	}
	texts := *d.texts.Load()
	if len(texts) > d.maxTexts {
		return 0, fmt.Errorf("%w: %q would be %s number %d, Limits.MaxTexts is %d; use fewer distinct values, or raise it",
			ErrLimit, text, d.name, len(texts), d.maxTexts)
	}
	if d.bytes+len(text) > d.maxBytes {
		return 0, fmt.Errorf("%w: %q would make the %s take %d bytes, Limits.MaxTextBytes is %d; use fewer distinct values, or raise it",
			ErrLimit, text, d.name, d.bytes+len(text), d.maxBytes)
	}
	// The clone keeps a dictionary from holding on to a whole request.
	text = strings.Clone(text)
	code := uint32(len(texts))
	// Readers of the old slice never look past its length, so appending in
	// place is safe; storing the new header publishes the element.
	texts = append(texts, text)
	d.texts.Store(&texts)
	d.codes[text] = code
	d.bytes += len(text)
	return code, nil
}
