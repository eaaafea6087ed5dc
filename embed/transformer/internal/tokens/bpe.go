package tokens

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kindred-rec/kindred/embed"
)

// bytePairs is the tokenizer of RoBERTa: words are cut by a pattern, written as bytes,
// and neighbours are merged in the order in which training merged them.
type bytePairs struct {
	bounds      Bounds
	prefixSpace bool       // a text begins as if a space stood before it
	bytes       [256]int32 // the token of each byte
	merges      map[[2]int32]merge
}

// merge is what two neighbours become, and how early.
type merge struct{ rank, token int32 }

// bytePair makes the cutter of RoBERTa.
func (f *file) bytePair(b Bounds) (Cutter, int, error) {
	var m struct {
		Vocab        map[string]int32  `json:"vocab"`
		Merges       []json.RawMessage `json:"merges"`
		Dropout      *float64          `json:"dropout"`
		Prefix       *string           `json:"continuing_subword_prefix"`
		Suffix       *string           `json:"end_of_word_suffix"`
		ByteFallback bool              `json:"byte_fallback"`
		IgnoreMerges bool              `json:"ignore_merges"`
	}
	if err := json.Unmarshal(f.Model, &m); err != nil {
		return nil, 0, bad("model: %w", err)
	}
	if m.Dropout != nil && *m.Dropout != 0 || m.Prefix != nil && *m.Prefix != "" || m.Suffix != nil && *m.Suffix != "" || m.ByteFallback || m.IgnoreMerges {
		return nil, 0, unsupported("model of type BPE has a dropout, a prefix, a suffix, byte_fallback or ignore_merges")
	}
	t := &bytePairs{bounds: b, merges: make(map[[2]int32]merge, len(m.Merges))}
	if err := t.readRules(f); err != nil {
		return nil, 0, err
	}
	tokens, err := f.list(m.Vocab)
	if err != nil {
		return nil, 0, err
	}
	for c, r := range byteRunes() {
		id, ok := m.Vocab[string(r)]
		if !ok {
			return nil, 0, bad("model: no token for the byte %#x", c)
		}
		t.bytes[c] = id
	}
	for rank, raw := range m.Merges {
		left, right, err := parseMerge(raw)
		if err != nil {
			return nil, 0, err
		}
		l, ok1 := m.Vocab[left]
		r, ok2 := m.Vocab[right]
		both, ok3 := m.Vocab[left+right]
		if !ok1 || !ok2 || !ok3 {
			return nil, 0, bad("model: merge %d of %.40q and %.40q: the vocabulary lacks one of them, or both together", rank, left, right)
		}
		if _, twice := t.merges[[2]int32{l, r}]; !twice {
			t.merges[[2]int32{l, r}] = merge{int32(rank), both}
		}
	}
	return t, len(tokens), nil
}

// readRules reads how words are made.
func (t *bytePairs) readRules(f *file) error {
	if before, err := kind(f.Normalizer); err != nil || before != "" {
		return unsupported("normalizer of a BPE model is of type %.40q", before)
	}
	var p struct {
		Type   string `json:"type"`
		Prefix bool   `json:"add_prefix_space"`
		Regex  *bool  `json:"use_regex"`
	}
	if err := json.Unmarshal(f.PreTokenizer, &p); err != nil {
		return bad("pre_tokenizer: %w", err)
	}
	if p.Type != "ByteLevel" || p.Regex != nil && !*p.Regex {
		return unsupported("pre_tokenizer of a BPE model is of type %.40q, or without its pattern", p.Type)
	}
	t.prefixSpace = p.Prefix
	return nil
}

// parseMerge reads "left right" or ["left", "right"].
func parseMerge(raw json.RawMessage) (left, right string, err error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		left, right, ok := strings.Cut(text, " ")
		if !ok || strings.Contains(right, " ") {
			return "", "", bad("model: %.40q is no merge", text)
		}
		return left, right, nil
	}
	var pair []string
	if err := json.Unmarshal(raw, &pair); err != nil || len(pair) != 2 {
		return "", "", bad("model: %.40s is no merge", raw)
	}
	return pair[0], pair[1], nil
}

// byteRunes are the characters that bytes are written as in a vocabulary: themselves
// where they can be seen, and the next free ones from 256 on where they cannot.
func byteRunes() (runes [256]rune) {
	next := rune(256)
	for c := range runes {
		r := rune(c)
		if '!' <= r && r <= '~' || '¡' <= r && r <= '¬' || '®' <= r && r <= 'ÿ' {
			runes[c] = r
			continue
		}
		runes[c] = next
		next++
	}
	return runes
}

