package clicks

import (
	"fmt"
	"hash/fnv"
	"math"
	"time"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/fit"
)

// Shown is an item of a list.
type Shown struct {
	Item       string
	Slot       int     // from 1
	Propensity float64 // with which the policy showed it there, in (0, 1]
	Features   ranker.Features
}

// Decision is a list that was shown.
type Decision struct {
	ID    string // the recommendation's
	Time  time.Time
	Items []Shown
}

// Outcome is an event that carries a recommendation's id.
type Outcome struct {
	Decision, Item string
	Objective      string // its type
	Value          float64
	Time           time.Time
}

// Options of a join. A zero field means its default.
type Options struct {
	// Objectives that count. nil: [DefaultObjectives].
	Objectives []Objective
	// Clip is the most that an inverse propensity weighs, at least 1. Default 10.
	Clip float64
	// HeldOut is the share of decisions that is kept apart, in [0, 0.9]; negative: none.
	// Default 0.2.
	HeldOut float64
	// Outcomes, Samples and Judged bound what is kept: outcomes that wait for their decision
	// (1,000,000), samples (100,000) and impressions kept apart (200,000).
	Outcomes, Samples, Judged int
}

// Report counts what was joined and what was left out.
type Report struct {
	Decisions int // that were read
	Acted     int // on which somebody acted, by some objective
	// By objective, in their order: items that were acted on.
	ByObjective []int
	Outcomes    int // that were read and are of an objective
	// Left out: outcomes of no decision that was read, of an item that it did not show, and
	// outside their window; decisions that are malformed; and what is past a bound.
	Unjoined, Strange, OutsideWindow, Malformed, PastBound int
}

// key names an outcome: each counts once.
type key struct {
	item      string
	objective int
}

// Log joins.
type Log struct {
	o        Options
	names    map[string]int // of objectives
	waiting  map[string]map[key]time.Time
	samples  []fit.Sample
	judged   []Judged
	report   Report
	outcomes int // that wait
}

// Judged is an impression that was kept apart.
type Judged struct {
	// Features with Position as the item stood.
	Features ranker.Features
	acted    uint32
}

// Acted reports whether an objective, by its place among the options', came to pass.
func (j *Judged) Acted(objective int) bool { return j.acted&(1<<objective) != 0 }

// New begins a join.
func New(o Options) (*Log, error) {
	if o.Objectives == nil {
		o.Objectives = DefaultObjectives()
	}
	if o.Clip == 0 {
		o.Clip = 10
	}
	if o.HeldOut == 0 {
		o.HeldOut = 0.2
	}
	o.HeldOut = max(o.HeldOut, 0)
	for _, d := range []struct {
		field *int
		usual int
		name  string
	}{{&o.Outcomes, 1_000_000, "Outcomes"}, {&o.Samples, 100_000, "Samples"}, {&o.Judged, 200_000, "Judged"}} {
		if *d.field == 0 {
			*d.field = d.usual
		}
		if *d.field < 1 {
			return nil, fmt.Errorf("%w: %s is %d; it must be at least 1", ErrOptions, d.name, *d.field)
		}
	}
	if !(o.Clip >= 1 && o.Clip <= 1e6) || !(o.HeldOut <= 0.9) {
		return nil, fmt.Errorf("%w: Clip is %v and HeldOut %v; they must lie in [1, 1e6] and [0, 0.9]", ErrOptions, o.Clip, o.HeldOut)
	}
	if err := checkObjectives(o.Objectives); err != nil {
		return nil, err
	}
	l := &Log{o: o, names: map[string]int{}, waiting: map[string]map[key]time.Time{}, report: Report{ByObjective: make([]int, len(o.Objectives))}}
	for i, objective := range o.Objectives {
		l.names[objective.Name] = i
	}
	return l, nil
}

// Objectives are those that count.
func (l *Log) Objectives() []Objective { return l.o.Objectives }

// Outcome notes an event. Those that are of no objective are passed over; of several alike the
// first in time counts.
func (l *Log) Outcome(x Outcome) {
	objective, ok := l.names[x.Objective]
	if !ok || x.Decision == "" || l.o.Objectives[objective].Least != 0 && !(x.Value >= l.o.Objectives[objective].Least) {
		return
	}
	l.report.Outcomes++
	of, k := l.waiting[x.Decision], key{x.Item, objective}
	if before, ok := of[k]; ok {
		if x.Time.Before(before) {
			of[k] = x.Time
		}
		return
	}
	if l.outcomes == l.o.Outcomes {
		l.report.PastBound++
		return
	}
	if of == nil {
		of = map[key]time.Time{}
		l.waiting[x.Decision] = of
	}
	of[k] = x.Time
	l.outcomes++
}

