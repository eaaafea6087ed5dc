package load

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// Population is who calls. The chance of the user of rank k, from 0, goes with (1+k)^-Exponent: a Zipf law, under which
// few people make most of the calls, as on real sites.
type Population struct {
	// IDs are the users, most active first. Nil: Prefix and a number from 0 to Count-1.
	IDs []string
	// Count is how many users there are where IDs is nil, 1 to 2^32-1.
	Count int
	// Prefix begins the made-up ids.
	Prefix string
	// Exponent of the law, above 1 to 10.
	Exponent float64
}

func (p Population) size() int {
	if p.IDs != nil {
		return len(p.IDs)
	}
	return p.Count
}

func (p Population) id(rank uint32) string {
	if p.IDs != nil {
		return p.IDs[rank]
	}
	return p.Prefix + strconv.FormatUint(uint64(rank), 10)
}

func (p Population) validate() error {
	if p.IDs != nil && len(p.IDs) == 0 {
		return fmt.Errorf("load: the list of users is empty; give a log with events, or --users N")
	}
	if p.size() < 1 || uint64(p.size()) > 1<<32-1 {
		return fmt.Errorf("load: %d users: must be 1 to %d", p.size(), uint32(1<<32-1))
	}
	if !(p.Exponent > 1 && p.Exponent <= 10) {
		return fmt.Errorf("load: Zipf exponent %v: must be above 1 and at most 10", p.Exponent)
	}
	return nil
}

// UsersOf lists the users of a log, most active first, ties by id, at most max distinct ones; sessions without a user are
// left out. It is an error of the dataset if a row cannot be read: a load test on half a log would not be what it says.
func UsersOf(events iter.Seq2[dataset.Event, error], max int) ([]string, error) {
	counts := map[string]int{}
	for e, err := range events {
		if err != nil {
			return nil, fmt.Errorf("load: users of the log: %w", err)
		}
		if e.User == "" {
			continue
		}
		if _, known := counts[e.User]; !known && len(counts) == max {
			return nil, fmt.Errorf("load: the log has more than %d users; raise --max-users", max)
		}
		counts[e.User]++
	}
	ids := make([]string, 0, len(counts))
	for id := range counts {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	return ids, nil
}
