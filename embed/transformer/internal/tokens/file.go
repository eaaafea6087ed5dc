package tokens

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/wordpiece"
)

// file is a tokenizer.json, or what stands for it.
type file struct {
	Added         []added         `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Model         json.RawMessage `json:"model"`
}

// added is a token that is not cut.
type added struct {
	ID      int32  `json:"id"`
	Content string `json:"content"`
	Special bool   `json:"special"`
}

// maxFileBytes bounds the tokenizer's files: the largest known takes 17 MB.
const maxFileBytes = 128 << 20

func readFile(dir string) (*file, error) {
	content, err := readBounded(filepath.Join(dir, "tokenizer.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return readVocabulary(dir)
	}
	if err != nil {
		return nil, err
	}
	return parseFile(content)
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	if len(content) > maxFileBytes {
		return nil, fmt.Errorf("%w: %s is larger than %d bytes", checkpoint.ErrFormat, path, maxFileBytes)
	}
	return content, nil
}

func parseFile(content []byte) (*file, error) {
	f := &file{}
	if err := json.Unmarshal(content, f); err != nil {
		return nil, bad("%w", err)
	}
	for _, a := range f.Added {
		if !a.Special {
			return nil, unsupported("token %.40q was added and is not special", a.Content)
		}
		if a.ID < 0 {
			return nil, bad("token %.40q has number %d", a.Content, a.ID)
		}
	}
	return f, nil
}

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: tokenizer.json: %w", checkpoint.ErrFormat, fmt.Errorf(format, args...))
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: tokenizer.json: %w, which is not computed", checkpoint.ErrUnsupported, fmt.Errorf(format, args...))
}

// readVocabulary makes of vocab.txt and tokenizer_config.json what the library would.
func readVocabulary(dir string) (*file, error) {
	text, err := readBounded(filepath.Join(dir, "vocab.txt"))
	if err != nil {
		return nil, fmt.Errorf("%w (there is no tokenizer.json either)", err)
	}
	vocab, err := wordpiece.ReadVocabulary(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%w: vocab.txt: %w", checkpoint.ErrFormat, err)
	}
	settings := struct {
		Lower *bool `json:"do_lower_case"`
		Strip *bool `json:"strip_accents"`
	}{}
	content, err := readBounded(filepath.Join(dir, "tokenizer_config.json"))
	if err == nil {
		err = json.Unmarshal(content, &settings)
	}
	if err != nil || settings.Lower == nil {
		return nil, fmt.Errorf("%w: tokenizer_config.json must say do_lower_case, since there is no tokenizer.json: %v", checkpoint.ErrFormat, err)
	}
	tokens := map[string]int32{}
	for id := range int32(vocab.Len()) {
		tokens[vocab.Token(id)] = id
	}
	for _, name := range []string{"[CLS]", "[SEP]"} {
		if _, ok := tokens[name]; !ok {
			return nil, fmt.Errorf("%w: vocab.txt: none of the %d tokens is %s", checkpoint.ErrFormat, vocab.Len(), name)
		}
	}
	f := &file{}
	for into, part := range map[*json.RawMessage]any{
		&f.Normalizer: map[string]any{"type": "BertNormalizer", "lowercase": settings.Lower, "strip_accents": settings.Strip,
			"clean_text": true, "handle_chinese_chars": true},
		&f.PreTokenizer:  map[string]any{"type": "BertPreTokenizer"},
		&f.PostProcessor: map[string]any{"type": "BertProcessing", "cls": []any{"[CLS]", tokens["[CLS]"]}, "sep": []any{"[SEP]", tokens["[SEP]"]}},
		&f.Model:         map[string]any{"type": "WordPiece", "vocab": tokens, "unk_token": wordpiece.Unknown, "continuing_subword_prefix": "##"},
	} {
		if *into, err = json.Marshal(part); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// specials are the tokens before and after a text.
func (f *file) specials() (before, after []int32, err error) {
	var p struct {
		Type   string `json:"type"`
		Single []struct {
			Special *struct {
				ID string `json:"id"`
			} `json:"SpecialToken"`
			Sequence *struct{} `json:"Sequence"`
		} `json:"single"`
		Tokens map[string]struct {
			IDs []int32 `json:"ids"`
		} `json:"special_tokens"`
		Sep, CLS []json.RawMessage
	}
	if err := json.Unmarshal(f.PostProcessor, &p); err != nil {
		return nil, nil, bad("post_processor: %w", err)
	}
	switch p.Type {
	case "BertProcessing", "RobertaProcessing":
		first, err := pair(p.CLS)
		if err != nil {
			return nil, nil, err
		}
		last, err := pair(p.Sep)
		return []int32{first}, []int32{last}, err
	case "TemplateProcessing":
	default:
		return nil, nil, unsupported("post_processor is of type %.40q", p.Type)
	}
	seen := false
	for _, part := range p.Single {
		switch {
		case part.Sequence != nil && !seen:
			seen = true
		case part.Special != nil && len(p.Tokens[part.Special.ID].IDs) > 0 && !seen:
			before = append(before, p.Tokens[part.Special.ID].IDs...)
		case part.Special != nil && len(p.Tokens[part.Special.ID].IDs) > 0:
			after = append(after, p.Tokens[part.Special.ID].IDs...)
		default:
			return nil, nil, bad("post_processor: the template for one text has a part that is neither the text nor a known token")
		}
	}
	if !seen {
		return nil, nil, bad("post_processor: the template for one text lacks the text")
	}
	for _, id := range append(append([]int32(nil), before...), after...) {
		if id < 0 {
			return nil, nil, bad("post_processor: token number %d", id)
		}
	}
	return before, after, nil
}

// pair reads a token and its number.
func pair(parts []json.RawMessage) (id int32, err error) {
	if len(parts) != 2 {
		return 0, bad("post_processor: cls and sep are a token and its number each")
	}
	if err := json.Unmarshal(parts[1], &id); err != nil || id < 0 {
		return 0, bad("post_processor: %.40s is no token number", parts[1])
	}
	return id, nil
}

// kind reads the type of a part of the file; "" if there is none.
func kind(part json.RawMessage) (string, error) {
	var p struct {
		Type string `json:"type"`
	}
	if len(part) == 0 || string(part) == "null" {
		return "", nil
	}
	err := json.Unmarshal(part, &p)
	return p.Type, err
}

// cutter makes the cutter that the file describes, and counts the tokens.
func (f *file) cutter(b Bounds) (Cutter, int, error) {
	model, err := kind(f.Model)
	if err != nil {
		return nil, 0, bad("model: %w", err)
	}
	switch model {
	case "WordPiece":
		return f.wordPiece(b)
	case "BPE":
		return f.bytePair(b)
	case "Unigram":
		return f.unigram(b)
	}
	return nil, 0, unsupported("model is of type %.40q", model)
}

// wordPiece makes the cutter of BERT.
func (f *file) wordPiece(b Bounds) (Cutter, int, error) {
	var m struct {
		Vocab    map[string]int32 `json:"vocab"`
		Unknown  string           `json:"unk_token"`
		Prefix   *string          `json:"continuing_subword_prefix"`
		MaxRunes *int             `json:"max_input_chars_per_word"`
	}
	if err := json.Unmarshal(f.Model, &m); err != nil {
		return nil, 0, bad("model: %w", err)
	}
	switch {
	case m.Unknown != wordpiece.Unknown:
		return nil, 0, unsupported("model: unk_token is %.40q", m.Unknown)
	case m.Prefix != nil && *m.Prefix != "##":
		return nil, 0, unsupported("model: continuing_subword_prefix is %.40q", *m.Prefix)
	case m.MaxRunes != nil && *m.MaxRunes != wordpiece.MaxWordRunes:
		return nil, 0, unsupported("model: max_input_chars_per_word is %d", *m.MaxRunes)
	}
	options, err := f.bertRules()
	if err != nil {
		return nil, 0, err
	}
	options.MaxTokens, options.MaxBytes = b.Tokens, b.Bytes
	tokens, err := f.list(m.Vocab)
	if err != nil {
		return nil, 0, err
	}
	vocab, err := wordpiece.NewVocabulary(tokens)
	if err != nil {
		return nil, 0, bad("%w", err)
	}
	cutter, err := wordpiece.New(vocab, options)
	return cutter, len(tokens), err
}

// bertRules reads how words are made.
func (f *file) bertRules() (o wordpiece.Options, err error) {
	var n struct {
		Type    string `json:"type"`
		Clean   *bool  `json:"clean_text"`
		Chinese *bool  `json:"handle_chinese_chars"`
		Strip   *bool  `json:"strip_accents"`
		Lower   *bool  `json:"lowercase"`
	}
	if err := json.Unmarshal(f.Normalizer, &n); err != nil {
		return o, bad("normalizer: %w", err)
	}
	before, err := kind(f.PreTokenizer)
	switch {
	case err != nil:
		return o, bad("pre_tokenizer: %w", err)
	case n.Type != "BertNormalizer":
		return o, unsupported("normalizer of a WordPiece model is of type %.40q", n.Type)
	case before != "BertPreTokenizer":
		return o, unsupported("pre_tokenizer of a WordPiece model is of type %.40q", before)
	case n.Clean != nil && !*n.Clean, n.Chinese != nil && !*n.Chinese:
		return o, unsupported("normalizer: clean_text or handle_chinese_chars is false")
	}
	lower := n.Lower == nil || *n.Lower
	strip := lower
	if n.Strip != nil {
		strip = *n.Strip
	}
	return wordpiece.Options{KeepCase: !lower, KeepAccents: !strip}, nil
}

// list orders a vocabulary by number, the added tokens among it.
func (f *file) list(vocab map[string]int32) ([]string, error) {
	n := len(vocab)
	for _, a := range f.Added {
		if id, ok := vocab[a.Content]; !ok {
			n++
		} else if id != a.ID {
			return nil, bad("token %.40q has number %d in the vocabulary and %d among the added ones", a.Content, id, a.ID)
		}
	}
	tokens, set := make([]string, n), make([]bool, n)
	put := func(token string, id int32) error {
		if id < 0 || int(id) >= n {
			return bad("token %.40q has number %d; there are %d tokens, numbered from 0", token, id, n)
		}
		if set[id] && tokens[id] != token {
			return bad("tokens %.40q and %.40q both have number %d", token, tokens[id], id)
		}
		tokens[id], set[id] = token, true
		return nil
	}
	for token, id := range vocab {
		if err := put(token, id); err != nil {
			return nil, err
		}
	}
	for _, a := range f.Added {
		if err := put(a.Content, a.ID); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}
