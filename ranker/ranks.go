package ranker

// nearPlaces is the place at which a rank counts half of the first.
const nearPlaces = 10

// userRank and neighbourRank tell the place in a source's list, which says more than that
// the source proposed an item, and less of the scale of its scores.
func userRank(r *run, out []float32) {
	for i := range r.candidates {
		out[i] = nearness(r.candidates[i].userPlace)
	}
}

func neighbourRank(r *run, out []float32) {
	for i := range r.candidates {
		out[i] = nearness(r.candidates[i].neighbourPlace)
	}
}

// nearness is of a place from 1, 0 for none.
func nearness(place uint16) float32 {
	if place == 0 {
		return 0
	}
	return nearPlaces / (nearPlaces + float32(place-1))
}
