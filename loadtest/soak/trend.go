package soak

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Trend says whether a series rises.
type Trend struct {
	Median float64 `json:"median"`
	First  float64 `json:"first"`
	Last   float64 `json:"last"`
	// Rise over the time judged by the Theil-Sen slope, as a share of the median.
	Rise float64 `json:"rise"`
	// P is the probability of as much order upwards in a series without a trend (Mann-Kendall, one-sided).
	P      float64 `json:"p"`
	Rising bool    `json:"rising"`
}

// What counts as a rise.
const (
	blocks      = 12   // that a series is cut to
	level       = 0.01 // of the test
	leastRise   = 0.05 // share of the median
	fewestMeans = 5    // below it no order is unlikely enough
)

// judge finds the trend of values at even times, by their means over blocks of the time; less than the floor is no rise, in the
// unit of the values. Fewer than five values have none.
func judge(values []float64, floor float64) Trend {
	return judgeBlocks(inBlocks(values, blocks, stat.Mean), floor)
}

// judgeLows finds the trend of what values come down to within each block: what swings far above a level that stays is flat.
func judgeLows(values []float64, floor float64) Trend {
	return judgeBlocks(inBlocks(values, blocks, func(part, _ []float64) float64 { return slices.Min(part) }), floor)
}

func judgeBlocks(means []float64, floor float64) Trend {
	if len(means) == 0 {
		return Trend{P: 1}
	}
	t := Trend{Median: median(means), First: means[0], Last: means[len(means)-1], P: 1}
	if len(means) < fewestMeans {
		return t
	}
	t.P = mannKendall(means)
	if t.Median != 0 {
		t.Rise = theilSen(means) * float64(len(means)-1) / math.Abs(t.Median)
	}
	t.Rising = t.P < level && t.Rise > leastRise && t.Rise*t.Median > floor
	return t
}

// inBlocks cuts a series into n parts of equal length and gives a figure of each; a shorter series stays as it is.
func inBlocks(values []float64, n int, figure func(part, weights []float64) float64) []float64 {
	if len(values) <= n {
		return slices.Clone(values)
	}
	figures := make([]float64, n)
	for i := range figures {
		figures[i] = figure(values[i*len(values)/n:(i+1)*len(values)/n], nil)
	}
	return figures
}

// mannKendall is the probability, without a trend, of at least as many pairs in rising order, by the normal approximation
// with a correction for continuity and for ties.
func mannKendall(v []float64) float64 {
	s, n := 0.0, float64(len(v))
	ties := map[float64]float64{}
	for i := range v {
		ties[v[i]]++
		for j := i + 1; j < len(v); j++ {
			switch {
			case v[j] > v[i]:
				s++
			case v[j] < v[i]:
				s--
			}
		}
	}
	variance := n * (n - 1) * (2*n + 5)
	for _, k := range ties {
		variance -= k * (k - 1) * (2*k + 5)
	}
	if variance <= 0 || s <= 0 {
		return 1
	}
	z := (s - 1) / math.Sqrt(variance/18)
	return math.Erfc(z/math.Sqrt2) / 2
}

// theilSen is the median slope between all pairs, a step.
func theilSen(v []float64) float64 {
	var slopes []float64
	for i := range v {
		for j := i + 1; j < len(v); j++ {
			slopes = append(slopes, (v[j]-v[i])/float64(j-i))
		}
	}
	return median(slopes)
}

// median of values, 0 for none.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
