package simulate

import "slices"

// gini is how unequally exposures fall on items: 0 where all have the same, near 1 where few have all. 0 for none.
func gini(exposed []int64) float64 {
	sorted := slices.Clone(exposed)
	slices.Sort(sorted)
	var sum, weighted float64
	for i, n := range sorted {
		sum += float64(n)
		weighted += float64(i+1) * float64(n)
	}
	if sum == 0 {
		return 0
	}
	n := float64(len(sorted))
	return 2*weighted/(n*sum) - (n+1)/n
}

// rankTenths writes to which tenth each item belongs, 0 for the most wanted; among equals the lower number is more wanted.
func rankTenths(wanted []float64, tenths []uint8) {
	ranked := make([]scored, len(wanted))
	for i, x := range wanted {
		ranked[i] = scored{i, x}
	}
	slices.SortFunc(ranked, byScore)
	for rank, s := range ranked {
		tenths[s.item] = uint8(rank * 10 / len(ranked))
	}
}
