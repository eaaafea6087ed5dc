package shop

import (
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/server/record"
)

func TestAModelLearnedFromWhoWasInItsData(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	person := record.Receipt{Events: 2, FirstPlace: 50, First: day(10), Last: day(12)}
	for name, c := range map[string]struct {
		data bundle.DataRange
		want bool
	}{
		"of the log, before":     {bundle.DataRange{LogHead: 49, Events: 9}, false},
		"of the log, after":      {bundle.DataRange{LogHead: 50, Events: 9}, true},
		"of files, before":       {bundle.DataRange{First: day(1), Last: day(9), Events: 9}, false},
		"of files, over it":      {bundle.DataRange{First: day(1), Last: day(11), Events: 9}, true},
		"of files, after":        {bundle.DataRange{First: day(13), Last: day(20), Events: 9}, false},
		"of files without times": {bundle.DataRange{Events: 9}, true},
		"of no data":             {bundle.DataRange{}, false},
	} {
		if got := learnedFrom(&c.data, &person); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
