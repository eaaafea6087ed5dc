package corpus

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Every text of a batch stands whole in the row that is named for it, whatever was
// surveyed, and no more programs are needed than were asked for, and one.
func TestEveryTextHasItsRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &Corpus{}
		for i := range rapid.IntRange(1, 40).Draw(t, "texts") {
			text := slices.Repeat([]int32{int32(i + 1)}, rapid.IntRange(1, 70).Draw(t, "length"))
			c.Texts, c.Longest = append(c.Texts, text), max(c.Longest, len(text))
		}
		most := rapid.IntRange(1, len(c.Texts)).Draw(t, "most")
		p := NewPlanner(c, most, rapid.IntRange(1, 20).Draw(t, "rows"))
		all := make([]int32, len(c.Texts))
		for i := range all {
			all[i] = int32(i)
		}
		batches := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) []int32 {
			return rapid.Permutation(all).Draw(t, "order")[:rapid.IntRange(1, most).Draw(t, "size")]
		}), 1, 10).Draw(t, "batches")
		programs := rapid.IntRange(0, 4).Draw(t, "programs")
		seen := rapid.IntRange(0, len(batches)).Draw(t, "surveyed")
		p.Survey(slices.Values(batches[:seen]), programs)
		if len(p.Shapes()) > programs+1 {
			t.Fatalf("%d plans; want at most %d", len(p.Shapes()), programs+1)
		}
		for _, surveyed := range []bool{false, true} {
			for _, batch := range batches {
				chunks, rows := p.Chunks(batch, surveyed)
				for _, text := range batch {
					row := int(rows[text])
					chunk := chunks[row/p.Rows]
					got := chunk.IDs[row%p.Rows*chunk.Tokens:][:chunk.Lengths[row%p.Rows]]
					if !slices.Equal(got, c.Texts[text]) {
						t.Fatalf("text %d is %v in its row; want %v", text, got, c.Texts[text])
					}
				}
			}
		}
	})
}
