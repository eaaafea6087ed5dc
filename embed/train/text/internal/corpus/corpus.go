// Package corpus holds texts as token numbers, each text once, and puts those of a batch
// into chunks of few shapes.
//
// A backend such as XLA compiles a program for each shape, so chunks have one number of
// rows and lengths from a grid. Texts of a batch are sorted by length before they are cut
// into chunks: most of them are short, and only one chunk is padded to the longest. Which
// lengths come together differs from batch to batch, so [Survey] looks at all batches of
// an epoch and picks a few plans; a batch takes the cheapest one that it fits.
package corpus

import (
	"cmp"
	"encoding/binary"
	"hash"
	"slices"

	"github.com/kindred-rec/kindred/embed/train/text/internal/network"
	"github.com/kindred-rec/kindred/embed/transformer"
)

// None is the number of a text without tokens.
const None = int32(-1)

// Corpus are the different texts of some items. It is immutable.
type Corpus struct {
	Texts   [][]int32 // token numbers, special ones included; at least one each
	Of      []int32   // [items]: place in Texts, or None
	Longest int       // tokens of the longest text
}

// Cut cuts the texts of items into tokens.
func Cut(texts []string, t transformer.Tokenizer) *Corpus {
	c := &Corpus{Of: make([]int32, len(texts))}
	seen := map[string]int32{}
	var ids []int32
	var key []byte
	for i, text := range texts {
		ids, _ = t.Append(ids[:0], text)
		if len(ids) == 0 {
			c.Of[i] = None
			continue
		}
		key = key[:0]
		for _, id := range ids {
			key = binary.LittleEndian.AppendUint32(key, uint32(id))
		}
		at, ok := seen[string(key)]
		if !ok {
			at = int32(len(c.Texts))
			seen[string(key)] = at
			c.Texts = append(c.Texts, slices.Clone(ids))
			c.Longest = max(c.Longest, len(ids))
		}
		c.Of[i] = at
	}
	return c
}

// Hash adds the corpus to a sum.
func (c *Corpus) Hash(to hash.Hash) {
	for _, text := range c.Texts {
		_ = binary.Write(to, binary.LittleEndian, int32(len(text))) // a hash fails never
		_ = binary.Write(to, binary.LittleEndian, text)
	}
	_ = binary.Write(to, binary.LittleEndian, c.Of)
}

// lengths are those that texts are padded to.
var lengths = []int{8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512}

// Padded is the length that a text of so many tokens is padded to, when none has more
// than most.
func Padded(tokens, most int) int {
	i, _ := slices.BinarySearch(lengths, tokens)
	if i == len(lengths) {
		return most
	}
	return min(lengths[i], most)
}

// ByLength sorts texts, the longest first. Texts of one length keep their order.
func (c *Corpus) ByLength(texts []int32) []int32 {
	sorted := slices.Clone(texts)
	slices.SortStableFunc(sorted, func(a, b int32) int { return cmp.Compare(len(c.Texts[b]), len(c.Texts[a])) })
	return sorted
}

// Fill puts texts, at most as many as the shape has rows, into a chunk. Rows without a
// text hold one token of padding that nothing is made of.
func (c *Corpus) Fill(s network.Shape, texts []int32) network.Chunk {
	chunk := network.Chunk{Shape: s, IDs: make([]int32, s.Rows*s.Tokens), Lengths: make([]int32, s.Rows)}
	for i := range s.Rows {
		chunk.Lengths[i] = 1
		if i < len(texts) {
			chunk.Lengths[i] = int32(copy(chunk.IDs[i*s.Tokens:(i+1)*s.Tokens], c.Texts[texts[i]]))
		}
	}
	return chunk
}
