package filter

import (
	"slices"
	"sync/atomic"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// words are the literals that a field's value is looked for in, in the form in
// which rows keep it. A text that no item has carried yet has no code; it is
// looked up again once its dictionary has grown, so that a filter compiled
// before the first item of a brand finds that item.
type words struct {
	dictionary *catalog.Dictionary // nil when the words are no codes
	texts      []string
	state      atomic.Pointer[wordState]
}

// A wordState is immutable.
type wordState struct {
	sorted     []uint64
	complete   bool // every text has a code
	dictionary int  // its length before the texts were looked up
}

// fixedWords are words that are no codes.
func fixedWords(list ...uint64) *words {
	w := new(words)
	slices.Sort(list)
	w.state.Store(&wordState{sorted: list, complete: true})
	return w
}

// codesOf are the codes of texts.
func codesOf(dictionary *catalog.Dictionary, texts ...string) *words {
	w := &words{dictionary: dictionary, texts: texts}
	w.state.Store(w.lookUp())
	return w
}

// list returns the words known by now, sorted.
func (w *words) list() []uint64 {
	state := w.state.Load()
	if !state.complete && w.dictionary.Len() != state.dictionary {
		state = w.lookUp()
		w.state.Store(state)
	}
	return state.sorted
}

func (w *words) lookUp() *wordState {
	state := &wordState{dictionary: w.dictionary.Len(), complete: true}
	for _, text := range w.texts {
		code, ok := w.dictionary.Code(text)
		switch {
		case ok || text == "": // code 0 is the empty string
			state.sorted = append(state.sorted, uint64(code))
		default:
			state.complete = false
		}
	}
	slices.Sort(state.sorted)
	return state
}

// longList is the length from which a binary search beats a scan.
const longList = 16

// holds reports whether word is one of the words.
func (w *words) holds(word uint64) bool {
	list := w.list()
	if len(list) >= longList {
		_, found := slices.BinarySearch(list, word)
		return found
	}
	for _, have := range list {
		if have == word {
			return true
		}
	}
	return false
}
