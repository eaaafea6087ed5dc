package calibrate

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/ranker"
)

// drawn are impressions of which one with score s is acted on with probability rate(s).
func drawn(seed uint64, n int, rate func(float64) float64) []Impression {
	r := rand.New(rand.NewPCG(seed, 2))
	list := make([]Impression, n)
	for i := range list {
		s := 3 * r.NormFloat64()
		list[i] = Impression{Score: s, Acted: r.Float64() < rate(s)}
	}
	return list
}

func step(s float64) float64 {
	if s > 2 {
		return 0.4
	}
	return 0.05
}

func TestPromisesAreKept(t *testing.T) {
	for name, c := range map[string]struct {
		n    int
		rate func(float64) float64
		most float64
	}{
		"logistic, isotonic": {20_000, func(s float64) float64 { return 0.3 * sigmoid(s-1) }, 0.01},
		"logistic, Platt":    {600, func(s float64) float64 { return sigmoid(s - 4) }, 0.04},
		"a step":             {20_000, step, 0.015},
	} {
		curve, err := Fit(drawn(1, c.n, c.rate))
		if err != nil {
			t.Fatal(err)
		}
		r := Reliability(curve, drawn(2, 20_000, c.rate))
		if r.Error > c.most || r.Brier >= r.Base || len(r.Parts) != 10 || r.Impressions != 20_000 {
			t.Errorf("%s: error %.4f, Brier %.4f of %.4f, %d parts", name, r.Error, r.Brier, r.Base, len(r.Parts))
		}
	}
	// A curve that promises twice what comes is found out.
	curve, err := Fit(drawn(1, 20_000, func(s float64) float64 { return 0.4 * sigmoid(s) }))
	if err != nil {
		t.Fatal(err)
	}
	if r := Reliability(curve, drawn(2, 20_000, func(s float64) float64 { return 0.2 * sigmoid(s) })); math.Abs(r.Error-0.1) > 0.02 {
		t.Errorf("error %.4f of promises twice as high, want about 0.1", r.Error)
	}
}

// brute is the best monotone function at each impression: the largest over what begins
// below of the least mean of what ends above.
func brute(sorted []Impression) []float64 {
	out := make([]float64, len(sorted))
	for i := range sorted {
		out[i] = math.Inf(-1)
		for from := range i + 1 {
			least, acted := math.Inf(1), 0.0
			for to := from; to < len(sorted); to++ {
				if sorted[to].Acted {
					acted++
				}
				if to >= i {
					least = min(least, acted/float64(to-from+1))
				}
			}
			out[i] = max(out[i], least)
		}
	}
	return out
}

func TestIsotonicIsTheBestMonotoneFunction(t *testing.T) {
	for seed := range uint64(50) {
		list := drawn(seed, 40, func(s float64) float64 { return sigmoid(s) })
		acted, err := check(list)
		if acted == 0 || err != nil {
			continue
		}
		curve, err := Isotonic(list)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(list, func(a, b Impression) int { return int(math.Copysign(1, a.Score-b.Score)) })
		want, levels := brute(list), []float64{}
		for _, p := range want {
			if n := len(levels); n == 0 || p > levels[n-1]+1e-12 {
				levels = append(levels, p)
			}
		}
		if len(levels) != len(curve.Probabilities) {
			t.Fatalf("seed %d: %v, want %v", seed, curve.Probabilities, levels)
		}
		for i := range levels {
			if math.Abs(levels[i]-curve.Probabilities[i]) > 1e-12 {
				t.Fatalf("seed %d: %v, want %v", seed, curve.Probabilities, levels)
			}
		}
	}
}

func TestCurvesRiseAndStayProbabilities(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for seed := range uint64(200) {
		n := 2 + r.IntN(3000)
		list := drawn(seed, n, func(s float64) float64 { return 0.1 + 0.8*math.Abs(math.Sin(s)) })
		list[0].Acted, list[1].Acted = true, false
		for i := range list {
			list[i].Weight = r.Float64() * 3
			if r.IntN(3) == 0 {
				list[i].Score = math.Round(list[i].Score)
			}
		}
		for _, fit := range []func([]Impression) (*Curve, error){Fit, Isotonic, Platt} {
			curve, err := fit(list)
			if err != nil {
				t.Fatal(err)
			}
			if err := curve.Check(); err != nil {
				t.Fatalf("seed %d, %d impressions: %v", seed, n, err)
			}
			before := 0.0
			for s := -20.0; s < 20; s += 0.1 {
				p := curve.At(s)
				if !(p >= before && p <= 1) {
					t.Fatalf("seed %d: %v at %v after %v", seed, p, s, before)
				}
				before = p
			}
		}
	}
}

