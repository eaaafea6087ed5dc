// Package fit finds the weights of the ranker's linear model from choices that
// were made.
//
// # The problem
//
// The default weights suit no shop perfectly. A tenant's own log tells what
// people chose next; the weights should make those choices probable, and stay
// near the defaults where the log says little.
//
// # The choices
//
// The model is the conditional logit (McFadden, 1974): of the candidates of one
// request, item i is chosen with probability exp(w·xᵢ)/Σⱼ exp(w·xⱼ). The log
// likelihood is concave; a penalty of Ridge/2·|w - prior|² makes its maximum
// unique and holds weights back that the samples do not speak about. With a
// few dozen features Newton's method gets there in a few steps, without a rate to
// choose and without chance.
//
// Choices from a list that was shown are not those of candidates alone: what stands
// further down is looked at less. Rows of such a list have ranker.Position set to minus
// the logarithm of their slot, and its weight e is fitted with the others: slot k is then
// examined as often as k^-e says (Craswell et al., 2008, for examination; Guo et al., PAL,
// 2019, for fitting it jointly and leaving it out when serving).
//
// # How to use it
//
// A sample is the candidates of one request, as ranker.Response.Items and Losers
// give them, with the one that was chosen. The features must come from before
// the choice: counts that already hold it would teach that counts are all.
//
//	weights, report, err := fit.Weights(ctx, samples, ranker.DefaultWeights(), fit.Options{})
//
// # The contract
//
// Weights is pure: equal input gives equal output. It runs on the caller's
// goroutine and looks at the context between passes over the samples.
package fit

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/kindred-rec/kindred/ranker"
)

// ErrSamples: a sample is malformed, or there are none.
var ErrSamples = errors.New("fit: bad samples")

// A Sample is one choice among candidates.
type Sample struct {
	// Rows are the features of all candidates, at least one.
	Rows []ranker.Features
	// Chosen is the index into Rows of the one that was chosen.
	Chosen int
	// Weight of the sample, above 0; 0 means 1.
	Weight float64
}

// Options of a fit. A zero field means its default.
type Options struct {
	// Ridge is the strength of the pull to the prior, above 0: a weight one off the
	// prior costs as much as half of Ridge in log likelihood. Default 1.
	Ridge float64
	// Passes over the samples at most. Default 30.
	Passes int
	// Fixed features keep their prior weight.
	Fixed []ranker.Feature
}

// Report says what a fit came to.
type Report struct {
	Samples, Passes int
	// LossBefore and LossAfter are the mean of -ln(probability of the chosen) under
	// the prior and under the weights found.
	LossBefore, LossAfter float64
	// Converged: further passes would change next to nothing.
	Converged bool
}

const (
	features = int(ranker.FeatureCount)
	enough   = 1e-6 // gain in penalised log likelihood that is next to nothing, per sample
)

// Weights fits. On an error the weights are the prior.
func Weights(ctx context.Context, samples []Sample, prior ranker.Weights, o Options) (ranker.Weights, Report, error) {
	if o.Ridge == 0 {
		o.Ridge = 1
	}
	if o.Passes == 0 {
		o.Passes = 30
	}
	if !(o.Ridge > 0 && o.Ridge < math.MaxInt32) || o.Passes < 1 {
		return prior, Report{}, fmt.Errorf("fit: Ridge is %v and Passes %d; both must be above 0", o.Ridge, o.Passes)
	}
	if err := check(samples, &prior, o.Fixed); err != nil {
		return prior, Report{}, err
	}
	l := likelihood{samples: samples, prior: prior, ridge: o.Ridge}
	for _, f := range o.Fixed {
		l.fixed[f] = true
	}
	w, report, err := l.climb(ctx, o.Passes)
	if err != nil {
		return prior, report, err
	}
	return w, report, w.Validate()
}

func check(samples []Sample, prior *ranker.Weights, fixed []ranker.Feature) error {
	if len(samples) == 0 {
		return fmt.Errorf("%w: there are none", ErrSamples)
	}
	for i := range samples {
		if err := samples[i].Check(); err != nil {
			return fmt.Errorf("sample %d: %w", i, err)
		}
	}
	for _, f := range fixed {
		if f >= ranker.FeatureCount {
			return fmt.Errorf("fit: Fixed names feature %d of %d", f, ranker.FeatureCount)
		}
	}
	return prior.Validate()
}

