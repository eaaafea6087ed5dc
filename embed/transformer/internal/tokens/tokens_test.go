package tokens

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/embed/transformer/checkpoint"
	"github.com/kindred-rec/kindred/embed/transformer/transformertest"
)

// folder makes a model's folder of one tokenizer.json.
func folder(t testing.TB, content []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// row is what the reference makes of a text; see testdata/reference.py.
type row struct {
	Text         string
	BPE, Unigram []int32
}

func rows(t testing.TB) (all []row) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(string(read(t, "reference.jsonl"))))
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestTokensAreTheReferences(t *testing.T) {
	for name, want := range map[string]func(row) []int32{
		"bpe.json": func(r row) []int32 { return r.BPE }, "unigram.json": func(r row) []int32 { return r.Unigram },
	} {
		tok, err := Load(folder(t, read(t, name)), 512, 1<<16)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(tok.Before, []int32{0}) || !slices.Equal(tok.After, []int32{2}) {
			t.Errorf("%s: %v and %v stand around a text; want 0 and 2", name, tok.Before, tok.After)
		}
		for _, r := range rows(t) {
			want := want(r)
			if !hasWord(r.Text) {
				want = nil // for the contract of encoders, white space is nothing
			}
			got, extent := tok.Append(nil, r.Text)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q gives\n%v, want\n%v", name, r.Text, got, want)
			}
			if extent.Tokens != len(got) || extent.Truncated || extent.Bytes != len(r.Text) {
				t.Errorf("%s: %q: extent %+v; want %d tokens, all %d bytes", name, r.Text, extent, len(got), len(r.Text))
			}
		}
	}
}

func TestBoundsCutTokensAndSayso(t *testing.T) {
	for _, name := range []string{"bpe.json", "unigram.json"} {
		dir := folder(t, read(t, name))
		long, err := Load(dir, 1<<20, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat("Canon ink cartridge, black. ", 300)
		all, _ := long.Append(nil, text)
		short, err := Load(dir, 12, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		got, extent := short.Append(nil, text)
		if !slices.Equal(got, all[:10]) || !extent.Truncated || extent.Tokens != 10 || extent.Bytes > 100 {
			t.Errorf("%s: %v, %+v; want the first 10 of %v", name, got, extent, all[:12])
		}
		few, err := Load(dir, 512, 5)
		if err != nil {
			t.Fatal(err)
		}
		if got, extent := few.Append(nil, "ink é cartridge"); !extent.Truncated || extent.Bytes > 5 {
			t.Errorf("%s: 5 bytes give %v, %+v", name, got, extent)
		}
	}
}

// Special tokens are the model's own: no text can write them.
func TestSpecialTokensCannotBeWritten(t *testing.T) {
	for _, name := range []string{"bpe.json", "unigram.json"} {
		tok, err := Load(folder(t, read(t, name)), 512, 1<<16)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := tok.Append(nil, "a <s> b </s> <pad>")
		for _, id := range []int32{0, 1, 2} {
			if slices.Contains(got, id) {
				t.Errorf("%s: %v holds the special token %d", name, got, id)
			}
		}
	}
}

func TestAVocabularyOfAnotherModelIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := transformertest.Write(dir, transformertest.Small, 1); err != nil {
		t.Fatal(err)
	}
	tok, err := Load(dir, 32, 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	n := len(transformertest.Words)
	for rows, ok := range map[int]bool{n: true, n + 35: true, n - 1: false, n + 128: false} {
		err := tok.CheckRows(rows)
		if (err == nil) != ok {
			t.Errorf("%d rows: %v", rows, err)
		}
		if err != nil && (!errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), "tokens")) {
			t.Error(err)
		}
	}
}

func TestWhatIsNotComputedIsNamed(t *testing.T) {
	for says, change := range map[string]struct{ file, old, new string }{
		"WordLevel":   {"bpe.json", `"type":"BPE"`, `"type":"WordLevel"`},
		"Digits":      {"bpe.json", `"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true`, `"type":"Digits"`},
		"pattern":     {"bpe.json", `"use_regex":true`, `"use_regex":false`},
		"Nmt":         {"bpe.json", `"normalizer":null`, `"normalizer":{"type":"Nmt"}`},
		"fallback":    {"unigram.json", `"byte_fallback":false`, `"byte_fallback":true`},
		"Whitespace":  {"unigram.json", `"type":"Metaspace"`, `"type":"Whitespace"`},
		"Strip":       {"unigram.json", `"type":"Precompiled"`, `"type":"Strip"`},
		"not special": {"bpe.json", `"special":true`, `"special":false`},
	} {
		content := string(read(t, change.file))
		edited := strings.Replace(content, change.old, change.new, -1)
		if edited == content {
			t.Fatalf("%s: nothing to replace", says)
		}
		if _, err := Load(folder(t, []byte(edited)), 512, 1<<16); !errors.Is(err, checkpoint.ErrUnsupported) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	for _, name := range []string{"bpe.json"} {
		f.Add(read(f, name), "some text")
	}
	f.Add([]byte(`{"added_tokens":[{"id":0,"content":"<unk>","special":true}],"normalizer":{"type":"Precompiled","precompiled_charsmap":"BAAAAAAAAAA="},"pre_tokenizer":{"type":"Metaspace","replacement":"▁"},"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}}]},"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["▁a",-1]]}}`), "a b\xff")
	f.Add([]byte(`{"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"BertProcessing","cls":["a",0],"sep":["a",0]},"model":{"type":"WordPiece","unk_token":"[UNK]","vocab":{"[UNK]":0,"a":1}}}`), "a")
	f.Fuzz(func(t *testing.T, content []byte, text string) {
		parsed, err := parseFile(content)
		if err == nil {
			var cutter Cutter
			var vocab int
			if _, _, err = parsed.specials(); err == nil {
				cutter, vocab, err = parsed.cutter(Bounds{Tokens: 20, Bytes: 1000})
			}
			if err == nil {
				ids, extent := cutter.Append(nil, text)
				if len(ids) > 20 || extent.Tokens != len(ids) || extent.Bytes > len(text) {
					t.Fatalf("%d tokens, extent %+v", len(ids), extent)
				}
				for _, id := range ids {
					if id < 0 || int(id) >= vocab {
						t.Fatalf("token %d of %d", id, vocab)
					}
				}
			}
		}
		if err != nil && !errors.Is(err, checkpoint.ErrFormat) && !errors.Is(err, checkpoint.ErrUnsupported) {
			t.Fatal(err)
		}
	})
}
