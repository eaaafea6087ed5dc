package calibrate

import (
	"cmp"
	"slices"
)

// Report says how far a curve's promises are from what came to pass.
type Report struct {
	Impressions int `json:"impressions"`
	// Error is the expected calibration error: over ten parts of the impressions, of like
	// weight and by rising probability, the mean distance between promised and observed rate.
	Error float64 `json:"error"`
	// Brier is the mean of (probability - outcome)², and Base that of promising all the mean
	// rate: a curve that tells is below it.
	Brier float64 `json:"brier"`
	Base  float64 `json:"base"`
	// Parts are the ten, or fewer where there are fewer impressions.
	Parts []Part `json:"parts,omitempty"`
}

// Part is a tenth of the impressions.
type Part struct {
	Promised float64 `json:"promised"` // mean probability
	Observed float64 `json:"observed"` // share that was acted on
	Weight   float64 `json:"weight"`
}

const parts = 10

// Reliability compares a curve with impressions, which should not be those that it was fitted
// on. Of none it is the zero report.
func Reliability(c *Curve, list []Impression) Report {
	r := Report{Impressions: len(list)}
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b Impression) int { return cmp.Compare(c.At(a.Score), c.At(b.Score)) })
	total, acted := 0.0, 0.0
	for i := range sorted {
		total += sorted[i].weight()
		if sorted[i].Acted {
			acted += sorted[i].weight()
		}
	}
	if total == 0 {
		return r
	}
	rate, part, gone := acted/total, Part{}, 0.0
	for i := range sorted {
		p, w := c.At(sorted[i].Score), sorted[i].weight()
		outcome := 0.0
		if sorted[i].Acted {
			outcome = 1
		}
		r.Brier += w * (p - outcome) * (p - outcome) / total
		part.Promised += w * p
		part.Observed += w * outcome
		part.Weight += w
		gone += w
		if gone >= total*float64(len(r.Parts)+1)/parts || i == len(sorted)-1 {
			part.Promised /= part.Weight
			part.Observed /= part.Weight
			r.Error += part.Weight / total * max(part.Promised-part.Observed, part.Observed-part.Promised)
			r.Parts, part = append(r.Parts, part), Part{}
		}
	}
	r.Base = rate * (1 - rate)
	return r
}
