package importer

import (
	"strings"
	"testing"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

func TestReplacementIsToldWithItsSamplesItsImpactAndItsRefusal(t *testing.T) {
	run := &transfer{sum: &Summary{}}
	run.bookReplacement(&kindredv1.ImportItemsResponse{
		AddedSample: []string{"a"}, RemovedSample: []string{"x", "y"}, Refusal: "2 of 4 items would be removed",
		Impact: &kindredv1.ImportImpact{
			Users: 8, ChangedShare: 0.5, LeavingMean: 1.25,
			Leaving:  []*kindredv1.ImpactItem{{ItemId: "y", Lists: 1}, {ItemId: "x", Lists: 3}},
			Entering: []*kindredv1.ImpactItem{{ItemId: "b", Lists: 4}},
		},
	})
	run.sum.Items.Added, run.sum.Items.Removed = 1, 5
	var b strings.Builder
	run.sum.Items.writeReplacement(&b)
	want := `added: a
removed: x, y and 3 more
impact: of 8 users, the first ten items change for 50%; 1.2 of the ten leave on average
  leaving: x (3 lists), y (1 list)
  entering: b (4 lists)
note: this replacement would be refused: 2 of 4 items would be removed
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", &b, want)
	}
}

func TestRemovalIsConfirmedForAReplacementAlone(t *testing.T) {
	n, below := int64(3), int64(-1)
	for _, c := range []struct {
		options Options
		want    string
	}{
		{Options{Data: "d", Mode: Merge, ConfirmRemoval: &n}, "merge removes nothing"},
		{Options{Data: "d", Mode: Replace, ConfirmRemoval: &below}, "confirm removal -1"},
		{Options{Data: "d", Mode: Replace, ImpactUsers: 1001}, "impact users 1001"},
		{Options{Data: "d", Mode: Replace, ConfirmRemoval: &n, ImpactUsers: 1000}, ""},
	} {
		_, err := c.options.withDefaults()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %q", c.options, err, c.want)
		}
	}
}
