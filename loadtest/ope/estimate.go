package ope

import (
	"fmt"
	"math"
)

// Estimator is a way from a log to the value of a policy.
type Estimator string

const (
	// Logged is the mean reward of the log itself: the value of the policy that made it.
	Logged Estimator = "logged"
	// IPS weighs each reward by how much more often the target would have earned it (Horvitz and Thompson, 1952). Unbiased.
	IPS Estimator = "ips"
	// SNIPS divides by the sum of the weights, slot by slot (Swaminathan and Joachims, 2015). A little biased in short logs,
	// narrower, and within the rewards' range.
	SNIPS Estimator = "snips"
	// DR corrects a reward model by the weighted errors that it makes on the log (Dudík et al., 2011). Unbiased, and narrower
	// the better the model.
	DR Estimator = "dr"
	// DM believes the reward model. For comparison alone: its error is unknown, and it has no interval.
	DM Estimator = "dm"
)

// cell is what a cluster adds to one step of an estimate: a sum, what the sum is divided by, and how many rows it has.
type cell struct {
	step    int32
	a, b, m float64
}

// sample holds an estimate as sums over clusters: value = Σ over steps of (M_k/N)·(A_k/B_k), with capitals the sums of the
// cells' fields and N the decisions. A mean is the case of one step with b = m = decisions.
type sample struct {
	steps     int
	first     []int32 // [clusters+1] where a cluster's cells begin
	cells     []cell
	decisions []float64 // [clusters]
}

func (s *sample) clusters() int { return len(s.decisions) }

// estimateOf computes value and standard error of a resample in which cluster c stands count[c] times; nil: once. The
// standard error is that of the linearised estimate, clusters being independent. ok is false where a step has no weight at
// all, and so no ratio.
func (s *sample) estimateOf(count []uint16, steps []cell) (value, se float64, ok bool) {
	clear(steps)
	var n float64
	for c := range s.decisions {
		times := timesOf(count, c)
		if times == 0 {
			continue
		}
		n += times * s.decisions[c]
		for _, v := range s.cells[s.first[c]:s.first[c+1]] {
			t := &steps[v.step]
			t.a, t.b, t.m = t.a+times*v.a, t.b+times*v.b, t.m+times*v.m
		}
	}
	for _, t := range steps {
		if t.b > 0 {
			value += t.m / n * (t.a / t.b)
		} else if t.m > 0 {
			return 0, 0, false
		}
	}
	var squares, clusters float64
	for c := range s.decisions {
		times := timesOf(count, c)
		if times == 0 {
			continue
		}
		influence := -value * s.decisions[c]
		for _, v := range s.cells[s.first[c]:s.first[c+1]] {
			t := &steps[v.step]
			ratio := t.a / t.b
			influence += t.m/t.b*(v.a-ratio*v.b) + ratio*v.m
		}
		squares += times * influence * influence
		clusters += times
	}
	return value, math.Sqrt(squares*clusters/max(1, clusters-1)) / n, true
}

func timesOf(count []uint16, c int) float64 {
	if count == nil {
		return 1
	}
	return float64(count[c])
}

// value and se of the whole sample.
func (s *sample) estimate() (value, se float64, ok bool) {
	return s.estimateOf(nil, make([]cell, s.steps))
}

// meanSample makes the sample of a mean over decisions of the sum of their rows' values.
func meanSample(log *Log, value func(row int) float64) *sample {
	n := log.clusters()
	s := &sample{steps: 1, first: make([]int32, n+1), cells: make([]cell, n), decisions: decisionsOf(log)}
	for c := range n {
		s.first[c+1] = int32(c + 1)
		s.cells[c].b, s.cells[c].m = s.decisions[c], s.decisions[c]
	}
	for i := range log.Rows {
		s.cells[log.cluster(log.Rows[i].Decision)].a += value(i)
	}
	return s
}

// ratioSample makes the sample of a self-normalised mean: rewards and weights of each place in the lists apart.
func ratioSample(log *Log, weight []float64) *sample {
	n, longest := log.clusters(), make([]int32, log.clusters())
	eachStep(log, func(_ int, cluster, step int32) { longest[cluster] = max(longest[cluster], step+1) })
	s := &sample{first: make([]int32, n+1), decisions: decisionsOf(log)}
	for c, length := range longest {
		s.first[c+1] = s.first[c] + length
		s.steps = max(s.steps, int(length))
	}
	s.cells = make([]cell, s.first[n])
	eachStep(log, func(i int, cluster, step int32) {
		v := &s.cells[s.first[cluster]+step]
		v.step, v.a, v.b, v.m = step, v.a+weight[i]*log.Rows[i].Reward, v.b+weight[i], v.m+1
	})
	return s
}

// eachStep visits the rows with their cluster and their place in the decision, from 0.
func eachStep(log *Log, visit func(row int, cluster, step int32)) {
	last, step := int32(-1), int32(0)
	for i := range log.Rows {
		d := log.Rows[i].Decision
		if d != last {
			last, step = d, 0
		}
		visit(i, log.cluster(d), step)
		step++
	}
}

func decisionsOf(log *Log) []float64 {
	n := make([]float64, log.clusters())
	for d := range log.Decisions() {
		n[log.cluster(int32(d))]++
	}
	return n
}

// sampleOf makes the sample of an estimator. e is nil where no model was fitted.
func sampleOf(by Estimator, log *Log, w *weights, e *expected) *sample {
	switch by {
	case Logged:
		return meanSample(log, func(i int) float64 { return log.Rows[i].Reward })
	case IPS:
		return meanSample(log, func(i int) float64 { return w.row[i] * log.Rows[i].Reward })
	case SNIPS:
		return ratioSample(log, w.row)
	case DR:
		return meanSample(log, func(i int) float64 {
			return w.row[i]*(log.Rows[i].Reward-e.logged[i]) + w.before[i]*e.target[i]
		})
	case DM:
		return meanSample(log, func(i int) float64 { return e.target[i] })
	}
	panic(fmt.Sprintf("ope: no estimator %q", by)) // unreachable: the callers list the constants
}
