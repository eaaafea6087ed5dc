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
// That penalty counts weights alike, although features have different scales: of few samples it
// lets a feature of a wide scale go anywhere, and holds one of a narrow scale whose part it then
// takes. So the prior also counts as PriorSamples further choices, spread over the same
// candidates and made with the probabilities that it gives. They measure what a change does to
// probabilities, whatever the scales: the penalty is PriorSamples times the mean
// Kullback-Leibler divergence of the model from the prior's. Of n samples, the prior has a say of
// PriorSamples/(n+PriorSamples).
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
	// PriorSamples is how many choices the prior counts as, beside the samples: at most 1e9.
	// Default [DefaultPriorSamples]; negative: none.
	PriorSamples float64
	// Passes over the samples at most. Default 30.
	Passes int
	// Fixed features keep their prior weight.
	Fixed []ranker.Feature
}

// DefaultPriorSamples is what Options.PriorSamples is where nothing else is said. In simulated
// shops, weights of 60 to 200 choices from random lists sold less than the prior's, and those of
// a prior that counts as 200 did not.
const DefaultPriorSamples = 200

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
	if o.PriorSamples == 0 {
		o.PriorSamples = DefaultPriorSamples
	}
	if !(o.Ridge > 0 && o.Ridge < math.MaxInt32) || o.Passes < 1 {
		return prior, Report{}, fmt.Errorf("fit: Ridge is %v and Passes %d; both must be above 0", o.Ridge, o.Passes)
	}
	if !(o.PriorSamples <= 1e9) {
		return prior, Report{}, fmt.Errorf("fit: PriorSamples is %v; it must be at most 1e9", o.PriorSamples)
	}
	if err := check(samples, &prior, o.Fixed); err != nil {
		return prior, Report{}, err
	}
	l := likelihood{samples: samples, prior: prior, ridge: o.Ridge}
	l.expect(max(o.PriorSamples, 0))
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
	// share is how many further choices a sample of weight 1 has from the prior, and expected
	// the mean features of those; nil where share is 0.
	share    float64
	expected [][features]float64
}

// expect has the prior count as so many samples.
func (l *likelihood) expect(priorSamples float64) {
	if priorSamples == 0 {
		return
	}
	weight := 0.0
	for i := range l.samples {
		weight += l.samples[i].weight()
	}
	l.share, l.expected = priorSamples/weight, make([][features]float64, len(l.samples))
	var odds []float64
	for i := range l.samples {
		s := &l.samples[i]
		odds, _ = s.odds(&l.prior, odds)
		for k, q := range odds {
			for f, x := range s.Rows[k] {
				l.expected[i][f] += q * float64(x)
			}
		}
	}
}

// weight is the sample's.
func (s *Sample) weight() float64 {
	if s.Weight == 0 {
		return 1
	}
	return s.Weight
}

// odds are the probabilities of the candidates, in odds' memory, and level the logarithm of
// what exp(score) is divided by.
func (s *Sample) odds(w *ranker.Weights, odds []float64) (_ []float64, level float64) {
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
	for i := range odds {
		odds[i] /= sum
	}
	return odds, top + math.Log(sum)
}

// A place is what is known of the function at some weights.
type place struct {
	// log is the likelihood of the samples and weight theirs; penalised has the prior's too.
	log, penalised, weight float64
	gradient               [features]float64
	curvature              [features][features]float64 // minus the second derivatives, lower half
}

// at sums over the samples.
func (l *likelihood) at(w *ranker.Weights) place {
	var p place
	var odds []float64
	for i := range l.samples {
		odds = p.add(l, i, w, odds)
	}
	p.penalised += p.log
	for f := range features {
		off := w[f] - l.prior[f]
		p.penalised -= l.ridge / 2 * off * off
		p.gradient[f] -= l.ridge * off
		p.curvature[f][f] += l.ridge
	}
	return p
}

// add adds a sample, and the choices that the prior makes beside it.
func (p *place) add(l *likelihood, i int, w *ranker.Weights, odds []float64) []float64 {
	s := &l.samples[i]
	weight := s.weight()
	odds, level := s.odds(w, odds)
	var mean [features]float64
	var second [features][features]float64
	for k := range s.Rows {
		q := odds[k]
		if q < 1e-12 {
			continue
		}
		for f, x := range s.Rows[k] {
			if x == 0 {
				continue
			}
			qx := q * float64(x)
			mean[f] += qx
			for g := range f + 1 {
				second[f][g] += qx * float64(s.Rows[k][g])
			}
		}
	}
	chosen := &s.Rows[s.Chosen]
	p.weight += weight
	p.log += weight * (w.ScoreOf(chosen) - level)
	all := weight * (1 + l.share)
	for f := range features {
		p.gradient[f] += weight * (float64(chosen[f]) - mean[f])
		for g := range f + 1 {
			p.curvature[f][g] += all * (second[f][g] - mean[f]*mean[g])
		}
	}
	if l.share == 0 {
		return odds
	}
	further := weight * l.share
	p.penalised -= further * level
	for f, x := range l.expected[i] {
		p.penalised += further * w[f] * x
		p.gradient[f] += further * (x - mean[f])
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
