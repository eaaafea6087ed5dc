package tokens

import (
	"encoding/json"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kindred-rec/kindred/embed"
)

// unigrams is the tokenizer of XLM-R, SentencePiece's: of all ways to cut a word into
// pieces, the one whose pieces are most likely together.
type unigrams struct {
	bounds    Bounds
	normalize normalizer
	words     bool // white space separates words, and is not a piece itself
	pieces    map[string]piece
	longest   int // bytes of the longest piece
	unknown   int32
	penalty   float64 // score of a character without a piece
}

// piece is a token and the logarithm of its probability.
type piece struct {
	id    int32
	score float64
}

// metaspace is written for a space, and begins a word.
const metaspace = "▁"

// unknownPenalty is how much less likely than the rarest piece an unknown character is.
const unknownPenalty = 10

// unigram makes the cutter of XLM-R.
func (f *file) unigram(b Bounds) (Cutter, int, error) {
	var m struct {
		Vocab        [][2]json.RawMessage `json:"vocab"`
		Unknown      *int32               `json:"unk_id"`
		ByteFallback bool                 `json:"byte_fallback"`
	}
	if err := json.Unmarshal(f.Model, &m); err != nil {
		return nil, 0, bad("model: %w", err)
	}
	switch {
	case m.ByteFallback:
		return nil, 0, unsupported("model of type Unigram has byte_fallback")
	case m.Unknown == nil || *m.Unknown < 0 || int(*m.Unknown) >= len(m.Vocab):
		return nil, 0, bad("model: unk_id is not the number of one of the %d tokens", len(m.Vocab))
	}
	t := &unigrams{bounds: b, pieces: make(map[string]piece, len(m.Vocab)), unknown: *m.Unknown, penalty: math.Inf(1)}
	vocab := make(map[string]int32, len(m.Vocab))
	for id, raw := range m.Vocab {
		var text string
		var score float64
		if json.Unmarshal(raw[0], &text) != nil || json.Unmarshal(raw[1], &score) != nil || text == "" {
			return nil, 0, bad("model: token %d is not a text and a score", id)
		}
		if _, twice := t.pieces[text]; twice {
			return nil, 0, bad("model: token %.40q stands twice", text)
		}
		t.pieces[text], vocab[text] = piece{int32(id), score}, int32(id)
		t.longest, t.penalty = max(t.longest, len(text)), min(t.penalty, score)
	}
	t.penalty -= unknownPenalty
	tokens, err := f.list(vocab)
	if err != nil {
		return nil, 0, err
	}
	for _, a := range f.Added { // which are not written by texts
		delete(t.pieces, a.Content)
	}
	if t.normalize, err = parseNormalizer(f.Normalizer); err != nil {
		return nil, 0, err
	}
	t.words, err = parseMetaspace(f.PreTokenizer)
	return t, len(tokens), err
}

