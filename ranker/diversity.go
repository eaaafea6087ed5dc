package ranker

// diversify reorders picks, which are in order of score, by maximal marginal
// relevance (Carbonell and Goldstein, 1998): each place goes to the candidate
// with the largest (1-λ)·relevance - λ·(closest likeness to those placed), where
// relevance is the score brought to [0, 1] over the picks. Ties go by order.
// The first wanted places are filled; the rest is left in any order. Scores stay
// what they were.
func (r *run) diversify(picks []entry, wanted int, lambda float64) {
	if len(picks) < 2 {
		return
	}
	low, high := picks[len(picks)-1].score, picks[0].score
	scale := 0.0
	if high > low {
		scale = (1 - lambda) / (high - low)
	}
	r.closeness = zeros(r.closeness, len(picks))
	for place := range min(wanted, len(picks)) {
		chosen, value := place, 0.0
		for k := place; k < len(picks); k++ {
			v := scale*(picks[k].score-low) - lambda*float64(r.closeness[k])
			if k == place || v > value || v == value && order(picks[k], picks[chosen]) < 0 {
				chosen, value = k, v
			}
		}
		picks[place], picks[chosen] = picks[chosen], picks[place]
		r.closeness[place], r.closeness[chosen] = r.closeness[chosen], r.closeness[place]
		vector := r.vector(picks[place].item)
		for k := place + 1; k < len(picks); k++ {
			likeness := similarity(vector, r.vector(picks[k].item))
			if place == 0 || likeness > r.closeness[k] {
				r.closeness[k] = likeness
			}
		}
	}
}
