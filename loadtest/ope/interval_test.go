package ope

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// countSample is n decisions of which the first few are worth 1.
func countSample(n, ones int) *sample {
	log := &Log{Actions: 1, Slots: 1}
	for d := range n {
		r := Row{Decision: int32(d), Propensity: 1}
		if d < ones {
			r.Reward = 1
		}
		log.Rows = append(log.Rows, r)
	}
	return meanSample(log, func(i int) float64 { return log.Rows[i].Reward })
}

// With equal weights the gamma interval is Garwood's of a Poisson count; the figures are those of his table (1936).
func TestGammaIsThePoissonIntervalForEqualWeights(t *testing.T) {
	for _, c := range []struct {
		count     int
		low, high float64
	}{{0, 0, 3.689}, {1, 0.0253, 5.572}, {5, 1.623, 11.668}, {20, 12.217, 30.888}} {
		i := gamma(countSample(1000, c.count), 0.95, 1)
		if math.Abs(1000*i.Low-c.low) > 1e-3 || math.Abs(1000*i.High-c.high) > 1e-3 {
			t.Errorf("%d events: %.4f to %.4f, want %v to %v", c.count, 1000*i.Low, 1000*i.High, c.low, c.high)
		}
	}
}

func TestNormalAndBernsteinByHand(t *testing.T) {
	s := countSample(100, 20)
	value, se, _ := s.estimate()
	near(t, "standard error", se, math.Sqrt(0.16/99))
	i := normal(value, se, 0.95)
	near(t, "low", i.Low, 0.2-1.959963984540054*se)
	near(t, "high", i.High, 0.2+1.959963984540054*se)
	ln := math.Log(80)
	half := math.Sqrt(2*16.0/99*ln/100) + 7*ln/297
	i = bernstein(s, 0.95, 1)
	near(t, "Bernstein low", i.Low, 0.2-half)
	near(t, "Bernstein high", i.High, 0.2+half)
}

// The bootstrap-t by its definition, on rows drawn one by one, with the same numbers.
func TestStudentizedIsItsDefinition(t *testing.T) {
	log, target := randomLog(rand.New(rand.NewPCG(5, 5)), 80, 1)
	w, err := newWeights(log, target, Cascade, 0)
	if err != nil {
		t.Fatal(err)
	}
	o := DefaultOptions()
	got, bounded, err := studentized(t.Context(), []*sample{sampleOf(SNIPS, log, w, nil)}, o, nil)
	if err != nil || !bounded[0] {
		t.Fatal(err, bounded)
	}
	ratio := func(rows []int) (value, se float64) {
		var a, b, squares float64
		for _, i := range rows {
			a, b = a+w.row[i]*log.Rows[i].Reward, b+w.row[i]
		}
		for _, i := range rows {
			squares += math.Pow(w.row[i]*(log.Rows[i].Reward-a/b), 2)
		}
		n := float64(len(rows))
		return a / b, math.Sqrt(squares*n/(n-1)) / b
	}
	all := make([]int, 80)
	for i := range all {
		all[i] = i
	}
	value, se := ratio(all)
	rng := rand.New(rand.NewPCG(o.Seed, resampleStream))
	below := [2]int{} // resamples whose t says that the truth lies beyond an end
	for range o.Resamples {
		rows := make([]int, 80)
		for i := range rows {
			rows[i] = int(rng.Uint64N(80))
		}
		v, s := ratio(rows)
		if value-(v-value)/s*se < got[0].Low {
			below[0]++
		}
		if value-(v-value)/s*se > got[0].High {
			below[1]++
		}
	}
	if below != [2]int{25, 25} {
		t.Errorf("%v of 1000 resamples lie beyond the ends; 25 should, to each side", below)
	}
}

func TestBernsteinHoldsNoIntervalOfARatio(t *testing.T) {
	log, target := randomLog(rand.New(rand.NewPCG(6, 6)), 300, 2)
	o := DefaultOptions()
	o.Interval, o.Clip = Bernstein, 5
	r, err := Evaluate(t.Context(), log, target, o)
	if err != nil {
		t.Fatal(err)
	}
	for by, want := range map[Estimator]bool{Logged: true, IPS: true, SNIPS: false, DR: true, DM: false} {
		e, ok := r.Estimate(by)
		if !ok || (e.Interval != nil) != want {
			t.Errorf("%s: %+v; interval wanted: %v", by, e, want)
		}
		if want && !(e.Interval.Low < e.Value && e.Value < e.Interval.High && e.Interval.Method == Bernstein) {
			t.Errorf("%s: %v not within %+v", by, e.Value, e.Interval)
		}
	}
}

// Few rewards under large weights: the ones that matter did not come, and no interval can know.
func TestFewRewardsGetTheCautiousIntervalOrNone(t *testing.T) {
	log, target := randomLog(rand.New(rand.NewPCG(7, 7)), 400, 1)
	for i := range log.Rows {
		log.Rows[i].Reward = 0
		if i%40 == 0 {
			log.Rows[i].Reward = 1
		}
	}
	r, err := Evaluate(t.Context(), log, target, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	ips, _ := r.Estimate(IPS)
	snips, _ := r.Estimate(SNIPS)
	dr, _ := r.Estimate(DR)
	if ips.Interval == nil || ips.Interval.Method != Gamma || snips.Interval != nil || dr.Interval != nil {
		t.Errorf("ips %+v, snips %+v, dr %+v", ips, snips, dr)
	}
	if !strings.Contains(strings.Join(r.Notes, "\n"), "too few") {
		t.Errorf("notes %q", r.Notes)
	}
}

// Nothing rewarded: an upper end is all there is to say, and only the cautious interval says it.
func TestNoRewardAtAll(t *testing.T) {
	log := evenLog(400, 0.5)
	for i := range log.Rows {
		log.Rows[i].Reward = 0
	}
	r, err := Evaluate(t.Context(), log, always(log, 0.5, 0.5, 0), DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range r.Estimates {
		if e.Value != 0 || e.Interval != nil {
			t.Errorf("%+v of a log without rewards", e)
		}
	}
	if !strings.Contains(strings.Join(r.Notes, "\n"), "none was rewarded") {
		t.Errorf("notes %q", r.Notes)
	}
}

func TestQuantileOfUnboundedValues(t *testing.T) {
	values := []float64{math.Inf(-1), 0, 1, math.Inf(1)}
	for q, want := range map[float64]float64{0: math.Inf(-1), 0.1: math.Inf(-1), 0.5: 0.5, 0.9: math.Inf(1), 1: math.Inf(1)} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
}

func TestSameSeedSameFigures(t *testing.T) {
	log, target := randomLog(rand.New(rand.NewPCG(9, 9)), 300, 2)
	first, err := Evaluate(t.Context(), log, target, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	again, err := Evaluate(t.Context(), log, target, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range first.Estimates {
		if f := again.Estimates[i]; f.Value != e.Value || (e.Interval != nil) && *f.Interval != *e.Interval {
			t.Errorf("%+v, then %+v", e, f)
		}
	}
}