// parseMetaspace reads how words are made, and whether white space separates them.
func parseMetaspace(raw json.RawMessage) (words bool, err error) {
	type step struct {
		Type        string `json:"type"`
		Replacement string `json:"replacement"`
		Prefix      *bool  `json:"add_prefix_space"`
		Scheme      string `json:"prepend_scheme"`
		Split       *bool  `json:"split"`
	}
	var p struct {
		step
		Steps []step `json:"pretokenizers"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return false, bad("pre_tokenizer: %w", err)
	}
	meta := p.step
	if p.Type == "Sequence" && len(p.Steps) == 2 && p.Steps[0].Type == "WhitespaceSplit" {
		words, meta = true, p.Steps[1]
	}
	switch {
	case meta.Type != "Metaspace" || meta.Replacement != metaspace:
		return false, unsupported("pre_tokenizer of a Unigram model is of type %.40q", meta.Type)
	case meta.Prefix != nil && !*meta.Prefix, meta.Scheme != "" && meta.Scheme != "always" && (words || meta.Scheme != "first"):
		return false, unsupported("pre_tokenizer: a Metaspace that does not begin every word")
	case meta.Split != nil && !*meta.Split:
		return false, unsupported("pre_tokenizer: a Metaspace that does not split")
	}
	return words, nil
}

// Append cuts a text. It goes from space to space, so that what is beyond the bound on
// tokens is not looked at.
func (t *unigrams) Append(ids []int32, text string) ([]int32, embed.Extent) {
	read := text[:cut(text, t.bounds.Bytes)]
	first, at := len(ids), 0
	var path lattice
	for at < len(read) && len(ids)-first <= t.bounds.Tokens {
		n := 1 + strings.IndexByte(read[at+1:], ' ')
		if n == 0 {
			n = len(read) - at
		}
		ids = t.segment(&path, ids, read[at:at+n], at == 0)
		at += n
	}
	e := embed.Extent{Tokens: len(ids) - first, Bytes: at, Truncated: len(read) < len(text)}
	if e.Tokens > t.bounds.Tokens {
		e.Tokens, e.Truncated = t.bounds.Tokens, true
		ids = ids[:first+t.bounds.Tokens]
	}
	if !hasWord(text) {
		return ids[:first], embed.Extent{Bytes: e.Bytes, Truncated: e.Truncated}
	}
	return ids, e
}

// segment cuts what lies between two spaces, with the first of them.
func (t *unigrams) segment(path *lattice, ids []int32, text string, begins bool) []int32 {
	normal := t.normalize(strings.ToValidUTF8(text, ""))
	if t.words {
		for word := range strings.FieldsFuncSeq(normal, unicode.IsSpace) {
			ids = path.append(t, ids, metaspace+word)
		}
		return ids
	}
	normal = strings.ReplaceAll(normal, " ", metaspace)
	if begins && normal != "" && !strings.HasPrefix(normal, metaspace) {
		normal = metaspace + normal
	}
	for len(normal) > 0 { // every metaspace begins a word
		n := strings.Index(normal[1:], metaspace) + 1
		if n == 0 {
			n = len(normal)
		}
		ids = path.append(t, ids, normal[:n])
		normal = normal[n:]
	}
	return ids
}

// lattice finds the best cut of one word.
type lattice struct {
	best []arrival // [bytes+1]
	back []int32   // the path's tokens, last first
}

// arrival is the best way to get to a place in a word.
type arrival struct {
	score float64
	from  int32 // where its last piece begins; -1 if there is no way
	token int32
}

func (l *lattice) append(t *unigrams, ids []int32, word string) []int32 {
	l.best = l.best[:0]
	for range len(word) + 1 {
		l.best = append(l.best, arrival{from: -1})
	}
	for at := 0; at < len(word); {
		_, size := utf8.DecodeRuneInString(word[at:])
		single := false
		for end := at + size; end <= len(word) && end-at <= t.longest; {
			if p, ok := t.pieces[word[at:end]]; ok {
				l.arrive(at, end, l.best[at].score+p.score, p.id)
				single = single || end == at+size
			}
			if end == len(word) {
				break
			}
			_, next := utf8.DecodeRuneInString(word[end:])
			end += next
		}
		if !single {
			l.arrive(at, at+size, l.best[at].score+t.penalty, t.unknown)
		}
		at += size
	}
	l.back = l.back[:0]
	for at := int32(len(word)); at > 0; at = l.best[at].from {
		token := l.best[at].token
		if n := len(l.back); token == t.unknown && n > 0 && l.back[n-1] == token {
			continue // unknown characters in a row are one token
		}
		l.back = append(l.back, token)
	}
	for i := len(l.back) - 1; i >= 0; i-- {
		ids = append(ids, l.back[i])
	}
	return ids
}

func (l *lattice) arrive(from, to int, score float64, token int32) {
	if l.best[to].from < 0 || score > l.best[to].score {
		l.best[to] = arrival{score, int32(from), token}
	}
}
