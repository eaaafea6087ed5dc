package replay

import (
	"maps"
	"slices"
)

// exposure counts how often each item stood in a first ten. Not safe for concurrent use.
type exposure map[string]int64

func (e exposure) add(shown []string) {
	for _, id := range shown {
		e[id]++
	}
}

// shares is how many of the catalog's items count as the most shown ones in Result.Exposure.
var shares = []float64{0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1}

// ExposurePoint says that the most shown Items of the catalog, a share, took Slots of all slots, a share.
type ExposurePoint struct {
	Items float64 `json:"items"`
	Slots float64 `json:"slots"`
}

// counts is the items' counts, largest first, the never shown ones of the catalog as zeros. A catalog whose size is not
// known, 0, is taken for what was shown.
func (e exposure) counts(catalog int) []int64 {
	counts := slices.Collect(maps.Values(e))
	for len(counts) < catalog {
		counts = append(counts, 0)
	}
	slices.SortFunc(counts, func(a, b int64) int { return int(b - a) })
	return counts
}

// curve is the Lorenz curve from its steep end: what the most shown shares of the catalog took. Nil: nothing was shown.
func curve(counts []int64) []ExposurePoint {
	total := int64(0)
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return nil
	}
	var points []ExposurePoint
	sum, at := int64(0), 0
	for _, share := range shares {
		for ; at < int(share*float64(len(counts))); at++ {
			sum += counts[at]
		}
		if at > 0 {
			points = append(points, ExposurePoint{Items: float64(at) / float64(len(counts)), Slots: float64(sum) / float64(total)})
		}
	}
	return points
}

// gini is Gini's coefficient of counts in falling order: 0 if all are alike, towards 1 if one has all.
func gini(counts []int64) float64 {
	var total, weighted float64
	for i, n := range counts {
		total += float64(n)
		weighted += float64(i+1) * float64(n)
	}
	if total == 0 {
		return 0
	}
	n := float64(len(counts))
	return (n + 1 - 2*weighted/total) / n
}
