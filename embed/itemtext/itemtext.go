// Package itemtext says what a text encoder reads of an item.
//
// The vector of an item decides whom it is near, so what goes into its text is a
// choice of quality, not of format. It stands here once: the service, evaluation and
// training must read the same.
//
// The text is title, brand, categories, tags and the first 300 bytes of the
// description, joined by ". ". The title says what the item is. Of a description
// what follows the start is mostly about the shop, and in a mean over tokens it
// drowns the title.
package itemtext

import (
	"strings"
	"unicode/utf8"
)

// DescriptionBytes of a description are read, cut back to a whole character.
const DescriptionBytes = 300

// Fields are the parts of an item that are read. Any may be empty.
type Fields struct {
	Title, Brand     string
	Categories, Tags []string
	Description      string
}

// Text returns the item's text; "" if no field says anything.
func (f Fields) Text() string {
	var b strings.Builder
	b.Grow(len(f.Title) + len(f.Brand) + DescriptionBytes + 64)
	add(&b, f.Title)
	add(&b, f.Brand)
	add(&b, strings.Join(f.Categories, " "))
	add(&b, strings.Join(f.Tags, " "))
	add(&b, start(f.Description))
	return b.String()
}

func add(b *strings.Builder, part string) {
	if part == "" {
		return
	}
	if b.Len() > 0 {
		b.WriteString(". ")
	}
	b.WriteString(part)
}

// start is the beginning of a description.
func start(text string) string {
	if len(text) <= DescriptionBytes {
		return text
	}
	most := DescriptionBytes
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