// Where the lower scores are acted on, no rising curve tells anything: the mean is promised.
func TestAModelThatIsWrongRoundIsFlat(t *testing.T) {
	list := drawn(1, 2000, func(s float64) float64 { return sigmoid(-s) })
	for _, fit := range []func([]Impression) (*Curve, error){Isotonic, Platt} {
		curve, err := fit(list)
		if err != nil || math.Abs(curve.At(-5)-0.5) > 0.06 || math.Abs(curve.At(5)-0.5) > 0.06 {
			t.Errorf("%v, %v", curve, err)
		}
	}
}

func TestImpressionsThatTellNothingAreRefused(t *testing.T) {
	for what, list := range map[string][]Impression{
		"none": nil, "one": {{Score: 1, Acted: true}}, "no act": {{Score: 1}, {Score: 2}}, "all": {{Acted: true}, {Acted: true}},
		"NaN": {{Score: math.NaN()}, {Acted: true}}, "weight": {{Weight: -1}, {Acted: true}},
	} {
		for _, fit := range []func([]Impression) (*Curve, error){Fit, Isotonic, Platt} {
			if c, err := fit(list); !errors.Is(err, ErrImpressions) {
				t.Errorf("%s: %v, %v", what, c, err)
			}
		}
	}
	if r := Reliability(&Curve{Scores: []float64{0}, Probabilities: []float64{1}}, nil); r.Error != 0 || r.Impressions != 0 {
		t.Errorf("%+v of nothing", r)
	}
}

func TestACalibrationComesBackFromItsFile(t *testing.T) {
	curve, err := Fit(drawn(1, 3000, step))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Write(&b, Calibration{"click": curve, "purchase": curve}); err != nil {
		t.Fatal(err)
	}
	whole := b.String()
	c, err := Read(&b)
	if err != nil || len(c) != 2 || !slices.Equal(c["click"].Scores, curve.Scores) || !slices.Equal(c["purchase"].Probabilities, curve.Probabilities) {
		t.Errorf("%v, %v", c, err)
	}
	for what, text := range map[string]string{
		"nothing": "", "cut off": whole[:len(whole)/2], "none": `{"format":1,"curves":{}}`, "format": `{"format":9,"curves":{}}`,
		"falls": `{"format":1,"curves":{"click":{"scores":[1,2],"probabilities":[0.2,0.1]}}}`, "equal": `{"format":1,"curves":{"click":{"scores":[1,1],"probabilities":[0.1,0.2]}}}`,
		"above": `{"format":1,"curves":{"click":{"scores":[1],"probabilities":[1.5]}}}`, "shapes": `{"format":1,"curves":{"click":{"scores":[1],"probabilities":[]}}}`,
		"null": `{"format":1,"curves":{"click":null}}`, "field": `{"format":1,"curves":{},"more":1}`,
	} {
		if c, err := Read(strings.NewReader(text)); !errors.Is(err, ErrCurve) {
			t.Errorf("%s: %v, %v", what, c, err)
		}
	}
}

func TestAModelWithACalibrationIsCalibrated(t *testing.T) {
	weights := ranker.DefaultWeights()
	low, high := &Curve{Scores: []float64{0, 1}, Probabilities: []float64{0.1, 0.2}}, &Curve{Scores: []float64{0}, Probabilities: []float64{0.9}}
	m, err := With(&weights, Calibration{"add_to_cart": high, Click: low, "view": high})
	if err != nil {
		t.Fatal(err)
	}
	var calibrated ranker.Calibrated = m
	if p := calibrated.Probability(0.5); math.Abs(p-0.15) > 1e-12 || calibrated.Name() != "linear" {
		t.Errorf("%v of %s", p, calibrated.Name())
	}
	if p, ok := m.ProbabilityOf("view", 3); !ok || p != 0.9 {
		t.Errorf("%v, %v", p, ok)
	}
	if p, ok := m.ProbabilityOf("purchase", 3); ok || p != 0 {
		t.Errorf("%v, %v of an objective without a curve", p, ok)
	}
	if m, err := With(&weights, Calibration{"purchase": low, "rating": high}); err != nil || m.Probability(9) != 0.2 {
		t.Errorf("without clicks the first objective counts: %v", err)
	}
	if _, err := With(&weights, nil); !errors.Is(err, ErrCurve) {
		t.Errorf("%v", err)
	}
	for _, s := range []float64{math.NaN(), math.Inf(-1)} {
		if p := m.Probability(s); p != 0.1 {
			t.Errorf("%v at %v", p, s)
		}
	}
	if n := testing.AllocsPerRun(100, func() { m.Probability(0.3) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
