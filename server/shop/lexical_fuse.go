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

// match is an item that a search found: its rank by words and by the text's vector, from
// 1; 0: not found that way.
type match struct {
	item          uint32
	byWord, byVec int
}

func reciprocal(rank int) float64 {
	if rank == 0 {
		return 0
	}
	return 1 / float64(fusionRank+rank)
}

func (m match) score() float64 { return reciprocal(m.byWord) + reciprocal(m.byVec) }

// fuse joins two ranked lists, best first, equal scores by item number.
func fuse(words, vectors []ranker.Scored) []match {
	all := make([]match, 0, len(words)+len(vectors))
	for i, h := range words {
		all = append(all, match{item: h.Item, byWord: i + 1})
	}
	for i, h := range vectors {
		all = append(all, match{item: h.Item, byVec: i + 1})
	}
	slices.SortFunc(all, func(a, b match) int { return cmp.Compare(a.item, b.item) })
	out := all[:0]
	for _, m := range all {
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
		out = append(out, Reason{Feature: "text_similarity", Contribution: reciprocal(m.byVec), Text: "Is about what you searched for"})
	}
	return out
}
