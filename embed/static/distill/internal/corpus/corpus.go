// Package corpus reads the texts that a static table is learned from, parts them, and
// makes more of them.
//
// # What is read
//
// A file of texts, one a line; or a catalog, a JSON object a line with the fields id
// (or item_id), title, brand, categories, tags and description, others being left
// alone. Of a catalog's row the text is what the service reads of an item
// (embed/itemtext). Which of the two a file is, its first character says: "{".
//
// Texts are put in the order of their ids, as strings; a line without one has its
// number. Rows without a text, and rows whose text stood already, are left out and
// counted: twins on both sides of a split would flatter the figures.
//
// # Parts
//
// [Halves] gives the texts at even and at odd places of that order. What is learned
// from the one half is measured on the other.
//
// # Pieces
//
// A few thousand texts are few for a table of thirty thousand tokens. [Pieces] makes
// many more: titles, runs of words of a text, and runs of two texts side by side. The
// teacher says what each of them means, so that nothing has to be guessed.
package corpus

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/kindred-rec/kindred/embed/itemtext"
)

// Bounds of a file, so that a wrong one is refused before it fills the memory.
const (
	MaxTexts     = 1 << 20
	MaxLineBytes = 1 << 20
)

// ErrFormat: a file is no list of texts. The error names the line.
var ErrFormat = errors.New("corpus: bad file of texts")

// Text is one text.
type Text struct {
	ID    string // orders the texts
	Whole string // never white space alone
	Title string // the catalog's title; "" if there is none
}

// Corpus is what a file holds.
type Corpus struct {
	Texts []Text // in order of ID, no two with the same Whole
	Empty int    // rows without a text, left out
	Twins int    // rows whose text stood already, left out
}

// Open reads a file.
func Open(path string) (Corpus, error) {
	f, err := os.Open(path)
	if err != nil {
		return Corpus{}, fmt.Errorf("corpus: %w", err)
	}
	defer f.Close()
	c, err := Read(f)
	if err != nil {
		return Corpus{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Read reads what a file holds. Errors about it wrap [ErrFormat].
func Read(r io.Reader) (Corpus, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, MaxLineBytes)
	var texts []Text
	catalog := false
	n := 0
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if n++; n == 1 {
			catalog = strings.HasPrefix(line, "{")
		}
		if len(texts) == MaxTexts {
			return Corpus{}, fmt.Errorf("%w: more than %d lines; take a part of it", ErrFormat, MaxTexts)
		}
		text := Text{ID: fmt.Sprintf("%09d", n), Whole: line}
		if catalog {
			var err error
			if text, err = parseItem(line, text.ID); err != nil {
				return Corpus{}, fmt.Errorf("%w: line %d: %w", ErrFormat, n, err)
			}
		}
		texts = append(texts, text)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return Corpus{}, fmt.Errorf("%w: line %d is longer than %d bytes", ErrFormat, n+1, MaxLineBytes)
	} else if err != nil {
		return Corpus{}, fmt.Errorf("corpus: after line %d: %w", n, err)
	}
	return arrange(texts), nil
}

func parseItem(line, id string) (Text, error) {
	var row struct {
		ID          string   `json:"id"`
		ItemID      string   `json:"item_id"`
		Title       string   `json:"title"`
		Brand       string   `json:"brand"`
		Categories  []string `json:"categories"`
		Tags        []string `json:"tags"`
		Description string   `json:"description"`
	}
	if err := json.Unmarshal([]byte(line), &row); err != nil {
		return Text{}, err
	}
	whole := itemtext.Fields{Title: row.Title, Brand: row.Brand, Categories: row.Categories, Tags: row.Tags, Description: row.Description}.Text()
	return Text{ID: cmp.Or(row.ID, row.ItemID, id), Whole: strings.TrimSpace(whole), Title: strings.TrimSpace(row.Title)}, nil
}

// arrange orders texts and leaves out those that say nothing or nothing new.
func arrange(texts []Text) Corpus {
	slices.SortStableFunc(texts, func(a, b Text) int { return strings.Compare(a.ID, b.ID) })
	c := Corpus{Texts: texts[:0]}
	seen := map[string]bool{}
	for _, text := range texts {
		switch {
		case text.Whole == "":
			c.Empty++
		case seen[text.Whole]:
			c.Twins++
		default:
			seen[text.Whole] = true
			c.Texts = append(c.Texts, text)
		}
	}
	return c
}

// Halves returns the texts at even places, from 0, and those at odd places.
func Halves(texts []Text) (even, odd []Text) {
	for i, text := range texts {
		if i%2 == 0 {
			even = append(even, text)
		} else {
			odd = append(odd, text)
		}
	}
	return even, odd
}

// Wholes returns the whole texts.
func Wholes(texts []Text) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = text.Whole
	}
	return all
}
