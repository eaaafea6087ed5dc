package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrProtocol: a log cannot be cut as asked, or a setting of the cut is out of its range.
var ErrProtocol = errors.New("dataset: protocol not possible")

// TimeCut says where in time a log is cut. Its zero value is the defaults.
type TimeCut struct {
	// Test is the share of the events, the last ones, that are asked. Default 0.2.
	Test float64
	// Valid is the share before those for validation. Default 0.1.
	Valid float64
	// PerUser is how many questions a user is asked at most in each part, the first ones. Default 10.
	PerUser int
}

// MaxPerUser and MaxWindows bound a TimeCut and Rolling.
const (
	MaxPerUser = 1_000_000
	MaxWindows = 100
)

func (c TimeCut) withDefaults() (TimeCut, error) {
	if c.Test == 0 {
		c.Test = 0.2
	}
	if c.Valid == 0 {
		c.Valid = 0.1
	}
	if c.PerUser == 0 {
		c.PerUser = 10
	}
	switch {
	case !(c.Test > 0 && c.Test < 1) || !(c.Valid > 0 && c.Valid < 1) || c.Test+c.Valid >= 1:
		return c, fmt.Errorf("%w: a test share of %v and a validation share of %v; each must lie above 0, and both together below 1, since the rest is for training",
			ErrProtocol, c.Test, c.Valid)
	case c.PerUser < 1 || c.PerUser > MaxPerUser:
		return c, fmt.Errorf("%w: %d questions a user; it must lie in [1, %d]", ErrProtocol, c.PerUser, MaxPerUser)
	}
	return c, nil
}

// Window is a split and the time it asks about.
type Window struct {
	*Split
	// From and Until bound the events that are asked: Unix milliseconds, Until exclusive. ValidFrom is where validation
	// begins and training ends.
	ValidFrom, From, Until int64
	// TrainEvents is how many events Train holds.
	TrainEvents int
}

// ByTime cuts the whole log at one moment, as a service would have met it: training holds only what came before what
// validation asks, and that only what came before what the test asks. In leave-one-out, by contrast, a model learns from
// what other users did long after the question (Ji et al., "A critical study on data leakage in recommender system offline
// evaluation", 2023).
//
// Each event of a part is a question whose history is all that its user did before it, also in the same part: histories are
// input only. A user's first event of all is not asked, for there is no history. Seen items are hidden, so that repeats
// count as not found, as in LeaveOneOut. Events of one time are of one part. A log whose times are made up is refused.
func ByTime(src Source, cut TimeCut, opts SplitOptions) (Window, error) {
	windows, err := Rolling(src, 1, cut, opts)
	if err != nil {
		return Window{}, err
	}
	return windows[0], nil
}

// Rolling cuts as ByTime does, several times: the last Test share of the events is parted into so many windows of about as
// many events each, and each window is asked with what came before it. Validation is as large a part before each window.
// Windows share memory.
func Rolling(src Source, windows int, cut TimeCut, opts SplitOptions) ([]Window, error) {
	cut, err := cut.withDefaults()
	if err != nil {
		return nil, err
	}
	if windows < 1 || windows > MaxWindows {
		return nil, fmt.Errorf("%w: %d windows; it must lie in [1, %d]", ErrProtocol, windows, MaxWindows)
	}
	whole, err := gather(src, opts)
	if err != nil {
		return nil, err
	}
	times, err := eventTimes(whole)
	if err != nil {
		return nil, err
	}
	n := float64(len(times))
	at := func(share float64) int64 { // the time before which this share of the events lies
		return times[min(int(math.Round(share*n)), len(times)-1)]
	}
	list := make([]Window, windows)
	for i := range list {
		first, last := 1-cut.Test+cut.Test*float64(i)/float64(windows), 1-cut.Test+cut.Test*float64(i+1)/float64(windows)
		w := Window{ValidFrom: at(first - cut.Valid), From: at(first), Until: at(last)}
		if i == windows-1 {
			w.Until = times[len(times)-1] + 1
		}
		if w.From >= w.Until || w.ValidFrom >= w.From || w.ValidFrom <= times[0] {
			return nil, fmt.Errorf("%w: window %d of %d has no events of its own, or none before it: the log's %d events have too few distinct times; ask for fewer windows or larger shares, or leave one out",
				ErrProtocol, i+1, windows, len(times))
		}
		list[i] = whole.window(w, cut.PerUser)
	}
	return list, nil
}

// eventTimes are the times of all events, ascending.
func eventTimes(s *Split) ([]int64, error) {
	var times []int64
	for _, seq := range s.Train {
		for _, e := range seq.Events {
			if e.Synthetic {
				return nil, fmt.Errorf("%w: the log has no times of its own: those of %q were made up by order; leave one out instead, or give the events times",
					ErrProtocol, seq.User)
			}
			times = append(times, e.Time)
		}
	}
	if len(times) < 3 {
		return nil, fmt.Errorf("%w: a log of %d events; a cut by time needs three at least: one each to train, to validate and to ask", ErrProtocol, len(times))
	}
	slices.Sort(times)
	return times, nil
}

// window cuts a split whose Train holds everything.
func (s *Split) window(w Window, perUser int) Window {
	out := *s
	out.Train, out.Valid = nil, nil
	for _, seq := range s.Train {
		n, _ := slices.BinarySearchFunc(seq.Events, w.ValidFrom, func(e Interaction, at int64) int { return compareTime(e.Time, at) })
		if n > 0 {
			out.Train = append(out.Train, Sequence{User: seq.User, Events: seq.Events[:n:n]})
			w.TrainEvents += n
		}
	}
	out.Valid = questions(s.Train, w.ValidFrom, w.From, perUser)
	from, until, all := w.From, w.Until, s.Train
	out.test = func() ([]Query, error) { return questions(all, from, until, perUser), nil }
	w.Split = &out
	return w
}

// questions are the first events of each user in [from, until) that have a history.
func questions(all []Sequence, from, until int64, perUser int) []Query {
	var queries []Query
	for _, seq := range all {
		first, _ := slices.BinarySearchFunc(seq.Events, from, func(e Interaction, at int64) int { return compareTime(e.Time, at) })
		asked := 0
		for i := max(first, 1); i < len(seq.Events) && seq.Events[i].Time < until && asked < perUser; i++ {
			queries = append(queries, last(seq.User, seq.Events[:i+1]))
			asked++
		}
	}
	return queries
}