// Check refuses a sample that cannot be learned from; the error wraps [ErrSamples].
func (s *Sample) Check() error {
	if s.Chosen < 0 || s.Chosen >= len(s.Rows) || !(s.Weight >= 0 && s.Weight < math.MaxInt32) {
		return fmt.Errorf("%w: it chose %d of %d candidates with weight %v", ErrSamples, s.Chosen, len(s.Rows), s.Weight)
	}
	for _, row := range s.Rows {
		for f, x := range row {
			if !(math.Abs(float64(x)) < 1e6) {
				return fmt.Errorf("%w: it has %s %v; it must be finite and below 1e6", ErrSamples, ranker.Feature(f), x)
			}
		}
	}
	return nil
}

// climb takes Newton steps, halved while they do not lead up.
func (l *likelihood) climb(ctx context.Context, passes int) (ranker.Weights, Report, error) {
	w := l.prior
	here := l.at(&w)
	report := Report{Samples: len(l.samples), Passes: 1, LossBefore: -here.log / here.weight, LossAfter: -here.log / here.weight}
	for report.Passes < passes {
		step, err := here.newton(l)
		if err != nil {
			return w, report, err
		}
		for scale := 1.0; ; scale /= 2 {
			if err := ctx.Err(); err != nil {
				return w, report, err
			}
			next := w
			for f := range next {
				next[f] += scale * step[f]
			}
			there := l.at(&next)
			report.Passes++
			gain := there.penalised - here.penalised
			if gain < 0 && scale > 1e-6 && report.Passes < passes {
				continue
			}
			if gain > 0 {
				w, here = next, there
				report.LossAfter = -here.log / here.weight
			}
			if math.Abs(gain) <= enough*here.weight {
				report.Converged = true
				return w, report, nil
			}
			break
		}
	}
	return w, report, nil
}

// likelihood is the function to climb.
type likelihood struct {
	samples []Sample
	prior   ranker.Weights
	ridge   float64
	fixed   [features]bool
}

// A place is what is known of the function at some weights.
type place struct {
	log, penalised, weight float64
	gradient               [features]float64
	curvature              [features][features]float64 // minus the second derivatives, lower half
}

// at sums over the samples.
func (l *likelihood) at(w *ranker.Weights) place {
	var p place
	var odds []float64
	for i := range l.samples {
		odds = p.add(&l.samples[i], w, odds)
	}
	p.penalised = p.log
	for f := range features {
		off := w[f] - l.prior[f]
		p.penalised -= l.ridge / 2 * off * off
		p.gradient[f] -= l.ridge * off
		p.curvature[f][f] += l.ridge
	}
	return p
}

func (p *place) add(s *Sample, w *ranker.Weights, odds []float64) []float64 {
	weight := s.Weight
	if weight == 0 {
		weight = 1
	}
	odds = odds[:0]
	top := math.Inf(-1)
	for i := range s.Rows {
		odds = append(odds, w.ScoreOf(&s.Rows[i]))
		top = max(top, odds[i])
	}
	sum := 0.0
	for i, score := range odds {
		odds[i] = math.Exp(score - top)
		sum += odds[i]
	}
	var mean [features]float64
	var second [features][features]float64
	for i := range s.Rows {
		q := odds[i] / sum
		if q < 1e-12 {
			continue
		}
		for f, x := range s.Rows[i] {
			if x == 0 {
				continue
			}
			qx := q * float64(x)
			mean[f] += qx
			for g := range f + 1 {
				second[f][g] += qx * float64(s.Rows[i][g])
			}
		}
	}
	p.weight += weight
	p.log += weight * math.Log(odds[s.Chosen]/sum)
	for f := range features {
		p.gradient[f] += weight * (float64(s.Rows[s.Chosen][f]) - mean[f])
		for g := range f + 1 {
			p.curvature[f][g] += weight * (second[f][g] - mean[f]*mean[g])
		}
	}
	return odds
}

// newton is the step to where the function would be highest were it a parabola.
func (p *place) newton(l *likelihood) ([features]float64, error) {
	var step [features]float64
	curvature, gradient := mat.NewSymDense(features, nil), mat.NewVecDense(features, nil)
	for f := range features {
		for g := range f + 1 {
			if !l.fixed[f] && !l.fixed[g] || f == g {
				curvature.SetSym(f, g, p.curvature[f][g])
			}
		}
		if !l.fixed[f] {
			gradient.SetVec(f, p.gradient[f])
		}
	}
	var cholesky mat.Cholesky
	if !cholesky.Factorize(curvature) {
		return step, fmt.Errorf("fit: the curvature is not positive; raise Ridge above %v", l.ridge)
	}
	var solved mat.VecDense
	if err := cholesky.SolveVecTo(&solved, gradient); err != nil {
		return step, fmt.Errorf("fit: %w; raise Ridge above %v", err, l.ridge)
	}
	for f := range features {
		step[f] = solved.AtVec(f)
	}
	return step, nil
}
