package demo

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// screen prints the story, at most width columns wide. The first failure to write ends all further writing; err has it.
type screen struct {
	out   io.Writer
	color bool
	// titles of the catalog by id, to shorten what the service says.
	titles map[string]string
	err    error
}

const width = 98

func (s *screen) line(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.out, format+"\n", args...)
	}
}

// The few styles: what matters, what is new, what is an aside.

func (s *screen) bold(text string) string  { return s.style("1", text) }
func (s *screen) green(text string) string { return s.style("32", text) }
func (s *screen) cyan(text string) string  { return s.style("36", text) }
func (s *screen) faint(text string) string { return s.style("2", text) }

func (s *screen) style(code, text string) string {
	if !s.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// heading begins a part of the story.
func (s *screen) heading(text string) {
	s.line("")
	s.line("%s", s.bold(text))
	s.line("%s", s.faint(strings.Repeat("─", width)))
}

// paragraph wraps a text at the width, indented.
func (s *screen) paragraph(text string) {
	for _, l := range wrap(text, width-3) {
		s.line("   %s", l)
	}
}

// Columns of a list of items.
const (
	titleColumns  = 41
	priceColumns  = 8
	reasonColumns = 36
)

// list prints recommended items, with what happened to each since the list before; nil: there was none.
func (s *screen) list(items []*kindredv1.RecommendedItem, moves []move) {
	if len(items) == 0 {
		s.line("   (nothing)")
	}
	for i, it := range items {
		mark := "   "
		if moves != nil {
			mark = s.mark(moves[i])
		}
		title := pad(cut(it.GetItem().GetTitle(), titleColumns), titleColumns)
		if moves != nil && moves[i].isNew {
			title = s.green(title)
		}
		price := fmt.Sprintf("%*s", priceColumns-1, euros(it.GetItem().GetPrice()))
		s.line("  %2d %s %s  %s  %s", i+1, mark, title, pad(price, priceColumns), s.faint(cut(s.reason(it), reasonColumns)))
	}
}

func (s *screen) mark(m move) string {
	switch {
	case m.isNew:
		return s.green("+  ")
	case m.up > 0:
		return s.cyan(fmt.Sprintf("↑%-2d", m.up))
	case m.up < 0:
		return s.cyan(fmt.Sprintf("↓%-2d", -m.up))
	}
	return "   "
}

// reason is why an item stands there, as the service says it, in as few words as the column has.
func (s *screen) reason(it *kindredv1.RecommendedItem) string {
	for _, r := range it.GetReasons() {
		if r.GetText() == "" {
			continue
		}
		text := r.GetText()
		if title := s.titles[r.GetBecauseItemId()]; title != "" {
			product, _, _ := strings.Cut(title, ",") // the variant matters little here
			text = strings.Replace(text, title, product, 1)
		}
		return shorter.Replace(text)
	}
	var sources []string
	for _, source := range it.GetSources() {
		sources = append(sources, strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(source.String(), "SOURCE_")), "_", " "))
	}
	return strings.Join(sources, ", ")
}

// shorter drops what every line of a list would begin with.
var shorter = strings.NewReplacer("Because you put in the cart ", "in the cart: ", "Because you ", "you ", "Goes with ", "with ")

// move is what happened to an item between two lists.
type move struct {
	isNew bool
	up    int // places; negative: down
}

// compareLists says what became of each item of after, and which of before are gone.
func compareLists(before, after []*kindredv1.RecommendedItem) (moves []move, gone []*kindredv1.RecommendedItem) {
	place := map[string]int{}
	for i, it := range before {
		place[it.GetItemId()] = i
	}
	stays := map[string]bool{}
	for i, it := range after {
		at, known := place[it.GetItemId()]
		stays[it.GetItemId()] = true
		moves = append(moves, move{isNew: !known, up: at - i})
	}
	for i := range moves {
		if moves[i].isNew {
			moves[i].up = 0
		}
	}
	for _, it := range before {
		if !stays[it.GetItemId()] {
			gone = append(gone, it)
		}
	}
	return moves, gone
}

// cut shortens a text to so many columns.
func cut(text string, columns int) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	return strings.TrimRight(string([]rune(text)[:columns-1]), " ,") + "…"
}

func pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-utf8.RuneCountInString(text)))
}

// wrap breaks a text into lines between words.
func wrap(text string, columns int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
