package decisions

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/loadtest/ope"
	"github.com/kindred-rec/kindred/loadtest/ope/internal/faults"
)

// ErrSampled: the scores of all candidates are needed, and the log has a sample of them.
var ErrSampled = errors.New("decisions: the losers are a sample")

// TargetOptions say how a target deals with what the log leaves open.
type TargetOptions struct {
	// KeepForced keeps slots that were logged with propensity 1 as they are.
	KeepForced bool
	// Estimate lets a sample of the losers stand for all. The result is approximate.
	Estimate bool
}

// softmax draws each slot in proportion to exp(score·inverse) from the candidates that are left.
type softmax struct {
	log        *Log
	inverse    float64 // 1/temperature; 0: uniform
	keepForced bool
	best       []float64 // [decisions] largest score of a loser
	losers     []float64 // [decisions] weight of all that were not shown, relative to a loser with the largest score
}

// Uniform is the policy that draws each slot evenly from the candidates that are left. It is an ope.Chooser, unless a
// decision had candidates that were not shown of which none is logged.
func (l *Log) Uniform(o TargetOptions) ope.Target {
	s := l.softmax(0, o.KeepForced)
	if _, none := l.sampled(); none > 0 {
		return withoutChoices{s}
	}
	return s
}

// withoutChoices hides the alternatives of a target.
type withoutChoices struct{ of ope.Target }

func (w withoutChoices) Probability(row int) float64 { return w.of.Probability(row) }

// sampled counts decisions whose losers are a sample, and those of them whose sample is empty.
func (l *Log) sampled() (sampled, none int) {
	for i := range l.decisions {
		d := &l.decisions[i]
		if d.unshown() > d.last-d.loser {
			sampled++
			if d.last == d.loser {
				none++
			}
		}
	}
	return sampled, none
}

// Temperature is the policy that draws each slot in proportion to exp(score/t) from the candidates that are left.
func (l *Log) Temperature(t float64, o TargetOptions) (ope.Chooser, error) {
	if !(t > 0) || math.IsInf(t, 1) {
		return nil, fmt.Errorf("decisions: temperature %v; must be above 0 and finite", t)
	}
	sampled, none := l.sampled()
	switch {
	case none > 0:
		return nil, fmt.Errorf("%w: %d of %d decisions log no loser at all, so that another temperature's probabilities are unknown", ErrSampled, none, len(l.decisions))
	case sampled > 0 && !o.Estimate:
		return nil, fmt.Errorf("%w: in %d of %d decisions not every candidate is logged, so that another temperature's probabilities can only be estimated; allow that, or have more losers logged",
			ErrSampled, sampled, len(l.decisions))
	case sampled > 0:
		l.Notes = append(l.Notes, fmt.Sprintf("approximate: in %d of %d decisions the target's probabilities are estimated from a sample of the losers", sampled, len(l.decisions)))
	}
	return l.softmax(1/t, o.KeepForced), nil
}

func (l *Log) softmax(inverse float64, keepForced bool) *softmax {
	s := &softmax{log: l, inverse: inverse, keepForced: keepForced, best: make([]float64, len(l.decisions)), losers: make([]float64, len(l.decisions))}
	for i := range l.decisions {
		d := &l.decisions[i]
		losers := l.losers[d.loser:d.last]
		if inverse == 0 { // the number of candidates is known, also where none of the losers is logged
			s.losers[i] = float64(d.unshown())
			continue
		}
		s.best[i] = math.Inf(-1)
		for _, o := range losers {
			s.best[i] = max(s.best[i], o.score)
		}
		for _, o := range losers {
			s.losers[i] += s.weight(o.score, s.best[i]) * d.share()
		}
	}
	return s
}

// unshown is how many candidates were not shown.
func (d *decision) unshown() int32 { return d.candidates - (d.end - d.first) }

// share is how many that were not shown a logged loser stands for.
func (d *decision) share() float64 { return float64(d.unshown()) / float64(d.last-d.loser) }

// weight is relative to that of the best score, so that no power overflows.
func (s *softmax) weight(score, best float64) float64 { return math.Exp((score - best) * s.inverse) }

