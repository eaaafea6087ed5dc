package wordpiece

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/embed"
)

var everyOptions = []Options{{}, {KeepAccents: true}, {KeepCase: true}, {KeepCase: true, KeepAccents: true}}

var readBERT = sync.OnceValues(func() (*Vocabulary, error) {
	f, err := os.Open("../static/model/vocab.txt")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadVocabulary(f)
})

// bert is the vocabulary of BERT base uncased.
func bert(t testing.TB) *Vocabulary {
	t.Helper()
	v, err := readBERT()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func tokenizer(t testing.TB, v *Vocabulary, o Options) *Tokenizer {
	t.Helper()
	tok, err := New(v, o)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// The reference library's ids of odd texts: testdata/reference.py says how they
// were made.
func TestSameTokensAsReference(t *testing.T) {
	f, err := os.Open("testdata/reference.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v := bert(t)
	lines, n := bufio.NewScanner(f), 0
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var want struct {
			KeepCase    bool `json:"keep_case"`
			KeepAccents bool `json:"keep_accents"`
			Text        string
			IDs         []int32
		}
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		o := Options{KeepCase: want.KeepCase, KeepAccents: want.KeepAccents}
		if got, _ := tokenizer(t, v, o).Append(nil, want.Text); !slices.Equal(got, want.IDs) {
			t.Errorf("%+v: tokens of %+q\n got %v\nwant %v", o, want.Text, got, want.IDs)
		}
		n++
	}
	if n < 400 || lines.Err() != nil {
		t.Fatalf("read %d reference texts, error %v", n, lines.Err())
	}
}

// Every code point between letters and alone, in hashes of 4096.
func TestSameTokensAsReferenceForEveryCodePoint(t *testing.T) {
	content, err := os.ReadFile("testdata/codepoints.txt")
	if err != nil {
		t.Fatal(err)
	}
	v := bert(t)
	n := 0
	for line := range strings.Lines(string(content)) {
		var keepCase, keepAccents int
		var block rune
		var want string
		if _, err := fmt.Sscanf(line, "%d %d %v %s", &keepCase, &keepAccents, &block, &want); err != nil {
			t.Fatal(err)
		}
		tok := tokenizer(t, v, Options{KeepCase: keepCase == 1, KeepAccents: keepAccents == 1})
		h := sha256.New()
		var ids []int32
		for c := block; c < block+4096; c++ {
			if !utf8.ValidRune(c) {
				continue
			}
			ids, _ = tok.Append(ids[:0], fmt.Sprintf("a%cb %c", c, c))
			binary.Write(h, binary.LittleEndian, int32(len(ids)))
			binary.Write(h, binary.LittleEndian, ids)
		}
		if got := fmt.Sprintf("%x", h.Sum(nil))[:16]; got != want {
			t.Errorf("%+v: tokens of U+%04X to U+%04X differ from the reference", tok.Options(), block, block+4095)
		}
		n++
	}
	if n != 4*0x110000/4096 {
		t.Errorf("%d blocks in the fixture, want all for 4 sets of options", n)
	}
}

// oddRunes draws from what the rules treat differently.
var oddRunes = rapid.OneOf(
	rapid.RuneFrom([]rune("aAbB1éÉİıǅΣςß \t-,.'$^\u0301\u0327\u0315\u00ad\u200b\ufffd\u0085\u00a0")),
	rapid.RuneFrom([]rune("中字豈가각ㄱ\U0002f800\U00020000\u302e\u302f\u1b44\U0001d165\U0001d16d\u0344\u0958≠\u0e31\u0901")),
	rapid.Rune(),
)

func TestFastPathSameAsPlain(t *testing.T) {
	v := bert(t)
	small, err := NewVocabulary([]string{"[UNK]", "a", "##a", "b", "##b", "ab", "##ba", "##\u302e", "##\u1b44", "\u1b44\u302e", "é", "e", "##é", "中", ",", "i", "##\u0307"})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []*Vocabulary{v, small} {
		for _, o := range everyOptions {
			twin, tok := newPlain(v, o), tokenizer(t, v, o)
			rapid.Check(t, func(t *rapid.T) {
				text := string(rapid.SliceOfN(oddRunes, 0, 250).Draw(t, "text"))
				if rapid.Bool().Draw(t, "bytes") {
					text = string(rapid.SliceOf(rapid.Byte()).Draw(t, "broken")) + text
				}
				got, extent := tok.Append([]int32{7}, text)
				if want := twin.tokens(text); !slices.Equal(got[1:], want) {
					t.Fatalf("%+v: tokens of %+q\n got %v\nwant %v", o, text, got[1:], want)
				}
				if want := (embed.Extent{Tokens: len(got) - 1, Bytes: len(text)}); extent != want || got[0] != 7 {
					t.Fatalf("extent %+v, want %+v", extent, want)
				}
			})
		}
	}
}

func FuzzAppend(f *testing.F) {
	for _, s := range []string{"", "Canon ink cartridge, black", "naïve café №5", "\xff\xfe a\xc3", "中文 가각", "\u302e\u1b44", strings.Repeat("é", 101)} {
		f.Add(s, uint16(0))
		f.Add(s, uint16(3))
	}
	v := bert(f)
	f.Fuzz(func(t *testing.T, text string, bound uint16) {
		for _, o := range everyOptions {
			want := newPlainOver(v, o).tokens(text)
			o.MaxBytes, o.MaxTokens = int(bound), int(bound)
			tok := tokenizer(t, v, o)
			ids, e := tok.Append(nil, text)
			for _, id := range ids {
				if id < 0 || int(id) >= v.Len() {
					t.Fatalf("id %d of a vocabulary of %d", id, v.Len())
				}
			}
			if e.Tokens != len(ids) || e.Tokens > len(text) || e.Bytes > len(text) {
				t.Fatalf("%+v for %d ids of %d bytes", e, len(ids), len(text))
			}
			if bound > 0 && (len(ids) > int(bound) || e.Bytes > int(bound)) {
				t.Fatalf("%d ids of %d bytes, bound is %d", len(ids), e.Bytes, bound)
			}
			if !e.Truncated && !slices.Equal(ids, want) {
				t.Fatalf("%+v: tokens of %+q\n got %v\nwant %v", o, text, ids, want)
			}
		}
	})
}

// newPlainOver keeps the twin's map of the one vocabulary that the fuzz target uses.
func newPlainOver(v *Vocabulary, o Options) *plain {
	if plainOnce == nil {
		plainOnce = newPlain(v, Options{})
	}
	return &plain{ids: plainOnce.ids, options: o}
}

var plainOnce *plain

func TestTruncationIsReported(t *testing.T) {
	v := bert(t)
	for _, c := range []struct {
		name string
		o    Options
		text string
		ids  int
		want embed.Extent
	}{
		{"exactly the bound on tokens", Options{MaxTokens: 2}, "ink paper  ", 2, embed.Extent{Tokens: 2, Bytes: 11}},
		{"one token more", Options{MaxTokens: 2}, "ink paper pen", 2, embed.Extent{Tokens: 2, Bytes: 13, Truncated: true}},
		{"the rest of a long text is not read", Options{MaxTokens: 2}, "ink paper pen desk", 2, embed.Extent{Tokens: 2, Bytes: 13, Truncated: true}},
		{"a cut inside a word's pieces", Options{MaxTokens: 1}, "cb335wn", 1, embed.Extent{Tokens: 1, Bytes: 7, Truncated: true}},
		{"exactly the bound on bytes", Options{MaxBytes: 3}, "ink", 1, embed.Extent{Tokens: 1, Bytes: 3}},
		{"a cut between characters", Options{MaxBytes: 4}, "inké", 1, embed.Extent{Tokens: 1, Bytes: 3, Truncated: true}},
		{"a cut where there is no UTF-8", Options{MaxBytes: 5}, "a\x80\x80\x80\x80\x80\x80\x80", 1, embed.Extent{Tokens: 1, Bytes: 5, Truncated: true}},
	} {
		ids, got := tokenizer(t, v, c.o).Append(nil, c.text)
		if got != c.want || len(ids) != c.ids {
			t.Errorf("%s: %q gave %d ids, %+v, want %d, %+v", c.name, c.text, len(ids), got, c.ids, c.want)
		}
	}
	if _, err := New(v, Options{MaxBytes: -1}); err == nil {
		t.Error("a negative bound was accepted")
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	tok := tokenizer(t, bert(t), Options{})
	ids := make([]int32, 0, 1024)
	for _, text := range []string{"Canon ink cartridge CB335WN, 2-pack", "naïve café №5 ® Привет 中文 한국어 हिन्दी", "İ \xff " + strings.Repeat("é", 150)} {
		if n := testing.AllocsPerRun(100, func() { ids, _ = tok.Append(ids[:0], text) }); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	tok := tokenizer(b, bert(b), Options{})
	for _, c := range []struct{ name, text string }{
		{"title", "HP 74 Black & 75 Tri-color Original Ink Cartridges, 2 Cartridges (CB335WN, CB337WN)"},
		{"german", "Tintenpatronen für Drucker, schwarz und größer, für Büro und zu Hause, 2 Stück"},
		{"russian", "Картриджи для принтера, чёрные, оригинальные, две штуки в упаковке"},
		{"chinese", "惠普原装墨盒黑色彩色两个装适用于打印机办公家用"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var ids []int32
			b.ReportAllocs()
			b.SetBytes(int64(len(c.text)))
			for b.Loop() {
				ids, _ = tok.Append(ids[:0], c.text)
			}
			if len(ids) < 10 {
				b.Fatalf("%d tokens", len(ids))
			}
			b.ReportMetric(float64(len(ids)), "tokens/op")
		})
	}
}