// Decision joins a list with what was noted for it. Each is told once.
func (l *Log) Decision(d Decision) {
	l.report.Decisions++
	of := l.waiting[d.ID]
	delete(l.waiting, d.ID)
	l.outcomes -= len(of)
	if !wellFormed(&d) {
		l.report.Malformed++
		return
	}
	acted := l.match(&d, of)
	rows := make([]ranker.Features, len(d.Items))
	for i := range d.Items {
		rows[i] = d.Items[i].Features
		rows[i][ranker.Position] = -float32(math.Log(float64(d.Items[i].Slot)))
	}
	if apart(d.ID) < l.o.HeldOut {
		l.judge(rows, acted)
		return
	}
	for i, mask := range acted {
		if mask == 0 {
			continue
		}
		if len(l.samples) == l.o.Samples {
			l.report.PastBound++
			continue
		}
		weight := min(1/d.Items[i].Propensity, l.o.Clip) * l.worth(mask)
		l.samples = append(l.samples, fit.Sample{Rows: rows, Chosen: i, Weight: weight})
	}
}

// wellFormed reports whether a decision can be learned from.
func wellFormed(d *Decision) bool {
	for i := range d.Items {
		x := &d.Items[i]
		if x.Slot < 1 || !(x.Propensity > 0 && x.Propensity <= 1) {
			return false
		}
		for _, v := range x.Features {
			if !(math.Abs(float64(v)) < 1e6) {
				return false
			}
		}
	}
	return len(d.Items) > 0
}

// match returns for each item the objectives that came to pass, as bits.
func (l *Log) match(d *Decision, of map[key]time.Time) []uint32 {
	acted, left, any := make([]uint32, len(d.Items)), len(of), false
	for i := range d.Items {
		for objective := range l.o.Objectives {
			at, ok := of[key{d.Items[i].Item, objective}]
			if !ok {
				continue
			}
			left--
			if passed := at.Sub(d.Time); passed < 0 || passed > l.o.Objectives[objective].Window {
				l.report.OutsideWindow++
				continue
			}
			acted[i] |= 1 << objective
			l.report.ByObjective[objective]++
			any = true
		}
	}
	l.report.Strange += max(0, left)
	if any {
		l.report.Acted++
	}
	return acted
}

// worth is the sum of the weights of objectives.
func (l *Log) worth(mask uint32) (sum float64) {
	for i := range l.o.Objectives {
		if mask&(1<<i) != 0 {
			sum += l.o.Objectives[i].Weight
		}
	}
	return sum
}

// judge keeps the impressions of a list apart.
func (l *Log) judge(rows []ranker.Features, acted []uint32) {
	for i := range rows {
		if len(l.judged) == l.o.Judged {
			l.report.PastBound++
			continue
		}
		l.judged = append(l.judged, Judged{Features: rows[i], acted: acted[i]})
	}
}

// apart is a number in [0, 1) made of a decision's id.
func apart(id string) float64 {
	h := fnv.New64a()
	h.Write([]byte(id)) // never fails
	x := h.Sum64()
	x ^= x >> 32 // the last letters of an id reach the upper bits of FNV late
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	return float64(x>>11) / (1 << 53)
}

// Samples are the choices to train on. Their weights have the mean 1, so that the pull to a
// prior means the same whatever objectives weigh.
func (l *Log) Samples() []fit.Sample {
	sum := 0.0
	for i := range l.samples {
		sum += l.samples[i].Weight
	}
	out := make([]fit.Sample, len(l.samples))
	for i, s := range l.samples {
		s.Weight *= float64(len(l.samples)) / sum
		out[i] = s
	}
	return out
}

// HeldOut are the impressions of the decisions that were kept apart.
func (l *Log) HeldOut() []Judged { return l.judged }

// Report says what became of all that was told. Outcomes that still wait are unjoined.
func (l *Log) Report() Report {
	r := l.report
	r.Unjoined = l.outcomes
	return r
}
