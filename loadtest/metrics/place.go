package metrics

import (
	"math"
	"slices"
)

// Places are where all right answers of one user stand in a ranking: from 1, ascending,
// each place once. An answer that was not returned stands behind all items.
type Places []int

// Place finds the right answers among the scores of all items, the largest first. Items of
// equal score are in the worst order: the right ones last. A score that is NaN is below all.
// Answers index scores, each once.
func Place(scores []float64, answers []int) Places {
	right := make([]bool, len(scores))
	for _, a := range answers {
		right[a] = true
	}
	places := make(Places, 0, len(answers))
	for _, a := range answers {
		place := 1
		for i, s := range scores {
			switch order := compare(s, scores[a]); {
			case i == a:
			case order > 0, order == 0 && (!right[i] || i < a): // of two answers the first has the better place
				place++
			}
		}
		places = append(places, place)
	}
	slices.Sort(places)
	return places
}

// compare orders scores, NaN below all.
func compare(a, b float64) int {
	switch {
	case a > b, math.IsNaN(b) && !math.IsNaN(a):
		return 1
	case a < b, math.IsNaN(a) && !math.IsNaN(b):
		return -1
	}
	return 0
}

// within is how many answers stand among the first k.
func (p Places) within(k int) int {
	n := 0
	for _, place := range p {
		if place <= k {
			n++
		}
	}
	return n
}

// HitRate is 1 if an answer stands among the first k, else 0.
func HitRate(p Places, k int) float64 {
	if p.within(k) > 0 {
		return 1
	}
	return 0
}

// Recall is the share of the answers that stand among the first k; 0 without answers.
func Recall(p Places, k int) float64 {
	if len(p) == 0 {
		return 0
	}
	return float64(p.within(k)) / float64(len(p))
}

// Precision is the share of the first k that are answers. k is at least 1.
func Precision(p Places, k int) float64 { return float64(p.within(k)) / float64(k) }

// NDCG is the discounted gain of the first k, 1/log2(1+place) for each answer, over the most
// that as many answers could bring (Järvelin and Kekäläinen, 2002); 0 without answers.
func NDCG(p Places, k int) float64 {
	gain, most := 0.0, 0.0
	for i, place := range p {
		if place <= k {
			gain += 1 / math.Log2(1+float64(place))
		}
		if i < k {
			most += 1 / math.Log2(2+float64(i))
		}
	}
	if most == 0 {
		return 0
	}
	return gain / most
}

// ReciprocalRank is one over the first answer's place; 0 without answers.
func ReciprocalRank(p Places) float64 {
	if len(p) == 0 {
		return 0
	}
	return 1 / float64(p[0])
}

// AveragePrecision is the mean over the answers of the precision at their place, of those
// among the first k; 0 without answers.
func AveragePrecision(p Places, k int) float64 {
	sum := 0.0
	for i, place := range p {
		if place <= k {
			sum += float64(i+1) / float64(place)
		}
	}
	if len(p) == 0 {
		return 0
	}
	return sum / float64(len(p))
}
