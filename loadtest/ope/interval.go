package ope

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Method is how an interval is made.
type Method string

const (
	// Studentized is the bootstrap-t (Efron, 1982; Hall, 1988): clusters are drawn again, with replacement, and each
	// resample's distance from the estimate is measured in its own standard errors. It follows the skew that large weights
	// and rare rewards bring, where a symmetric interval lies too low.
	Studentized Method = "studentized"
	// Normal is the estimate with its standard error to both sides. For long logs without large weights.
	Normal Method = "normal"
	// Bernstein is the empirical Bernstein bound (Maurer and Pontil, 2009). It holds for every length of a log, and is wide.
	// It needs a bound on weights and rewards (Options.Clip, Log.MaxReward) and independent decisions; it is about the
	// clipped mean. IPS and DR alone.
	Bernstein Method = "bernstein"
	// Gamma is for sums of few weighted rewards (Fay and Feuer, 1997): it reckons with one more reward of the largest weight
	// that did not happen to come. It holds more often than it says, and takes the place of the first two in IPS where less
	// than Options.MinRewards are at work. Not to be chosen.
	Gamma Method = "gamma"
)

// Interval is where the value lies, with the confidence asked for.
type Interval struct {
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Method Method  `json:"method"`
}

// normal gives value ± z·se.
func normal(value, se, confidence float64) Interval {
	z := distuv.UnitNormal.Quantile((1 + confidence) / 2)
	return Interval{value - z*se, value + z*se, Normal}
}

// bernstein bounds the mean of independent values that lie in a range of the given width.
func bernstein(s *sample, confidence, width float64) Interval {
	n := float64(s.clusters())
	var m moments
	for _, c := range s.cells {
		m.add(c.a)
	}
	ln := math.Log(4 / (1 - confidence)) // each side has half of the error, and Theorem 4 spends 2/δ on one side
	half := math.Sqrt(2*m.variance()*ln/n) + 7*width*ln/(3*(n-1))
	value := m.sum / n
	return Interval{value - half, value + half, Bernstein}
}

// gamma bounds the mean of values from 0 of which few are above it. largest is the greatest that one can be.
func gamma(s *sample, confidence, largest float64) Interval {
	var n, sum, squares float64
	for c, v := range s.cells {
		n, sum, squares = n+s.decisions[c], sum+v.a, squares+v.a*v.a
	}
	at := func(sum, squares, q float64) float64 { // a gamma variable with this mean and variance
		return distuv.Gamma{Alpha: sum * sum / squares, Beta: sum / squares}.Quantile(q)
	}
	low := 0.0
	if sum > 0 {
		low = at(sum, squares, (1-confidence)/2)
	}
	return Interval{low / n, at(sum+largest, squares+largest*largest, (1+confidence)/2) / n, Gamma}
}

// studentized gives the bootstrap-t interval of each sample, all from the same resamples. ok is false for a sample that too
// many resamples leave without a spread, so that an end of its interval is unbounded.
func studentized(ctx context.Context, samples []*sample, o Options, progress func(float64)) ([]Interval, []bool, error) {
	rng := rand.New(rand.NewPCG(o.Seed, resampleStream))
	count := make([]uint16, samples[0].clusters())
	t := make([][]float64, len(samples))
	value, se, steps := make([]float64, len(samples)), make([]float64, len(samples)), make([][]cell, len(samples))
	for j, s := range samples {
		steps[j] = make([]cell, s.steps)
		value[j], se[j], _ = s.estimateOf(nil, steps[j])
	}
	for b := range o.Resamples {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		drawCounts(rng, count)
		for j, s := range samples {
			v, spread, ok := s.estimateOf(count, steps[j])
			t[j] = append(t[j], studentRatio(v-value[j], spread, ok))
		}
		if progress != nil {
			progress(float64(b+1) / float64(o.Resamples))
		}
	}
	intervals, bounded := make([]Interval, len(samples)), make([]bool, len(samples))
	for j := range samples {
		slices.Sort(t[j])
		low, high := quantile(t[j], (1-o.Confidence)/2), quantile(t[j], (1+o.Confidence)/2)
		intervals[j] = Interval{value[j] - high*se[j], value[j] - low*se[j], Studentized}
		bounded[j] = !math.IsInf(low, 0) && !math.IsInf(high, 0)
	}
	return intervals, bounded, nil
}

// drawCounts draws as many clusters as there are, with replacement. A cluster cannot come 65,536 times: the chance of
// even 100 is below 1e-150.
func drawCounts(rng *rand.Rand, count []uint16) {
	clear(count)
	n := uint64(len(count))
	for range count {
		count[rng.Uint64N(n)]++
	}
}

// studentRatio is a distance in standard errors. A resample without spread says that the estimate may be any number of
// standard errors off to its side.
func studentRatio(distance, se float64, ok bool) float64 {
	switch {
	case !ok:
		return math.Inf(-1)
	case se > 0:
		return distance / se
	case distance == 0:
		return 0
	}
	return math.Inf(int(math.Copysign(1, distance)))
}

// quantile of sorted values, interpolated between neighbours (type 7 of Hyndman and Fan, 1996).
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	share := at - float64(i)
	switch {
	case share == 0 || math.IsInf(sorted[i], 0):
		return sorted[i]
	case math.IsInf(sorted[i+1], 0):
		return sorted[i+1]
	}
	return sorted[i] + share*(sorted[i+1]-sorted[i])
}
