package wordpiece

import (
	"fmt"
	"slices"
	"strings"
)

// unit is one node of the double array: the place of its children in the upper 23
// bits, then a bit that says that a token ends here, then the byte that leads to
// it. The child by byte c lies at base+c, and is there if that unit's byte is c.
// No two nodes have the same base, so another node's child is never taken for
// one's own. A node without children has base 0, under which nothing lies.
type unit uint32

const (
	endsToken = unit(1) << 8
	baseShift = 9
	maxBase   = 1<<(32-baseShift) - 1
	fanout    = 256 // a node's children lie at base+1 to base+255
)

// trie maps byte strings to their numbers.
type trie struct {
	units []unit  // root at 0; at least fanout beyond every base
	ids   []int32 // [len(units)], valid where a unit has endsToken
}

// newTrie builds the trie of tokens, whose numbers are their places. Tokens are
// distinct, not empty, and hold no byte 0.
func newTrie(tokens []string) (*trie, error) {
	order := make([]int32, len(tokens))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return strings.Compare(tokens[a], tokens[b]) })
	b := builder{tokens: tokens, order: order}
	b.grow(fanout)
	b.units[0] = 1 // anything but 0, which means free
	if err := b.children(0, 0, len(tokens), 0); err != nil {
		return nil, err
	}
	b.grow(b.last + fanout)
	n := b.last + fanout + 1 // copied, to let go of what building took
	return &trie{units: slices.Clone(b.units[:n]), ids: slices.Clone(b.ids[:n])}, nil
}

// builder places nodes, parents before children.
type builder struct {
	tokens   []string
	order    []int32 // the numbers of tokens in byte order
	units    []unit  // 0 where free
	ids      []int32
	baseUsed []bool
	search   int // where the search for a free unit begins
	last     int // the last unit that is in use
}

func (b *builder) grow(place int) {
	if place < len(b.units) {
		return
	}
	n := max(2*len(b.units), place+1)
	b.units = append(b.units, make([]unit, n-len(b.units))...)
	b.ids = append(b.ids, make([]int32, n-len(b.ids))...)
	b.baseUsed = append(b.baseUsed, make([]bool, n-len(b.baseUsed))...)
}

// children places the subtree of the node at place, under which lie order[lo:hi],
// which agree in their first depth bytes.
func (b *builder) children(place, lo, hi, depth int) error {
	if lo < hi && len(b.tokens[b.order[lo]]) == depth { // the shortest sorts first
		b.units[place] |= endsToken
		b.ids[place] = b.order[lo]
		lo++
	}
	if lo == hi {
		return nil
	}
	var labels []byte
	var starts []int
	for i := lo; i < hi; i++ {
		if c := b.tokens[b.order[i]][depth]; len(labels) == 0 || c != labels[len(labels)-1] {
			labels, starts = append(labels, c), append(starts, i)
		}
	}
	starts = append(starts, hi)
	base := b.place(labels)
	if base > maxBase {
		return fmt.Errorf("%w: %d tokens need more than %d trie nodes; use a smaller vocabulary", ErrVocabulary, len(b.tokens), maxBase)
	}
	b.units[place] = b.units[place]&(1<<baseShift-1) | unit(base)<<baseShift
	for _, c := range labels {
		b.units[base+int(c)] = unit(c)
	}
	for i, c := range labels {
		if err := b.children(base+int(c), starts[i], starts[i+1], depth+1); err != nil {
			return err
		}
	}
	return nil
}

// place takes a base under which all labels are free. It is nearly the first one:
// once almost everything that a search passed was taken, later searches begin
// where it ended, or building would take quadratic time.
func (b *builder) place(labels []byte) int {
	first := int(labels[0])
	start := max(b.search, first+1)
	taken := 0
	for place := start; ; place++ {
		b.grow(place + fanout)
		if b.units[place] != 0 {
			taken++
			continue
		}
		base := place - first
		if b.baseUsed[base] || !b.fits(base, labels) {
			continue
		}
		if passed := place - start + 1; taken*20 >= passed*19 {
			b.search = place
		}
		b.baseUsed[base] = true
		b.last = max(b.last, base+int(labels[len(labels)-1]))
		return base
	}
}

func (b *builder) fits(base int, labels []byte) bool {
	for _, c := range labels {
		if b.units[base+int(c)] != 0 {
			return false
		}
	}
	return true
}

// longest walks from a node along word, each byte seen through fold, and returns
// the number of the longest token on the way and its length in bytes, or 0, 0.
// The node's own token does not count.
func longest[W string | []byte](t *trie, from unit, fold *[256]byte, word W) (id int32, n int) {
	u, end := from, 0
	for i := 0; i < len(word); i++ {
		c := fold[word[i]]
		place := int(u>>baseShift) + int(c)
		u = t.units[place]
		if byte(u) != c {
			break
		}
		if u&endsToken != 0 {
			end, n = place, i+1
		}
	}
	if n == 0 {
		return 0, 0
	}
	return t.ids[end], n
}

// walk returns the node at the end of prefix, or a node without children.
func (t *trie) walk(prefix string) unit {
	u := t.units[0]
	for i := 0; i < len(prefix); i++ {
		u = t.units[int(u>>baseShift)+int(prefix[i])]
		if byte(u) != prefix[i] {
			return 0
		}
	}
	return u
}
