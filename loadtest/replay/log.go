package replay

import (
	"fmt"
	"slices"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// readLog gives the log in time order. A broken row ends it: a replay that leaves rows out is of another log.
func readLog(source dataset.Source, o Options) ([]dataset.Event, error) {
	var log []dataset.Event
	for e, err := range source.Events() {
		if err != nil {
			return nil, fmt.Errorf("replay: %w: %w", ErrLog, err)
		}
		if len(log) == o.MaxEvents {
			return nil, fmt.Errorf("replay: %w: more than %d events; raise --max-events, at about 500 bytes each", ErrLog, o.MaxEvents)
		}
		log = append(log, e)
	}
	if len(log) == 0 {
		return nil, fmt.Errorf("replay: %w: it holds no events", ErrLog)
	}
	slices.SortStableFunc(log, func(a, b dataset.Event) int { return a.Time.Compare(b.Time) })
	if o.First > 0 && o.First < len(log) {
		log = log[:o.First]
	}
	return log, nil
}

// person is who an event is of: the user, or the session where there is no user.
type person struct{ user, session string }

func personOf(e dataset.Event) person {
	if e.User != "" {
		return person{user: e.User}
	}
	return person{session: e.Session}
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
