package evaluate

import (
	"time"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/loadtest/metrics"
)

// Window is a part of the log that was asked, and what was found there.
type Window struct {
	TrainedUntil time.Time `json:"trained_until"` // where validation begins, too
	From         time.Time `json:"from"`
	Until        time.Time `json:"until"` // exclusive
	TrainEvents  int       `json:"train_events"`
	Figures
	Coverage float64 `json:"coverage"`
}

// entry is one of those that were asked in a window: the first is what is evaluated.
type entry struct {
	answers  []answer
	coverage float64
	beyond   Beyond
	micros   float64
	note     string
}

// outcome is of one window.
type outcome struct {
	result  Result
	window  dataset.Window
	queries []dataset.Query
	entries []entry // what is evaluated, then the contenders
}

// join makes one result of the windows.
func (o Options) join(outcomes []outcome) (Result, error) {
	result := outcomes[len(outcomes)-1].result // the last one's training and weights
	var queries []dataset.Query
	for _, w := range outcomes {
		queries = append(queries, w.queries...)
		if w.window.Until != 0 {
			own := w.entries[0]
			from, until := w.window.From, w.window.Until
			if o.Split == Valid {
				from, until = w.window.ValidFrom, w.window.From
			}
			result.Windows = append(result.Windows, Window{TrainedUntil: at(w.window.ValidFrom), From: at(from), Until: at(until),
				TrainEvents: w.window.TrainEvents, Figures: figures(own.answers, everyAnswer), Coverage: own.coverage})
		}
	}
	users := numbered(queries)
	own := together(outcomes, 0)
	result.Figures, result.Coverage, result.MicrosPerCase, result.Beyond = figures(own.answers, everyAnswer), own.coverage, own.micros, &own.beyond
	if o.Cold > 0 {
		cold := figures(own.answers, func(a answer) bool { return a.cold })
		warm := figures(own.answers, func(a answer) bool { return !a.cold })
		result.Cold, result.Warm = &cold, &warm
	}
	var err error
	if result.Intervals, err = o.intervals(users, nil, own.answers); err != nil {
		return result, err
	}
	for i, c := range o.Compare {
		e := together(outcomes, i+1)
		compared := Compared{Name: c.Name, Is: c.what(), Spec: c.Spec, Figures: figures(e.answers, everyAnswer), Coverage: e.coverage,
			MicrosPerCase: e.micros, Beyond: &e.beyond, Note: e.note}
		if compared.Difference, err = o.intervals(users, own.answers, e.answers); err != nil {
			return result, err
		}
		result.Compared = append(result.Compared, compared)
	}
	return result, nil
}

func everyAnswer(answer) bool { return true }

func at(millis int64) time.Time { return time.UnixMilli(millis).UTC() }

// together joins an entry over windows: answers as they are, the rest as means by questions.
func together(outcomes []outcome, i int) entry {
	if len(outcomes) == 1 {
		return outcomes[0].entries[i]
	}
	var all entry
	total, calibrated := 0.0, 0.0
	miscalibration := 0.0
	var queries []dataset.Query
	for _, w := range outcomes {
		total += float64(len(w.queries))
		queries = append(queries, w.queries...)
	}
	for _, w := range outcomes {
		e, share := w.entries[i], float64(len(w.queries))/total
		all.answers = append(all.answers, e.answers...)
		all.note = e.note
		all.coverage += share * e.coverage
		all.micros += share * e.micros
		b, from := &all.beyond, e.beyond
		if from.LabelDistance != nil { // of the catalog, so of all windows or of none
			if b.LabelDistance == nil {
				b.LabelDistance = new(float64)
			}
			*b.LabelDistance += share * *from.LabelDistance
		}
		b.VectorDistance += share * from.VectorDistance
		b.Novelty += share * from.Novelty
		b.Popularity += share * from.Popularity
		b.Gini += share * from.Gini
		for d := range metrics.Deciles {
			b.Exposure[d] += share * from.Exposure[d]
		}
		if from.Miscalibration != nil {
			miscalibration += share * *from.Miscalibration
			calibrated += share
		}
		b.addMakers(from.Makers, share)
	}
	if calibrated > 0 {
		miscalibration /= calibrated
		all.beyond.Miscalibration = &miscalibration
	}
	all.beyond.ByActivity = byActivity(queries, all.answers)
	all.beyond.ActivityGap = gap(all.beyond.ByActivity)
	return all
}

func (b *Beyond) addMakers(m *Makers, share float64) {
	if m == nil {
		return
	}
	if b.Makers == nil {
		b.Makers = &Makers{By: m.By, Count: m.Count}
	}
	b.Makers.Unseen += share * m.Unseen
	b.Makers.Disparity += share * m.Disparity
	b.Makers.Largest += share * m.Largest
	b.Makers.LargestCatalog += share * m.LargestCatalog
}

func day(t time.Time) string { return t.Format(time.DateOnly) }
