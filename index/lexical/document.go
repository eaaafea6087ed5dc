package lexical

import (
	"bytes"
	"math"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
)

// field is a part of a document.
type field uint8

const (
	title field = iota
	brand
	categories
	tags
	description
	fields
)

// fieldWeights says how much a word counts by the field it stands in, and fieldLengths
// how many words a field usually has: a word counts less in a longer one.
var (
	fieldWeights = [fields]float64{title: 3, brand: 2, categories: 1, tags: 1.5, description: 1}
	fieldLengths = [fields]float64{title: 10, brand: 2, categories: 6, tags: 6, description: 80}
)

// The parameters of BM25F: saturation limits what repeating a word gains, lengthShare is
// how much of a field's length counts.
const (
	saturation  = 1.2
	lengthShare = .6
)

// fingerprint tells texts apart.
func (d *Document) fingerprint() uint64 {
	h := xxhash.New()
	part := func(s string) { h.WriteString(s); h.Write([]byte{0xff}) } // no text has this byte
	part(d.Title)
	part(d.Brand)
	for _, s := range d.Categories {
		part(s)
	}
	part("\xff")
	for _, s := range d.Tags {
		part(s)
	}
	part("\xff")
	part(d.Description)
	return h.Sum64()
}

// analyzer turns documents into weighted words.
type analyzer struct {
	splitter
	count [fields]int  // words of each field
	of    []occurrence // of each word
	out   []weighted
}

type occurrence struct {
	span
	field field
}

var analyzers = sync.Pool{New: func() any { return new(analyzer) }}

// document returns the distinct words of a document. They are valid until the next call.
func (a *analyzer) document(d *Document, descriptionBytes int) []weighted {
	a.reset()
	a.of, a.out, a.count = a.of[:0], a.out[:0], [fields]int{}
	a.part(title, d.Title)
	a.part(brand, d.Brand)
	for _, s := range d.Categories {
		a.part(categories, s)
	}
	for _, s := range d.Tags {
		a.part(tags, s)
	}
	a.part(description, start(d.Description, descriptionBytes))
	slices.SortFunc(a.of, func(x, y occurrence) int { return bytes.Compare(a.text(x), a.text(y)) })
	for from := 0; from < len(a.of); {
		until := from + 1
		for until < len(a.of) && bytes.Equal(a.text(a.of[from]), a.text(a.of[until])) {
			until++
		}
		a.out = append(a.out, weighted{a.text(a.of[from]), a.weight(a.of[from:until])})
		from = until
	}
	return a.out
}

func (a *analyzer) text(o occurrence) []byte { return a.buf[o.from:o.until] }

func (a *analyzer) part(f field, text string) {
	before := len(a.spans)
	a.split(text, true)
	for _, s := range a.spans[before:] {
		a.of = append(a.of, occurrence{s, f})
	}
	a.count[f] += len(a.spans) - before
}

// weight is what a word's occurrences come to, saturated: 1 to 255.
func (a *analyzer) weight(of []occurrence) uint8 {
	var sum float64
	for _, o := range of {
		length := float64(a.count[o.field]) / fieldLengths[o.field]
		sum += fieldWeights[o.field] / (1 - lengthShare + lengthShare*length)
	}
	return uint8(max(1, math.Round(255*sum/(sum+saturation))))
}

// start is the beginning of a text, cut back to a whole character.
func start(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
