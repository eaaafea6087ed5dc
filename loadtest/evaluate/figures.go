package evaluate

import "math"

// An answer is where the target of one question stood, from 1, and what was shown.
type answer struct {
	rank  int
	cold  bool
	count uint8 // of shown
	shown [topShown]uint32
}

func newAnswer(rank int, cold bool, shown []uint32) answer {
	a := answer{rank: rank, cold: cold}
	a.count = uint8(copy(a.shown[:], shown))
	return a
}

// list is what was shown, the best first.
func (a *answer) list() []uint32 { return a.shown[:a.count] }

// gain is what the answer adds to NDCG@10.
func (a answer) gain() float64 {
	if a.rank > 10 {
		return 0
	}
	return 1 / math.Log2(1+float64(a.rank))
}

// figures averages over the answers that keep lets pass.
func figures(answers []answer, keep func(answer) bool) Figures {
	var f Figures
	for _, a := range answers {
		if !keep(a) {
			continue
		}
		f.Cases++
		f.MRR += 1 / float64(a.rank)
		if a.rank <= 5 {
			f.HR5++
		}
		if a.rank <= 10 {
			f.HR10++
		}
		f.NDCG10 += a.gain()
	}
	if f.Cases > 0 {
		n := float64(f.Cases)
		f.HR5, f.HR10, f.NDCG10, f.MRR = f.HR5/n, f.HR10/n, f.NDCG10/n, f.MRR/n
	}
	return f
}
