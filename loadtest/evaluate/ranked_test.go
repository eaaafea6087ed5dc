package evaluate

import (
	"errors"
	"testing"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/ranker/selection"
)

func TestTheRankerThatIsAskedForIsFitted(t *testing.T) {
	for kind, want := range map[selection.Kind]selection.Kind{"": selection.Linear, selection.Linear: selection.Linear, selection.Network: selection.Network} {
		r := run(t, Options{Format: dataset.Amazon, Dir: ringDir(t), Fit: true, Ranker: kind})
		if r.Ranker != want || r.HR5 < 0.9 || r.Trial != nil {
			t.Errorf("ranker %q: %q, hr@5 %v, trial %v", kind, r.Ranker, r.HR5, r.Trial)
		}
	}
	for _, o := range []Options{{Ranker: selection.Network}, {Ranker: "forest", Fit: true}} {
		o.Format, o.Dir = dataset.Amazon, ringDir(t)
		if _, err := Run(t.Context(), o, nil); !errors.Is(err, ErrOptions) {
			t.Errorf("ranker %q, fit %v: %v, want ErrOptions", o.Ranker, o.Fit, err)
		}
	}
}
