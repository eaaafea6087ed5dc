package lexical

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/kindred-rec/kindred/index"
	"github.com/kindred-rec/kindred/index/internal/topk"
)

// Query asks for the items that match a text best.
type Query struct {
	Text string
	// K is how many items are wanted, at least 1.
	K int
	// Allow restricts the search as in index.Query; nil allows all.
	Allow []uint64
	// Keep, if not nil, is asked of each item that would be among the best so far, and
	// leaves it out by false.
	Keep func(id uint32) bool
}

// What words that stand for a word are worth beside it.
const (
	prefixShare  = .4
	mistakeShare = .5 // a mistake
)

const (
	maxPrefixes    = 50 // terms that a last word's beginnings stand for
	maxCorrections = 10 // terms that an unknown word stands for
	maxUnknown     = 8  // unknown words that are corrected: each looks at all terms
)

// Search appends at most q.K hits to dst, best first, equal scores by smaller item
// number, and returns the extended slice. An item that matches no word is none. all
// reports whether some item that may be found has all words of the text, found or not. Errors:
// index.ErrQuery.
func (x *Index) Search(q Query, dst []index.Hit) (hits []index.Hit, all bool, err error) {
	if q.K < 1 {
		return dst, false, fmt.Errorf("%w: K is %d, must be at least 1", index.ErrQuery, q.K)
	}
	s := searches.Get().(*search)
	defer searches.Put(s)
	s.reset(q.K)
	s.ask(q.Text)
	if len(s.asked) == 0 {
		return dst, false, nil
	}
	s.expand(x)
	s.read(x)
	s.run(&q)
	for _, key := range s.best.Descending() {
		dst = append(dst, index.Hit{ID: topk.ID(key), Score: topk.Score(key)})
	}
	all = s.all
	s.forget()
	return dst, all, nil
}

// view is what a search reads of the state: headers, taken under the lock.
type view struct {
	terms  []term
	traits []trait
	sorted []uint32
	items  []uint32
	died   []uint32
	live   int
}

// asked is a word of the query and the terms that it stands for.
type asked struct {
	text   string
	prefix bool // it may go on

	exact     uint32 // noTerm: none
	others    []uint32
	share     float64 // what others are worth
	most      int     // of others count
	from, end int     // its cursors
}

const noTerm = ^uint32(0)

// search is the working memory of one search.
type search struct {
	splitter splitter
	asked    []asked
	all      bool // a row that may be found has all of asked
	state    *state
	view     view
	cursors  []cursor
	best     topk.Heap[uint64]
	window   window
}

var searches = sync.Pool{New: func() any { return new(search) }}

func (s *search) reset(k int) {
	s.splitter.reset()
	s.asked, s.cursors, s.all = s.asked[:0], s.cursors[:0], false
	s.best.Reset(k)
}

// forget lets go of the index's memory, which pooled memory must not hold on to.
func (s *search) forget() {
	clear(s.cursors)
	clear(s.asked)
	s.state, s.view = nil, view{}
}

// ask finds the distinct words of the query.
func (s *search) ask(text string) {
	s.splitter.split(text, false)
	n := len(s.splitter.spans)
	for i := range n {
		word := string(s.splitter.word(i))
		goesOn := i == n-1 && s.splitter.ended == len(text)
		if at := slices.IndexFunc(s.asked, func(a asked) bool { return a.text == word }); at >= 0 {
			s.asked[at].prefix = s.asked[at].prefix || goesOn
			continue
		}
		s.asked = append(s.asked, asked{text: word, prefix: goesOn, exact: noTerm})
	}
}

// expand finds the terms that the words stand for.
func (s *search) expand(x *Index) {
	x.mu.RLock()
	st := x.state
	s.state = st
	s.view = view{terms: st.terms, traits: st.traits, sorted: st.sorted}
	for i := range s.asked {
		if n, ok := st.number[s.asked[i].text]; ok && st.terms[n].live > 0 {
			s.asked[i].exact = n
		}
	}
	x.mu.RUnlock()
	unknown := 0
	for i := range s.asked {
		a := &s.asked[i]
		if a.prefix && s.mayGoOn(a) {
			a.others, a.share, a.most = s.view.startingWith(a.text), prefixShare, maxPrefixes
		}
		if a.exact != noTerm || len(a.others) > 0 || unknown == maxUnknown {
			continue
		}
		unknown++
		var distance int
		a.others, distance = s.view.corrections(a.text)
		a.share, a.most = math.Pow(mistakeShare, float64(distance)), maxCorrections
	}
}

// mayGoOn reports whether a last word is enough of one to stand for its beginnings: a
// single letter is none, a single character of a script without spaces is.
func (s *search) mayGoOn(a *asked) bool {
	t := traitOf(a.text)
	if t.runes >= 2 {
		return true
	}
	for _, r := range a.text {
		return isUnspaced(r)
	}
	return false
}

// read chooses among the terms and takes their postings, all as of one moment.
func (s *search) read(x *Index) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	// The state that was expanded in: a compaction since left it as it was.
	st := s.state
	s.view = view{terms: st.terms, items: st.items, died: st.died, live: st.live}
	for i := range s.asked {
		s.readWord(&s.asked[i])
	}
}

func (s *search) readWord(a *asked) {
	a.from = len(s.cursors)
	if a.exact != noTerm {
		t := &s.view.terms[a.exact]
		s.cursors = append(s.cursors, cursor{data: t.postings, worth: s.rarity(t.live)})
	}
	others, together := s.common(a)
	worth := float32(a.share) * s.rarity(together)
	for _, n := range others {
		s.cursors = append(s.cursors, cursor{data: s.view.terms[n].postings, worth: worth})
	}
	a.end = len(s.cursors)
}

// common keeps the most common of the terms that a word stands for, and says in how
// many rows they all, with the word itself, are: that many, not a single term's, say how
// rare the word is.
func (s *search) common(a *asked) (kept []uint32, together uint32) {
	kept = a.others[:0]
	for _, n := range a.others {
		live := atomic.LoadUint32(&s.view.terms[n].live)
		together = min(together+live, uint32(s.view.live))
		if n != a.exact && live > 0 {
			kept = append(kept, n)
		}
	}
	if len(kept) <= a.most {
		return kept, together
	}
	slices.SortFunc(kept, func(x, y uint32) int {
		p, q := &s.view.terms[x], &s.view.terms[y]
		return cmp.Or(cmp.Compare(q.live, p.live), strings.Compare(p.text, q.text))
	})
	return kept[:a.most], together
}

// rarity is the weight of a word that is in so many of the items, for postings' weights
// of 0 to 255. Never negative.
func (s *search) rarity(in uint32) float32 {
	n, k := float64(s.view.live), float64(in)
	return float32(math.Log(1+max(0, n-k+.5)/(k+.5)) * (saturation + 1) / 255)
}
