package wordpiece

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTokensKeepTheirNumbers(t *testing.T) {
	v := bert(t)
	if v.Len() != 30522 {
		t.Fatalf("%d tokens", v.Len())
	}
	for i := range int32(v.Len()) {
		if id, ok := v.ID(v.Token(i)); !ok || id != i {
			t.Fatalf("token %d %q has number %d, %v", i, v.Token(i), id, ok)
		}
	}
	for _, absent := range []string{"", "zzzzq", "ink ", "[unk]", "\x00", "#"[:0] + "##zzzz"} {
		if id, ok := v.ID(absent); ok {
			t.Errorf("%q has number %d", absent, id)
		}
	}
}

// The trie against a map, over many small alphabets where prefixes collide.
func TestTrieSameAsMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`[a-c\x{ff}中]{1,5}`)
		tokens := append(rapid.SliceOfDistinct(token, rapid.ID[string]).Draw(t, "tokens"), Unknown)
		v, err := NewVocabulary(tokens)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int32{}
		for i, token := range tokens {
			want[token] = int32(i)
		}
		for range 20 {
			asked := token.Draw(t, "asked")
			id, ok := v.ID(asked)
			wantID, wantOK := want[asked]
			if ok != wantOK || id != wantID {
				t.Fatalf("%q: got %d %v, want %d %v", asked, id, ok, wantID, wantOK)
			}
		}
		for token, id := range want {
			if got, ok := v.ID(token); !ok || got != id {
				t.Fatalf("%q: got %d %v, want %d", token, got, ok, id)
			}
		}
	})
}

func TestBadVocabularyIsNamed(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no unknown token", "a\nb\n", "[UNK]"},
		{"twice the same", "[UNK]\na\nb\na\n", "line 2 and again in line 4"},
		{"an empty line", "[UNK]\n\na\n", "line 2"},
		{"not UTF-8", "[UNK]\n\xff\n", "line 2"},
		{"NUL", "[UNK]\na\x00\n", "line 2"},
		{"not a vocabulary", "[UNK]\n" + strings.Repeat("x", 5000), "line 2"},
		{"nothing", "", "[UNK]"},
	} {
		_, err := ReadVocabulary(strings.NewReader(c.text))
		if !errors.Is(err, ErrVocabulary) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: got %v, want ErrVocabulary that says %q", c.name, err, c.want)
		}
	}
	if v, err := ReadVocabulary(strings.NewReader("[UNK]\r\na\r\n")); err != nil || v.Token(1) != "a" {
		t.Errorf("lines that end in CR LF: %v", err)
	}
}

func FuzzReadVocabulary(f *testing.F) {
	f.Add("[UNK]\na\n##b\n")
	f.Add("[UNK]\n中\n\xff")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ReadVocabulary(strings.NewReader(text))
		if err != nil {
			return
		}
		for i := range int32(v.Len()) {
			if id, ok := v.ID(v.Token(i)); !ok || id != i {
				t.Fatalf("token %d %q has number %d, %v", i, v.Token(i), id, ok)
			}
		}
	})
}

func BenchmarkReadVocabulary(b *testing.B) {
	v := bert(b)
	text := strings.Join(v.tokens, "\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadVocabulary(strings.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
}