// left gives the best score among the candidates that are left for a row, and the weight of all of them relative to it, at
// least 1.
func (s *softmax) left(row int32) (best, weight float64) {
	at := s.log.Rows[row].Decision
	shown := s.log.shown[row:s.log.decisions[at].end]
	best = shown[0].score
	for _, o := range shown {
		best = max(best, o.score)
	}
	if s.losers[at] > 0 && s.inverse > 0 {
		best = max(best, s.best[at])
	}
	for _, o := range shown {
		weight += s.weight(o.score, best)
	}
	if s.losers[at] > 0 {
		weight += s.losers[at] * s.weight(s.best[at], best)
	}
	return best, weight
}

func (s *softmax) forced(row int) bool { return s.keepForced && s.log.Rows[row].Propensity == 1 }

func (s *softmax) Probability(row int) float64 {
	if s.forced(row) {
		return 1
	}
	best, weight := s.left(int32(row))
	return s.weight(s.log.shown[row].score, best) / weight
}

// Choices gives the shown items from the row on, and the losers, each with what it stands for.
func (s *softmax) Choices(row int, dst []ope.Choice) []ope.Choice {
	d := &s.log.decisions[s.log.Rows[row].Decision]
	if s.forced(row) {
		o := s.log.shown[row]
		return append(dst, ope.Choice{Action: o.action, Probability: 1, Features: o.features})
	}
	best, weight := s.left(int32(row))
	for _, o := range s.log.shown[row:d.end] {
		dst = append(dst, ope.Choice{Action: o.action, Probability: s.weight(o.score, best) / weight, Features: o.features})
	}
	for _, o := range s.log.losers[d.loser:d.last] {
		dst = append(dst, ope.Choice{Action: o.action, Probability: s.weight(o.score, best) * d.share() / weight, Features: o.features})
	}
	return dst
}

// given is a target whose probabilities come from a file.
type given []float64 // [rows]

func (g given) Probability(row int) float64 { return g[row] }

// given row of a target file.
type givenRow struct {
	RecommendationID string   `json:"recommendation_id"`
	Slot             int      `json:"slot"` // from 1
	Probability      *float64 `json:"probability"`
}

// FromFile reads a target's probabilities of the logged items: JSON objects of recommendation_id, slot (from 1) and
// probability (0 to 1), one for each slot of each decision. Those of other decisions are counted in Notes.
func (l *Log) FromFile(path string) (ope.Target, error) {
	target, bad, foreign := make(given, len(l.Rows)), faults.List{}, 0
	for i := range target {
		target[i] = math.NaN()
	}
	err := eachMessage(path, func(line int64, message json.RawMessage) error {
		var g givenRow
		if err := json.Unmarshal(message, &g); err != nil {
			bad.Add(path, line, "", "", "%v", err)
			return nil
		}
		number, known := l.index[g.RecommendationID]
		if !known {
			foreign++
			return nil
		}
		d := &l.decisions[number]
		row := int(d.first) + g.Slot - 1
		switch {
		case g.Slot < 1 || row >= int(d.end):
			bad.Add(path, line, "slot", fmt.Sprint(g.Slot), "decision %q has slots 1 to %d", d.id, d.end-d.first)
		case g.Probability == nil || !(*g.Probability >= 0 && *g.Probability <= 1):
			bad.Add(path, line, "probability", "", "is missing, or not from 0 to 1")
		case !math.IsNaN(target[row]):
			bad.Add(path, line, "slot", fmt.Sprint(g.Slot), "of decision %q comes twice", d.id)
		default:
			target[row] = *g.Probability
		}
		return nil
	})
	if err == nil {
		err = bad.Err()
	}
	if err != nil {
		return nil, err
	}
	if foreign > 0 {
		l.Notes = append(l.Notes, fmt.Sprintf("%d probabilities in %s are of other decisions", foreign, path))
	}
	return target, l.missing(target, path)
}

// missing tells of rows that a target file has nothing about.
func (l *Log) missing(target given, path string) error {
	n, first := 0, 0
	for i := len(target) - 1; i >= 0; i-- {
		if math.IsNaN(target[i]) {
			n, first = n+1, i
		}
	}
	if n == 0 {
		return nil
	}
	d := &l.decisions[l.Rows[first].Decision]
	return fmt.Errorf("decisions: %s has no probability for %d of %d slots, the first being slot %d of %q", path, n, len(target), first-int(d.first)+1, d.id)
}
