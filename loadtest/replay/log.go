package replay

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// disorder says how far a file was from the order of time.
type disorder struct {
	events   int           // that came after a later one
	furthest time.Duration // behind the latest before it
}

// readLog gives the log in time order. A broken row ends it: a replay that leaves rows out is of another log.
func readLog(source dataset.Source, o Options) ([]dataset.Event, disorder, error) {
	var log []dataset.Event
	var found disorder
	var latest time.Time
	for e, err := range source.Events() {
		if err != nil {
			return nil, found, fmt.Errorf("replay: %w: %w", ErrLog, err)
		}
		if len(log) == o.MaxEvents {
			return nil, found, fmt.Errorf("replay: %w: more than %d events; raise --max-events, at about 500 bytes each", ErrLog, o.MaxEvents)
		}
		if behind := latest.Sub(e.Time); behind > 0 {
			if o.MaxDisorder > 0 && behind > o.MaxDisorder {
				return nil, found, fmt.Errorf("replay: %w: event %d (%s) of %s comes %v after a later one, at most %v is allowed; sort the log by time, or raise --max-disorder (0: any order, it is sorted here)",
					ErrLog, len(log)+1, e.ID, e.Time.Format(time.RFC3339), behind, o.MaxDisorder)
			}
			found.events++
			found.furthest = max(found.furthest, behind)
		} else {
			latest = e.Time
		}
		log = append(log, e)
	}
	if len(log) == 0 {
		return nil, found, fmt.Errorf("replay: %w: it holds no events", ErrLog)
	}
	slices.SortStableFunc(log, func(a, b dataset.Event) int { return a.Time.Compare(b.Time) })
	if o.First > 0 && o.First < len(log) {
		log = log[:o.First]
	}
	if o.Speed > 0 && log[0].Synthetic {
		return nil, found, fmt.Errorf("replay: %w: speed %gx: the log has no times, they are made up; leave --speed out", ErrOptions, o.Speed)
	}
	return log, found, nil
}

// person is who an event is of: the user, or the session where there is no user.
type person struct{ user, session string }

func personOf(e dataset.Event) person {
	if e.User != "" {
		return person{user: e.User}
	}
	return person{session: e.Session}
}

// step is a part of the log that is asked for, then written, as one.
type step struct {
	places []int // in the log
	warmUp bool  // only written
}

// steps cuts the log into what is asked and written one after another: batches of the warm-up, then the waves of each
// window. It depends on the log and the options alone.
func (o Options) steps(log []dataset.Event, warmUp int) iter.Seq[step] {
	return func(yield func(step) bool) {
		for from := 0; from < warmUp; from += writeBatch {
			if !yield(step{places: span(from, min(from+writeBatch, warmUp)), warmUp: true}) {
				return
			}
		}
		for from := warmUp; from < len(log); {
			until := o.windowEnd(log, from)
			for _, wave := range waves(log[from:until]) {
				for i := range wave {
					wave[i] += from
				}
				if !yield(step{places: wave}) {
					return
				}
			}
			from = until
		}
	}
}

func span(from, until int) []int {
	places := make([]int, until-from)
	for i := range places {
		places[i] = from + i
	}
	return places
}

// windowEnd bounds a window: Window events and, where the replay keeps to a clock, what falls into a tenth of a second of
// it, so that no event is told much before its time.
func (o Options) windowEnd(log []dataset.Event, from int) int {
	until := min(from+o.Window, len(log))
	if o.Speed <= 0 {
		return until
	}
	longest := time.Duration(o.Speed * float64(100*time.Millisecond))
	for at := from + 1; at < until; at++ {
		if log[at].Time.Sub(log[from].Time) > longest {
			return at
		}
	}
	return until
}

// waves groups the places of a window by how many events of the same person come before them in it: each person stands in a
// wave once, and their events in waves one after another. Within a wave the order of the window is kept.
func waves(window []dataset.Event) [][]int {
	var waves [][]int
	before := make(map[person]int, len(window))
	for i, e := range window {
		p := personOf(e)
		n := before[p]
		before[p] = n + 1
		if n == len(waves) {
			waves = append(waves, nil)
		}
		waves[n] = append(waves[n], i)
	}
	return waves
}
