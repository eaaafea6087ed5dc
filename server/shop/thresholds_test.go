package shop

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/server/record"
)

// compared is a comparison over 100 cases of a candidate with what serves, and with no model.
func compared(of, now, untrained, noise float64) *Comparison {
	return &Comparison{
		Cases: 100, Of: Figures{NDCG: of, Recall: 1}, Now: Figures{NDCG: now, Recall: 1},
		Gain:      Paired{of - now, noise},
		Untrained: &Figures{NDCG: untrained}, GainUntrained: Paired{of - untrained, noise},
	}
}

func failed(list []record.Check) string {
	var names []string
	for _, c := range list {
		if c.Failed {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, " ")
}

func TestAModelThatIsWorseByMoreThanChanceIsRefused(t *testing.T) {
	for _, c := range []struct {
		why      string
		measured *Comparison
		kept     float64
		want     string
	}{
		{"as good", compared(0.2, 0.2, 0.2, 0.01), 1, ""},
		{"a little worse, as chance has it", compared(0.19, 0.2, 0.18, 0.01), 1, ""},
		{"a little worse, and surely", compared(0.19, 0.2, 0.18, 0.001), 1, "ndcg_ratio_high"},
		{"much worse, whatever chance is", compared(0.1, 0.2, 0.1, 0.1), 1, "ndcg_ratio"},
		{"a small step on a way down", compared(0.19, 0.2, 0.18, 0.01), 0.92, "ndcg_ratio_since_best"},
		{"better than what serves, but not than no model", compared(0.2, 0.18, 0.25, 0.01), 1, "ndcg_ratio_untrained ndcg_ratio_high_untrained"},
		{"a gain makes up for what was lost", compared(0.21, 0.2, 0.2, 0.01), 0.9, ""},
	} {
		if got := failed((&Thresholds{}).check(c.measured, c.kept)); got != c.want {
			t.Errorf("%s: %q failed, want %q", c.why, got, c.want)
		}
	}
	all := 0.0
	if got := failed((&Thresholds{MinNDCGRatio: &all}).check(compared(0.01, 0.2, 0.2, 0.001), 0.5)); got != "" {
		t.Errorf("%q failed, where any ratio will do", got)
	}
}

func TestARefusalNamesTheFigures(t *testing.T) {
	e := &ThresholdError{bundle.Hash(strings.Repeat("a", 64)), (&Thresholds{}).check(compared(0.15, 0.2, 0.1, 0.001), 1)}
	for _, part := range []string{"ndcg_ratio is 0.75, at least 0.9 is wanted", "ndcg_ratio_high is 0.7598, at least 1 is wanted"} {
		if !strings.Contains(e.Error(), part) {
			t.Errorf("%q is not in %q", part, e)
		}
	}
}

// Each candidate is 4% worse than what serves, which chance might explain each time.
func TestManySmallLossesDoNotAddUp(t *testing.T) {
	var history []record.Promoted
	serving, quality := "", 0.2
	for step := range 20 {
		next := string(rune('a' + step))
		list := (&Thresholds{}).check(compared(quality*0.96, quality, 0.01, 0.02), keptOf(history, serving))
		if failed(list) != "" {
			continue
		}
		quality *= 0.96
		history = append([]record.Promoted{{Promotion: record.Promotion{Bundle: next, Previous: serving, Checks: list}}}, history...)
		serving = next
	}
	if quality < 0.9*0.2 || len(history) == 0 {
		t.Errorf("after %d promotions the quality is %v of what was 0.2", len(history), quality)
	}
}

func TestWhatWasKeptFollowsPromotionsAndNotRollbacks(t *testing.T) {
	entry := func(of, previous string, ratio float64) record.Promoted {
		return record.Promoted{Promotion: record.Promotion{Bundle: of, Previous: previous, Checks: []record.Check{{Name: "ndcg_ratio", Measured: ratio}}}}
	}
	back := record.Promoted{Promotion: record.Promotion{Bundle: "a", Previous: "b", Rollback: true}}
	forced := entry("d", "b", 0.5)
	forced.Forced = true
	history := []record.Promoted{forced, entry("c", "a", 0.95), back, entry("b", "a", 0.9), entry("a", "", 1.5)} // newest first
	for bundle, want := range map[string]float64{"": 1, "a": 1, "b": 0.9, "c": 0.95, "d": 1} {
		if got := keptOf(history, bundle); math.Abs(got-want) > 1e-12 {
			t.Errorf("%q has kept %v, want %v", bundle, got, want)
		}
	}
}

func TestABusyMachineDoesNotRefuseAModel(t *testing.T) {
	c := compared(0.2, 0.2, 0.2, 0.01)
	c.Of.P50, c.Of.P99 = time.Millisecond, time.Second
	if got := failed((&Thresholds{}).check(c, 1)); got != "" {
		t.Errorf("%q failed for a pause of the machine", got)
	}
	most := 100 * time.Millisecond
	if got := failed((&Thresholds{MaxP99: &most}).check(c, 1)); got != "latency_p99_us" {
		t.Errorf("%q failed, want what was asked for", got)
	}
	c.Of.P50 = 60 * time.Millisecond
	if got := failed((&Thresholds{}).check(c, 1)); got != "latency_p50_us" {
		t.Errorf("%q failed, want the slow model's median", got)
	}
}

func TestPairedDifferences(t *testing.T) {
	p := difference([]float64{1, 0, 1, 0}, []float64{0, 0, 0, 0})
	if p.Mean != 0.5 || math.Abs(p.Error-math.Sqrt(1.0/3/4)) > 1e-12 {
		t.Errorf("%+v, want 0.5 with error 0.2887", p)
	}
	if p := difference([]float64{1}, []float64{0}); p.Mean != 1 || p.Error != 0 {
		t.Errorf("%+v of one case", p)
	}
	if p := difference(nil, nil); p != (Paired{}) {
		t.Errorf("%+v of none", p)
	}
}
