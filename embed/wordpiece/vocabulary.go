package wordpiece

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Unknown is the token that stands for a word that has no pieces.
const Unknown = "[UNK]"

// Bounds of a vocabulary, so that a wrong file is refused before it fills the
// memory.
const (
	MaxTokens     = 1 << 20 // tokens of a vocabulary
	MaxTokenBytes = 1 << 10 // bytes of one token
)

// ErrVocabulary is wrapped by every error about the content of a vocabulary.
var ErrVocabulary = errors.New("wordpiece: bad vocabulary")

// Vocabulary numbers the tokens of a model from 0. It is immutable and safe for
// concurrent use.
type Vocabulary struct {
	tokens  []string
	trie    *trie
	unknown int32
}

// ReadVocabulary reads a vocab.txt: one token a line, numbered from 0. An error
// about its content wraps [ErrVocabulary] and names the line.
func ReadVocabulary(r io.Reader) (*Vocabulary, error) {
	var tokens []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, MaxTokenBytes+2)
	for lines.Scan() {
		if len(tokens) == MaxTokens {
			return nil, fmt.Errorf("%w: more than %d lines", ErrVocabulary, MaxTokens)
		}
		tokens = append(tokens, lines.Text())
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("%w: line %d is longer than %d bytes; is it a vocab.txt?", ErrVocabulary, len(tokens)+1, MaxTokenBytes)
	} else if err != nil {
		return nil, fmt.Errorf("wordpiece: read vocabulary: %w", err)
	}
	return NewVocabulary(tokens)
}

// NewVocabulary numbers tokens by their places. Tokens are distinct, not empty,
// valid UTF-8 without NUL, at most [MaxTokens], and [Unknown] is among them.
func NewVocabulary(tokens []string) (*Vocabulary, error) {
	if len(tokens) > MaxTokens {
		return nil, fmt.Errorf("%w: %d tokens, at most %d are allowed", ErrVocabulary, len(tokens), MaxTokens)
	}
	v := &Vocabulary{tokens: append([]string(nil), tokens...)}
	lines := make(map[string]int, len(tokens))
	for i, token := range tokens {
		if token == "" || len(token) > MaxTokenBytes || !utf8.ValidString(token) || strings.ContainsRune(token, 0) {
			return nil, fmt.Errorf("%w: line %d is %.40q; a token has 1 to %d bytes of UTF-8 without NUL", ErrVocabulary, i+1, token, MaxTokenBytes)
		}
		if first, ok := lines[token]; ok {
			return nil, fmt.Errorf("%w: token %.40q stands in line %d and again in line %d", ErrVocabulary, token, first, i+1)
		}
		lines[token] = i + 1
	}
	var err error
	if v.trie, err = newTrie(v.tokens); err != nil {
		return nil, err
	}
	var ok bool
	if v.unknown, ok = v.ID(Unknown); !ok {
		return nil, fmt.Errorf("%w: none of the %d tokens is %s", ErrVocabulary, len(tokens), Unknown)
	}
	return v, nil
}

// Len returns the number of tokens.
func (v *Vocabulary) Len() int { return len(v.tokens) }

// Token returns the token with number id, which is from 0 to Len()-1. A piece that
// does not start a word has "##" before it.
func (v *Vocabulary) Token(id int32) string { return v.tokens[id] }

// ID returns the number of a token, such as "[CLS]" or "##ing", as it stands in
// the vocabulary.
func (v *Vocabulary) ID(token string) (id int32, ok bool) {
	id, n := longest(v.trie, v.trie.units[0], &asIs, token)
	if n == 0 || n != len(token) {
		return 0, false
	}
	return id, true
}
