package ope

import (
	"fmt"
	"math"
)

// Lists says how the slots of a decision hang together.
type Lists string

const (
	// Cascade: the reward of a slot may depend on what stands before it, not on what stands behind it. The weight of a row is
	// the product of the ratios of its slot and of those before. Unbiased for lists that are drawn slot by slot; the
	// weights grow with the length of the list.
	Cascade Lists = "cascade"
	// Independent: the reward of a slot depends on the context, the item and the slot alone. The weight of a row is its own
	// ratio. Judges the target's choice in each slot behind what the log placed before it: biased where the target's own
	// beginning of the list would leave other choices.
	Independent Lists = "independent"
)

// weights are the importance weights of a log's rows, under a target.
type weights struct {
	target []float64 // [rows] probability of the logged action
	before []float64 // [rows] weight of the decision up to the row; 1 for the first row and for independent slots
	row    []float64 // [rows] weight of the row
	raw    []float64 // [rows] weight of the row, not clipped

	clipped int // rows whose weight was above the bound
}

// newWeights computes the weights; clip 0 leaves them as they are.
func newWeights(log *Log, target Target, lists Lists, clip float64) (*weights, error) {
	n := len(log.Rows)
	flat := make([]float64, 4*n)
	w := &weights{target: flat[:n], before: flat[n : 2*n], row: flat[2*n : 3*n], raw: flat[3*n:]}
	if clip == 0 {
		clip = math.Inf(1)
	}
	product, last := 1.0, int32(-1)
	for i := range log.Rows {
		r := &log.Rows[i]
		p := target.Probability(i)
		if !(p >= 0 && p <= 1+probabilitySlack) {
			return nil, fmt.Errorf("%w: probability %v of the logged action of row %d; must be 0 to 1", ErrTarget, p, i+1)
		}
		if r.Decision != last || lists == Independent {
			product, last = 1, r.Decision
		}
		w.target[i], w.before[i] = p, min(product, clip)
		product *= p / r.Propensity
		w.raw[i], w.row[i] = product, min(product, clip)
		if product > clip {
			w.clipped++
		}
	}
	for _, v := range w.raw {
		if math.IsInf(v, 1) {
			return nil, fmt.Errorf("%w: a weight is beyond what a number holds; the list is too long for %s weights", ErrTarget, lists)
		}
	}
	return w, nil
}

// probabilitySlack forgives rounding in sums of probabilities.
const probabilitySlack = 1e-6

// Support says how much of what the target does the log can tell.
type Support struct {
	// Unexplored is the share of the target's choices that the log never tried, 0 to 1: those in slots that were left no
	// chance and, in a closed log, actions that no row has in the slot.
	Unexplored float64 `json:"unexplored_share"`
	// Effective is Kish's effective number of decisions, (Σw)²/Σw²: so many decisions of the target's own would tell about
	// as much. Of weights at the end of each list for cascades, else of the rows' weights, as a share of all decisions.
	Effective float64 `json:"effective_decisions"`
	// Rewards is the effective number of rewards at work, which intervals need; see Options.MinRewards. The smaller of
	// (Σwr)²/Σ(wr)² over clusters, and of what rewards would come to that fell evenly on all weights,
	// Effective·(mean r)²/(mean r²): the first alone looks large just where the rewards of large weight failed to come.
	Rewards float64 `json:"effective_rewards"`
	// MeanWeight is 1 on average where the log explores all that the target does and its propensities are right.
	MeanWeight   float64 `json:"mean_weight"`
	MeanWeightSE float64 `json:"mean_weight_se"` // its standard error
	MaxWeight    float64 `json:"max_weight"`     // before clipping
	// ClippedShare of the rows had a weight above Options.Clip, and lost together ClippedWeight, a share of all weight.
	ClippedShare  float64 `json:"clipped_share"`
	ClippedWeight float64 `json:"clipped_weight_share"`
}

