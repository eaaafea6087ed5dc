package sequential

import (
	"fmt"
	"math"
)

const (
	// MinUsers is how many users an arm needs before there is a verdict.
	MinUsers = 100
	// MinActive is how many of them need a numerator other than 0: below it the mean of rare acts is far from normal.
	MinActive = 10
)

// Test is a two-sided sequential test at one level. Immutable.
type Test struct {
	alpha   float64
	mixture float64 // variance of the normal mixture over effects, in standard deviations of a user squared
}

// NewTest gives a test whose intervals fail with a probability of at most alpha, above 0 to 0.5, over all looks, and are
// narrowest when the arms have about so many users together, 1 to 1e12. At other numbers they are wider, and hold as well.
func NewTest(alpha, users float64) (Test, error) {
	if !(alpha > 0 && alpha <= 0.5) || !(users >= 1 && users <= 1e12) {
		return Test{}, fmt.Errorf("sequential: alpha %v at %v users: must be above 0 to 0.5, and 1 to 1e12", alpha, users)
	}
	a := -2 * math.Log(alpha)
	return Test{alpha: alpha, mixture: (a + math.Log(a+1) + 1) / users}, nil
}

// Evidence is what a test says at one look.
type Evidence struct {
	// Enough says whether both arms have enough users for the rest to hold. If not, Low and High are infinite and LogRatio is 0.
	Enough bool
	// Difference of the second arm's ratio to the first's, and its interval.
	Difference, Low, High float64
	// LogRatio is the logarithm of the evidence: how many times likelier the data are with some effect than with none.
	LogRatio float64
}

// Compare looks at the difference from a to b.
func (t Test) Compare(a, b *Arm) Evidence {
	e := Evidence{Difference: b.Ratio() - a.Ratio(), Low: math.Inf(-1), High: math.Inf(1)}
	v := a.variance() + b.variance()
	if !a.enough() || !b.enough() || v == 0 {
		return e
	}
	e.Enough = true
	n := (a.users + b.users) * t.mixture
	wide := math.Sqrt(v * 2 * (1 + 1/n) * (math.Log(1/t.alpha) + math.Log1p(n)/2))
	e.Low, e.High = e.Difference-wide, e.Difference+wide
	e.LogRatio = e.Difference*e.Difference/v*n/(2*(1+n)) - math.Log1p(n)/2
	return e
}

func (a *Arm) enough() bool { return a.users >= MinUsers && a.active >= MinActive }

// Process follows a test over looks.
type Process struct {
	test Test
	// P is the always-valid p value so far: the chance that evidence as strong as the strongest so far would ever be seen
	// without an effect. 1 at first; it never rises.
	P float64
	// Last is the last look.
	Last Evidence
}

// NewProcess starts before the first look.
func NewProcess(test Test) *Process { return &Process{test: test, P: 1} }

// Look looks at two arms, and reports whether this was the look at which P fell to alpha.
func (p *Process) Look(a, b *Arm) (crossed bool) {
	before := p.P
	p.Last = p.test.Compare(a, b)
	p.P = min(p.P, math.Exp(-p.Last.LogRatio))
	return before > p.test.alpha && p.P <= p.test.alpha
}

// Significant says whether P has fallen to alpha.
func (p *Process) Significant() bool { return p.P <= p.test.alpha }
