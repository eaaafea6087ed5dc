package metrics

import (
	"math"
	"slices"
)

// Jaccard is the size of what two short sets share over that of what either has; 0 for two
// that are empty: items of which nothing is known are not alike.
func Jaccard(a, b []uint32) float64 {
	both := 0
	for _, x := range a {
		if slices.Contains(b, x) {
			both++
		}
	}
	if both == 0 {
		return 0
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

// IntraList is the mean of distance over the pairs of a list of n, 0 for fewer than two.
func IntraList(n int, distance func(i, j int) float64) float64 {
	sum := 0.0
	for i := range n {
		for j := range i {
			sum += distance(i, j)
		}
	}
	if n < 2 {
		return 0
	}
	return sum / float64(n*(n-1)/2)
}

// Novelty is the mean over a list of −log2(met/users), met[i] being how many of so many users
// met item i; at least one is taken to have. 0 for an empty list.
func Novelty(list []uint32, met []int, users int) float64 {
	if len(list) == 0 || users == 0 {
		return 0
	}
	sum := 0.0
	for _, item := range list {
		sum -= math.Log2(float64(max(1, met[item])) / float64(users))
	}
	return sum / float64(len(list))
}
