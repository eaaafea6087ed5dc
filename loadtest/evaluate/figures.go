package evaluate

import "math"

// An answer is where the target of one question stood, from 1.
type answer struct {
	rank int
	cold bool
}

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
