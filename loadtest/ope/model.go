package ope

import (
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
)

// RewardModel learns from rows what reward to expect of an action. A bad model costs width, not truth: the doubly robust
// estimate stays unbiased whatever the model says.
type RewardModel interface {
	// Fit learns from the rows with the given numbers, at least one.
	Fit(log *Log, rows []int) (Predictor, error)
}

// Predictor is a fitted RewardModel. Safe for concurrent use.
type Predictor interface {
	// Predict gives the expected reward of an action in a slot. Features may be empty.
	Predict(action, slot int32, features []float32) float64
}

// Means expects of an action in a slot its mean reward there, pulled towards the action's mean over all slots as if Strength
// rows had had that, which is itself pulled towards the mean of all rows. Memory is that of the actions, and of the
// pairs of action and slot that were met.
type Means struct {
	Strength float64 // above 0
}

// Fit counts.
func (m Means) Fit(log *Log, rows []int) (Predictor, error) {
	if !(m.Strength > 0) {
		return nil, fmt.Errorf("%w: Means.Strength is %v; it must be above 0", ErrOptions, m.Strength)
	}
	cells := map[int]moments{} // those met; a slice over all would be long where there are many items
	actions := make([]moments, log.Actions)
	var all moments
	for _, i := range rows {
		r := &log.Rows[i]
		all.add(r.Reward)
		actions[r.Action].add(r.Reward)
		met := cells[log.cell(r.Action, r.Slot)]
		met.add(r.Reward)
		cells[log.cell(r.Action, r.Slot)] = met
	}
	p := &meansTable{log: log, action: make([]float64, log.Actions), cell: make(map[int]float64, len(cells))}
	for a, action := range actions {
		p.action[a] = m.shrink(action, all.sum/all.n)
	}
	for at, met := range cells {
		p.cell[at] = m.shrink(met, p.action[at/log.Slots])
	}
	return p, nil
}

func (m Means) shrink(v moments, towards float64) float64 {
	return (v.sum + m.Strength*towards) / (v.n + m.Strength)
}

type meansTable struct {
	log    *Log
	action []float64       // [actions] what is expected in a slot where the action was not met
	cell   map[int]float64 // by Log.cell
}

func (p *meansTable) Predict(action, slot int32, _ []float32) float64 {
	if v, ok := p.cell[p.log.cell(action, slot)]; ok {
		return v
	}
	return p.action[action]
}

// Ridge is linear in the features, on top of Means: least squares of what Means leaves over, with Penalty times the squared
// length of the coefficients added. The constant is not penalized.
type Ridge struct {
	Means   Means
	Penalty float64 // above 0; features should be of like scale
}

// Fit solves the normal equations. Memory is the square of the number of features.
func (m Ridge) Fit(log *Log, rows []int) (Predictor, error) {
	if !(m.Penalty > 0) {
		return nil, fmt.Errorf("%w: Ridge.Penalty is %v; it must be above 0", ErrOptions, m.Penalty)
	}
	if log.Features == 0 {
		return nil, fmt.Errorf("%w: the log has no features for a ridge regression; use the model of means", ErrOptions)
	}
	base, err := m.Means.Fit(log, rows)
	if err != nil {
		return nil, err
	}
	d := log.Features
	gram, moment := mat.NewSymDense(d+1, nil), mat.NewVecDense(d+1, nil)
	x := mat.NewVecDense(d+1, nil)
	for _, i := range rows {
		r := &log.Rows[i]
		fill(x, r.Features)
		gram.SymRankOne(gram, 1, x)
		moment.AddScaledVec(moment, r.Reward-base.Predict(r.Action, r.Slot, nil), x)
	}
	for j := range d {
		gram.SetSym(j, j, gram.At(j, j)+m.Penalty)
	}
	var factor mat.Cholesky
	if !factor.Factorize(gram) {
		return nil, fmt.Errorf("%w: the features' normal equations cannot be solved; raise Ridge.Penalty above %v", ErrOptions, m.Penalty)
	}
	solved := mat.NewVecDense(d+1, nil)
	if err := factor.SolveVecTo(solved, moment); err != nil {
		return nil, fmt.Errorf("%w: the features' normal equations are near singular (%w); raise Ridge.Penalty above %v", ErrOptions, err, m.Penalty)
	}
	return &linear{base: base, coefficients: solved.RawVector().Data}, nil
}

// fill writes features and a constant 1. Absent features are zeros.
func fill(x *mat.VecDense, features []float32) {
	data := x.RawVector().Data
	clear(data)
	for j, v := range features {
		data[j] = float64(v)
	}
	data[len(data)-1] = 1
}

type linear struct {
	base         Predictor
	coefficients []float64 // [features + 1], the constant last
}

func (p *linear) Predict(action, slot int32, features []float32) float64 {
	sum := p.base.Predict(action, slot, nil) + p.coefficients[len(p.coefficients)-1]
	for j, v := range features {
		sum += p.coefficients[j] * float64(v)
	}
	return sum
}

// expected is what models expect of each row.
type expected struct {
	logged []float64 // [rows] of the logged action
	target []float64 // [rows] mean over the target's choices
}

// crossFit gives each row the expectation of a model that was fitted on other clusters, so that no row is judged by what
// was learned from it (Chernozhukov et al., 2018). Expectations are kept within the rewards met: an extrapolation beyond
// them can only harm.
func crossFit(log *Log, target Chooser, model RewardModel, folds int, seed uint64) (*expected, error) {
	fold := foldOf(log.clusters(), folds, seed)
	of := func(i int) int { return fold[log.cluster(log.Rows[i].Decision)] }
	e := &expected{logged: make([]float64, len(log.Rows)), target: make([]float64, len(log.Rows))}
	low, high := rewardRange(log)
	bounded := func(v float64) float64 { return min(max(v, low), high) }
	var choices []Choice
	for f := range folds {
		var train []int
		for i := range log.Rows {
			if of(i) != f {
				train = append(train, i)
			}
		}
		if len(train) == 0 {
			return nil, fmt.Errorf("%w: %d folds of %d clusters; a fold has nothing to learn from", ErrOptions, folds, log.clusters())
		}
		fitted, err := model.Fit(log, train)
		if err != nil {
			return nil, err
		}
		for i := range log.Rows {
			if of(i) != f {
				continue
			}
			r := &log.Rows[i]
			e.logged[i] = bounded(fitted.Predict(r.Action, r.Slot, r.Features))
			choices = target.Choices(i, choices[:0])
			if err := log.checkChoices(choices, i); err != nil {
				return nil, err
			}
			for _, c := range choices {
				e.target[i] += c.Probability * bounded(fitted.Predict(c.Action, r.Slot, c.Features))
			}
		}
	}
	return e, nil
}

// foldOf deals clusters into folds of like size, at random.
func foldOf(clusters, folds int, seed uint64) []int {
	rng := rand.New(rand.NewPCG(seed, foldStream))
	fold := make([]int, clusters)
	for i, c := range rng.Perm(clusters) {
		fold[c] = i % folds
	}
	return fold
}

// Streams keep the uses of a seed apart.
const (
	foldStream     = 0x666f6c64
	resampleStream = 0x626f6f74
)

func rewardRange(log *Log) (low, high float64) {
	low, high = log.Rows[0].Reward, log.Rows[0].Reward
	for i := range log.Rows {
		low, high = min(low, log.Rows[i].Reward), max(high, log.Rows[i].Reward)
	}
	return low, high
}
