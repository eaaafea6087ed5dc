package filter

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// postings are the rows of each word of a field. They lie in one slice, word
// after word; a word of many rows has a bitmap as well.
type postings struct {
	// ordinals places a word that is no code; codes are their own ordinals.
	ordinals map[uint64]uint32
	starts   []uint32 // by ordinal, and one more
	numbers  []uint32 // ascending for each word
	long     map[uint64]*roaring.Bitmap
	length   uint32 // one more than the highest number
}

// longPosting is the number of rows from which a word has a bitmap.
const longPosting = 512

// postingsOf reads the words of a field from every row, and which rows have a
// value at all.
func postingsOf(table *catalog.Table, f *field) (*roaring.Bitmap, *postings) {
	p := &postings{length: table.Len()}
	if f.dictionary == nil {
		p.ordinals = map[uint64]uint32{}
	}
	present := make([]uint64, wordsFor(p.length))
	var ordinals, numbers []uint32 // of each occurrence, by number
	number := uint32(0)
	occur := func(word uint64) {
		ordinals = append(ordinals, p.place(word))
		numbers = append(numbers, number)
	}
	for ; number < p.length; number++ {
		row := table.Row(number)
		if row != nil && f.visit(row, occur) {
			present[number/64] |= 1 << (number % 64)
		}
	}
	p.arrange(ordinals, numbers)
	return roaring.FromDense(present, true), p
}

// visit calls occur with each word of the row, and reports whether the row has
// a value.
func (f *field) visit(row *catalog.Row, occur func(word uint64)) bool {
	if f.each == nil {
		word, ok := f.word(row)
		if ok {
			occur(word)
		}
		return ok
	}
	f.each(row, occur)
	return f.present(row)
}

// place returns the ordinal of a word, a new one where it has none.
func (p *postings) place(word uint64) uint32 {
	if p.ordinals == nil {
		return uint32(word)
	}
	ordinal, ok := p.ordinals[word]
	if !ok {
		ordinal = uint32(len(p.ordinals))
		p.ordinals[word] = ordinal
	}
	return ordinal
}

// arrange sorts the occurrences by ordinal, counting; numbers stay ascending.
func (p *postings) arrange(ordinals, numbers []uint32) {
	size := uint32(0)
	for _, ordinal := range ordinals {
		size = max(size, ordinal+1)
	}
	p.starts = make([]uint32, size+1)
	for _, ordinal := range ordinals {
		p.starts[ordinal+1]++
	}
	for i := range size {
		p.starts[i+1] += p.starts[i]
	}
	p.numbers = make([]uint32, len(numbers))
	next := slices.Clone(p.starts)
	for i, ordinal := range ordinals {
		p.numbers[next[ordinal]] = numbers[i]
		next[ordinal]++
	}
	p.long = map[uint64]*roaring.Bitmap{}
	for _, word := range p.words() {
		if numbers := p.of(word); len(numbers) >= longPosting {
			p.long[word] = roaring.BitmapOf(numbers...)
		}
	}
}

// words lists the words that rows have.
func (p *postings) words() []uint64 {
	var words []uint64
	if p.ordinals != nil {
		for word := range p.ordinals {
			words = append(words, word)
		}
		return words
	}
	for code := range len(p.starts) - 1 {
		if p.starts[code] < p.starts[code+1] {
			words = append(words, uint64(code))
		}
	}
	return words
}

// of returns the numbers of the rows that have the word.
func (p *postings) of(word uint64) []uint32 {
	ordinal := word
	if p.ordinals != nil {
		place, ok := p.ordinals[word]
		if !ok {
			return nil
		}
		ordinal = uint64(place)
	}
	if ordinal+1 >= uint64(len(p.starts)) {
		return nil
	}
	return p.numbers[p.starts[ordinal]:p.starts[ordinal+1]]
}

// union returns the rows that have one of the words. The bitmap may be shared.
func (p *postings) union(words []uint64) *roaring.Bitmap {
	if len(words) == 1 {
		if long := p.long[words[0]]; long != nil {
			return long
		}
		return roaring.BitmapOf(p.of(words[0])...)
	}
	dense := make([]uint64, wordsFor(p.length))
	for _, word := range words {
		for _, number := range p.of(word) {
			dense[number/64] |= 1 << (number % 64)
		}
	}
	return roaring.FromDense(dense, false)
}

// bytes is about what the postings take.
func (p *postings) bytes() int {
	n := 4*(len(p.starts)+len(p.numbers)) + 32*len(p.ordinals)
	for _, long := range p.long {
		n += int(long.GetSizeInBytes())
	}
	return n
}

// wordsFor is the number of 64-bit words that hold a bit for each of length.
func wordsFor(length uint32) int { return int((uint64(length) + 63) / 64) }
