package shop

import (
	"cmp"
	"slices"

	"github.com/kindred-rec/kindred/ranker"
)

// fusionRank is k of reciprocal rank fusion: an item's score is the sum of 1/(k+rank)
// over the lists that have it, its ranks from 1. It needs no common scale of the
// lists' scores. Cormack, Clarke, Buettcher: Reciprocal Rank Fusion outperforms
// Condorcet and individual Rank Learning Methods, SIGIR 2009, who found 60.
const fusionRank = 60

// vectorShare is what the text's vector counts beside words, where some item has all
// words of the text: they then say what is wanted, and meaning orders like matches.
// Where no item has them all, meaning counts as much as words. Of 2,000 known items of
// amazon-office that were looked for by three words of their titles, these were among the
// first ten: words alone .970, fused at .1 .967, .2 .961, .3 .942, .5 .893, 1 .786;
// vector alone .467 (BenchmarkSearchQuality, embedded encoder).
const vectorShare = .2

// match is an item that a search found: its rank by words and by the text's vector, from
// 1; 0: not found that way.
type match struct {
	item          uint32
	byWord, byVec int
	share         float64 // of the vector
}

func reciprocal(rank int) float64 {
	if rank == 0 {
		return 0
	}
	return 1 / float64(fusionRank+rank)
}

func (m match) score() float64 { return reciprocal(m.byWord) + m.share*reciprocal(m.byVec) }

// fuse joins two ranked lists, best first, equal scores by item number. all: some item
// has all words of the text.
func fuse(words, vectors []ranker.Scored, all bool) []match {
	share := 1.
	if all {
		share = vectorShare
	}
	found := make([]match, 0, len(words)+len(vectors))
	for i, h := range words {
		found = append(found, match{item: h.Item, byWord: i + 1, share: share})
	}
	for i, h := range vectors {
		found = append(found, match{item: h.Item, byVec: i + 1, share: share})
	}
	slices.SortFunc(found, func(a, b match) int { return cmp.Compare(a.item, b.item) })
	out := found[:0]
	for _, m := range found {
		if n := len(out); n > 0 && out[n-1].item == m.item {
			out[n-1].byWord += m.byWord
			out[n-1].byVec += m.byVec
			continue
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b match) int {
		return cmp.Or(cmp.Compare(b.score(), a.score()), cmp.Compare(a.item, b.item))
	})
	return out
}

// reasons says why a search found an item.
func (m match) reasons() []Reason {
	var out []Reason
	if m.byWord > 0 {
		out = append(out, Reason{Feature: "lexical_match", Contribution: reciprocal(m.byWord), Text: "Has the words that you searched for"})
	}
	if m.byVec > 0 {
		out = append(out, Reason{Feature: "text_similarity", Contribution: m.share * reciprocal(m.byVec), Text: "Is about what you searched for"})
	}
	return out
}