// Append cuts a text.
func (t *bytePairs) Append(ids []int32, text string) ([]int32, embed.Extent) {
	read := text[:cut(text, t.bounds.Bytes)]
	whole := read
	if !utf8.ValidString(read) {
		whole = strings.ToValidUTF8(read, "")
	}
	dropped, added := len(read)-len(whole), 0
	if t.prefixSpace && whole != "" && whole[0] != ' ' {
		whole, added = " "+whole, 1
	}
	first, at := len(ids), 0
	var word pairWord
	for at < len(whole) && len(ids)-first <= t.bounds.Tokens {
		n := nextWord(whole[at:])
		ids = word.append(t, ids, whole[at:at+n])
		at += n
	}
	e := embed.Extent{Tokens: len(ids) - first, Bytes: min(max(0, at-added)+dropped, len(read)), Truncated: len(read) < len(text)}
	if !hasWord(whole) { // white space alone is no token here, as in other tokenizers
		return ids[:first], embed.Extent{Bytes: e.Bytes, Truncated: e.Truncated}
	}
	if e.Tokens > t.bounds.Tokens {
		e.Tokens, e.Truncated = t.bounds.Tokens, true
		ids = ids[:first+t.bounds.Tokens]
	}
	return ids, e
}

func hasWord(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsSpace(r) }) >= 0
}

// cut is the length of text that may be read: all, or to the last character that
// begins and ends within the bound.
func cut(text string, most int) int {
	if len(text) <= most {
		return len(text)
	}
	for i := most; i > most-utf8.UTFMax && i > 0; i-- {
		if utf8.RuneStart(text[i]) {
			return i
		}
	}
	return most
}

// nextWord is the length of the first word by the pattern of GPT-2:
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
func nextWord(text string) int {
	for _, ending := range [...]string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"} {
		if strings.HasPrefix(text, ending) {
			return len(ending)
		}
	}
	at := 0
	if text[0] == ' ' {
		at = 1
	}
	r, size := utf8.DecodeRuneInString(text[at:])
	if size > 0 && class(r) != white {
		return at + run(text[at:], class(r))
	}
	spaces := run(text, white)
	if spaces == len(text) {
		return spaces
	}
	_, last := utf8.DecodeLastRuneInString(text[:spaces])
	if spaces > last {
		return spaces - last // the last one belongs to what follows
	}
	return spaces
}

// Classes of characters in the pattern.
const (
	white = iota
	letters
	numbers
	others
)

func class(r rune) int {
	switch {
	case unicode.IsSpace(r):
		return white
	case unicode.IsLetter(r):
		return letters
	case unicode.IsNumber(r):
		return numbers
	}
	return others
}

// run is the length of the characters of one class at the beginning of text.
func run(text string, of int) int {
	for i, r := range text {
		if class(r) != of {
			return i
		}
	}
	return len(text)
}

// pairWord merges the bytes of one word. Symbols are a list, linked both ways; possible
// merges wait in a heap, the earliest trained and leftmost first.
type pairWord struct {
	tokens         []int32 // -1 once merged into the one before
	previous, next []int32
	heap           []candidate
}

// candidate is a merge of the symbol at a place with the next one, as they were.
type candidate struct {
	rank, at, left, right, token int32
}

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}

func (w *pairWord) append(t *bytePairs, ids []int32, word string) []int32 {
	w.tokens, w.previous, w.next, w.heap = w.tokens[:0], w.previous[:0], w.next[:0], w.heap[:0]
	for i := range len(word) {
		w.tokens = append(w.tokens, t.bytes[word[i]])
		w.previous = append(w.previous, int32(i-1))
		w.next = append(w.next, int32(i+1))
	}
	for i := range len(word) - 1 {
		w.offer(t, int32(i))
	}
	for len(w.heap) > 0 {
		c := w.pop()
		if w.tokens[c.at] != c.left || int(w.next[c.at]) >= len(word) || w.tokens[w.next[c.at]] != c.right {
			continue // one of the two was merged since
		}
		gone := w.next[c.at]
		w.tokens[c.at], w.tokens[gone] = c.token, -1
		w.next[c.at] = w.next[gone]
		if int(w.next[c.at]) < len(word) {
			w.previous[w.next[c.at]] = c.at
			w.offer(t, c.at)
		}
		if before := w.previous[c.at]; before >= 0 {
			w.offer(t, before)
		}
	}
	for i := int32(0); int(i) < len(word); i = w.next[i] {
		ids = append(ids, w.tokens[i])
	}
	return ids
}

// offer puts the merge of a symbol with the next one into the heap, if there is one.
func (w *pairWord) offer(t *bytePairs, at int32) {
	left, right := w.tokens[at], w.tokens[w.next[at]]
	m, ok := t.merges[[2]int32{left, right}]
	if !ok {
		return
	}
	w.heap = append(w.heap, candidate{m.rank, at, left, right, m.token})
	for i := len(w.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !w.heap[i].before(w.heap[parent]) {
			return
		}
		w.heap[i], w.heap[parent] = w.heap[parent], w.heap[i]
		i = parent
	}
}

// pop takes the first candidate.
func (w *pairWord) pop() candidate {
	first, last := w.heap[0], len(w.heap)-1
	w.heap[0] = w.heap[last]
	w.heap = w.heap[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return first
		}
		if child+1 < last && w.heap[child+1].before(w.heap[child]) {
			child++
		}
		if !w.heap[child].before(w.heap[i]) {
			return first
		}
		w.heap[i], w.heap[child] = w.heap[child], w.heap[i]
		i = child
	}
}
