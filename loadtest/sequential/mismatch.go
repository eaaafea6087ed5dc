package sequential

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// prior is how many users' worth of belief the mixture over other shares holds that they are near to those meant.
const prior = 100

// Shares follows how users fall to variants.
type Shares struct {
	share  []float64
	counts []float64
	total  float64
	ratio  float64 // logarithm of the evidence
	p      float64
}

// Mismatch is what the shares of users say.
type Mismatch struct {
	// P is the always-valid p value: it may be looked at after every user.
	P float64
	// ChiSquareP is that of Pearson's test of the counts as they are, which holds for one look; 1 for no users.
	ChiSquareP float64
	// Expected counts, by variant.
	Expected []float64
}

// NewShares starts without users. The shares meant are above 0, at least two; they are scaled to add up to 1.
func NewShares(shares []float64) (*Shares, error) {
	sum := 0.0
	for _, s := range shares {
		if !(s > 0) || math.IsInf(s, 0) {
			return nil, fmt.Errorf("sequential: shares %v: all must be above 0", shares)
		}
		sum += s
	}
	if len(shares) < 2 {
		return nil, fmt.Errorf("sequential: shares %v: at least two are needed", shares)
	}
	m := &Shares{counts: make([]float64, len(shares)), p: 1}
	for _, s := range shares {
		m.share = append(m.share, s/sum)
	}
	return m, nil
}

// Add takes one user of a variant, by its number. Its evidence is how much better a mixture over all shares (a Dirichlet
// distribution around those meant) predicted this user than the shares meant did, and the product over users: a martingale if
// the shares are those meant.
func (m *Shares) Add(variant int) {
	m.ratio += math.Log((prior*m.share[variant]+m.counts[variant])/(prior+m.total)) - math.Log(m.share[variant])
	m.counts[variant]++
	m.total++
	m.p = min(m.p, math.Exp(-m.ratio))
}

// Result is the state so far.
func (m *Shares) Result() Mismatch {
	r := Mismatch{P: m.p, ChiSquareP: 1}
	statistic := 0.0
	for i, c := range m.counts {
		e := m.share[i] * m.total
		r.Expected = append(r.Expected, e)
		if e > 0 {
			statistic += (c - e) * (c - e) / e
		}
	}
	if m.total > 0 {
		r.ChiSquareP = distuv.ChiSquared{K: float64(len(m.counts) - 1)}.Survival(statistic)
	}
	return r
}
