package corpus

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func mustRead(t *testing.T, file string) Corpus {
	t.Helper()
	c, err := Read(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReadsPlainTextsInTheirOrder(t *testing.T) {
	c := mustRead(t, "desk lamp\n\n  ink \ndesk lamp\n{not JSON, and not the first line}\n")
	if got, want := Wholes(c.Texts), []string{"desk lamp", "ink", "{not JSON, and not the first line}"}; !slices.Equal(got, want) || c.Empty != 1 || c.Twins != 1 {
		t.Errorf("texts %q, %d empty, %d twins; want %q, 1, 1", got, c.Empty, c.Twins, want)
	}
}

// The text is that of embed/itemtext, and ids order the rows as strings.
func TestReadsACatalogAsTheServiceDoes(t *testing.T) {
	c := mustRead(t, `{"item_id":"9","title":"Lamp","description":"Bright.","price":3}
{"id":"10","title":"Desk","brand":"Oak","categories":["Office","Office > Desks"],"tags":["wood"]}
{"id":"8","title":""}
`)
	if got, want := Wholes(c.Texts), []string{"Desk. Oak. Office Office > Desks. wood", "Lamp. Bright."}; !slices.Equal(got, want) || c.Empty != 1 {
		t.Errorf("texts %q, %d empty; want %q, 1", got, c.Empty, want)
	}
	if c.Texts[0].Title != "Desk" || c.Texts[1].ID != "9" {
		t.Errorf("texts %+v", c.Texts)
	}
}

func TestNamesTheBadLine(t *testing.T) {
	for file, names := range map[string]string{
		"{\"title\":\"a\"}\n{\"title\":3}\n":        "line 2",
		"{\"title\":\"a\"}\nplain\n":                "line 2",
		"a\n" + strings.Repeat("b", MaxLineBytes+1): "line 2",
		"{\"categories\":\"a\"}\n":                  "line 1",
	} {
		if _, err := Read(strings.NewReader(file)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), names) {
			t.Errorf("%.30q: error %v; want ErrFormat naming %s", file, err, names)
		}
	}
}

func TestHalvesShareNothing(t *testing.T) {
	even, odd := Halves(mustRead(t, "a\nb\nc\nd\ne\n").Texts)
	if !slices.Equal(Wholes(even), []string{"a", "c", "e"}) || !slices.Equal(Wholes(odd), []string{"b", "d"}) {
		t.Errorf("halves %q and %q", Wholes(even), Wholes(odd))
	}
}

// Pieces hold only words of their texts, in many lengths, and the seed decides them.
func TestPiecesAreMadeOfTheTexts(t *testing.T) {
	texts := mustRead(t, `{"id":"1","title":"black ink","description":"for pens of all sorts and sizes that write on paper and card, in a box of twelve"}
{"id":"2","title":"desk lamp","description":"bends"}
`).Texts
	words := strings.Fields(texts[0].Whole + " " + texts[1].Whole + " ink lamp")
	pieces := Pieces(texts, 500, 1)
	distinct := map[string]bool{}
	for _, piece := range pieces {
		distinct[piece] = true
		if piece == "" {
			t.Fatal("an empty piece")
		}
		for _, word := range strings.Fields(piece) {
			if !slices.Contains(words, word) {
				t.Fatalf("piece %q has the word %q, which no text has", piece, word)
			}
		}
	}
	if len(distinct) < 100 || !distinct["black ink"] {
		t.Errorf("%d distinct pieces of 500, or none is a title", len(distinct))
	}
	if !slices.Equal(pieces, Pieces(texts, 500, 1)) || slices.Equal(pieces, Pieces(texts, 500, 2)) {
		t.Error("the seed alone should decide the pieces")
	}
	if len(Pieces(nil, 5, 1)) != 0 {
		t.Error("pieces of no texts")
	}
}

func TestCutsScriptsWithoutSpacesByCharacter(t *testing.T) {
	texts := []Text{{Whole: strings.Repeat("黑色墨水适用于打印机", 4)}}
	shorter := 0
	for _, piece := range Pieces(texts, 50, 1) {
		if !utf8.ValidString(piece) {
			t.Fatalf("piece %q is not UTF-8", piece)
		}
		if utf8.RuneCountInString(piece) < 30 {
			shorter++
		}
	}
	if shorter < 25 {
		t.Errorf("%d of 50 pieces are shorter than 30 characters", shorter)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("{\"title\":\"a\"}\n")
	f.Add("a\n\xff\n")
	f.Fuzz(func(t *testing.T, file string) {
		c, err := Read(strings.NewReader(file))
		if err != nil {
			return
		}
		for _, text := range c.Texts {
			if strings.TrimSpace(text.Whole) == "" {
				t.Fatalf("an empty text of %q", file)
			}
		}
		Pieces(c.Texts, 20, 1)
	})
}