// support measures the overlap of log and target.
func support(log *Log, target Target, w *weights, lists Lists) (Support, error) {
	unexplored, err := unexploredShare(log, target, w)
	if err != nil {
		return Support{}, err
	}
	s := Support{Unexplored: unexplored, ClippedShare: float64(w.clipped) / float64(len(w.row))}
	var all, kept float64
	var raw, used moments
	for i := range w.row {
		all, kept = all+w.raw[i], kept+w.row[i]
		s.MaxWeight = max(s.MaxWeight, w.raw[i])
		end := i+1 == len(w.row) || log.Rows[i+1].Decision != log.Rows[i].Decision
		if end || lists == Independent {
			raw.add(w.raw[i])
			used.add(w.row[i])
		}
	}
	if all > 0 {
		s.ClippedWeight = 1 - kept/all
	}
	s.MeanWeight, s.MeanWeightSE = raw.sum/raw.n, math.Sqrt(raw.variance()/raw.n)
	if used.squares > 0 {
		s.Effective = used.sum * used.sum / used.squares / used.n * float64(log.Decisions())
	}
	came := meanSample(log, func(i int) float64 { return w.row[i] * log.Rows[i].Reward })
	even := meanSample(log, func(i int) float64 { return log.Rows[i].Reward })
	s.Rewards = min(effective(came), s.Effective/float64(log.clusters())*effective(even))
	return s, nil
}

// effective is Kish's number of the clusters' sums; 0 where all are 0.
func effective(s *sample) float64 {
	var m moments
	for _, v := range s.cells {
		m.add(v.a)
	}
	if m.squares == 0 {
		return 0
	}
	return m.sum * m.sum / m.squares
}

// moments gather a mean and a variance.
type moments struct{ n, sum, squares float64 }

func (m *moments) add(v float64) { m.n, m.sum, m.squares = m.n+1, m.sum+v, m.squares+v*v }

func (m *moments) variance() float64 {
	if m.n < 2 {
		return 0
	}
	return max(0, (m.squares-m.sum*m.sum/m.n)/(m.n-1))
}

// unexploredShare is the mean over rows of the target's probability of what the log never tried.
func unexploredShare(log *Log, target Target, w *weights) (float64, error) {
	chooser, _ := target.(Chooser)
	if !log.Closed {
		chooser = nil // what other decisions showed says nothing of these candidates
	}
	var met []bool // [actions, slots]
	if chooser != nil {
		met = make([]bool, log.Actions*log.Slots)
		for i := range log.Rows {
			met[log.cell(log.Rows[i].Action, log.Rows[i].Slot)] = true
		}
	}
	var sum float64
	var choices []Choice
	for i := range log.Rows {
		r := &log.Rows[i]
		switch {
		case r.Propensity == 1:
			sum += 1 - min(1, w.target[i])
		case chooser != nil:
			choices = chooser.Choices(i, choices[:0])
			if err := log.checkChoices(choices, i); err != nil {
				return 0, err
			}
			for _, c := range choices {
				if !met[log.cell(c.Action, r.Slot)] {
					sum += c.Probability
				}
			}
		}
	}
	return sum / float64(len(log.Rows)), nil
}

// checkChoices sees that a distribution is one, over actions of the log.
func (l *Log) checkChoices(choices []Choice, row int) error {
	sum := 0.0
	for _, c := range choices {
		if c.Action < 0 || int(c.Action) >= l.Actions {
			return fmt.Errorf("%w: action %d in row %d is not among the %d of the log", ErrTarget, c.Action, row+1, l.Actions)
		}
		if !(c.Probability >= 0) {
			return fmt.Errorf("%w: probability %v of action %d in row %d", ErrTarget, c.Probability, c.Action, row+1)
		}
		sum += c.Probability
	}
	if !(math.Abs(sum-1) <= probabilitySlack) {
		return fmt.Errorf("%w: the probabilities of row %d sum to %v, not to 1", ErrTarget, row+1, sum)
	}
	return nil
}
