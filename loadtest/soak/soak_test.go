package soak

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/loadtest/internal/scrape"
)

// series is noise around a level that rises by a share of it over the time.
func series(seed uint64, n int, rise, noise float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	v := make([]float64, n)
	for i := range v {
		v[i] = 100 * (1 + rise*float64(i)/float64(n-1) + noise*rng.NormFloat64())
	}
	return v
}

func TestTrendFindsALeakAndNotNoise(t *testing.T) {
	wrong, missed := 0, 0
	for seed := range uint64(400) {
		if judge(series(seed, 240, 0, 0.2), 10).Rising {
			wrong++
		}
		if !judge(series(seed, 240, 0.2, 0.1), 10).Rising {
			missed++
		}
	}
	if wrong > 12 { // 1% of 400 is 4
		t.Errorf("%d of 400 flat series are said to rise", wrong)
	}
	if missed > 4 {
		t.Errorf("%d of 400 rising series are missed", missed)
	}
	if few := []float64{29, 29, 30, 30, 31, 31, 32, 32}; judge(few, 10).Rising || !judge(few, 1).Rising {
		t.Errorf("two more of thirty: %+v", judge(few, 10))
	}
	for name, v := range map[string][]float64{
		"constant": series(1, 100, 0, 0), "falling": series(1, 100, -0.5, 0.01), "a percent": series(1, 100, 0.01, 0), "none": nil, "few": {1, 2, 3},
	} {
		if judge(v, 0).Rising {
			t.Errorf("%s is said to rise: %+v", name, judge(v, 0))
		}
	}
}

// resident is what a process holds, a second each: a base, a cache that fills with a time constant, a collector that lets
// garbage gather for 7 s, and a leak.
func resident(seed uint64, fills, leaks float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 2))
	v := make([]float64, 600)
	for i := range v {
		at := float64(i) / float64(len(v))
		v[i] = 200 + 60*(1-math.Exp(-at/fills)) + 40*math.Mod(float64(i)/7, 1) + leaks*at + 5*rng.NormFloat64()
	}
	return v[len(v)/3:]
}

// swinging is a heap at its collections: a level that leaks, and compactions that begin at any time and double it for some seconds.
func swinging(seed uint64, leaks float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 3))
	v, busy := make([]float64, 400), 0
	for i := range v {
		if busy--; busy < 0 && rng.IntN(20) == 0 {
			busy = 5 + rng.IntN(15)
		}
		v[i] = 150 + leaks*float64(i)/400 + 5*rng.NormFloat64()
		if busy > 0 {
			v[i] += 100 + 50*rng.Float64()
		}
	}
	return v
}

func TestALeakBelowSwingsIsFound(t *testing.T) {
	wrong, missed := 0, 0
	for seed := range uint64(200) {
		if judgeLows(swinging(seed, 0), 10).Rising {
			wrong++
		}
		if !judgeLows(swinging(seed, 40), 10).Rising {
			missed++
		}
	}
	if wrong > 6 || missed > 4 {
		t.Errorf("of 200 each, %d without a leak are said to have one, %d with one are missed", wrong, missed)
	}
}

func TestACacheThatFillsIsNoLeakAndALeakBesideItIsOne(t *testing.T) {
	for seed := range uint64(100) {
		if j := judge(resident(seed, 0.1, 0), leastAmount); j.Rising {
			t.Fatalf("a cache that fills is called a leak: %+v", j)
		}
		if j := judge(resident(seed, 0.1, 40), leastAmount); !j.Rising {
			t.Fatalf("a leak of 40 MB is missed: %+v", j)
		}
	}
}

func TestMannKendallOfASortedSeries(t *testing.T) {
	// n = 5, S = 10, variance 5*4*15/18: z = 9/sqrt(16.67) = 2.204, and its one-sided probability 0.01375.
	if p := mannKendall([]float64{1, 2, 3, 4, 5}); math.Abs(p-0.01375) > 2e-5 {
		t.Errorf("p = %v", p)
	}
	if s := theilSen([]float64{1, 3, 5, 100, 9}); s != 2 {
		t.Errorf("slope %v, want 2 in spite of the outlier", s)
	}
}

const page = `# HELP x y
kindred_rpc_seconds_bucket{method="/a/Recommend",le="0.01"} %
kindred_rpc_seconds_bucket{method="/a/Recommend",le="0.02"} 190
kindred_rpc_seconds_bucket{method="/a/Recommend",le="+Inf"} 200
kindred_rpc_seconds_bucket{method="/a/Other",le="0.01"} 7
go_goroutines 34
process_resident_memory_bytes 1.5e+08
`

func TestAWindowTellsWhatElseWasDone(t *testing.T) {
	reading := func(calls, seconds string) scrape.Page {
		m, err := scrape.Parse(strings.NewReader(strings.NewReplacer("200", calls, "190", calls, "%", "0").Replace(page) +
			`kindred_rpc_seconds_sum{method="/kindred.v1.RecommendationService/Recommend"} ` + seconds + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	read := func(calls, seconds string) scrape.Page {
		m := reading(calls, seconds)
		for key, v := range m {
			m[strings.Replace(key, "/a/Recommend", "/kindred.v1.RecommendationService/Recommend", 1)] = v
		}
		return m
	}
	w := window(read("200", "3"), read("600", "5"), []Sample{{AtS: 10, ProcessorS: 4, WrittenMB: 7}, {AtS: 15, Training: true}, {AtS: 20, ProcessorS: 9, WrittenMB: 19}})
	if w.Calls != 400 || math.Abs(w.MeanMS-5) > 1e-9 || w.Processors != 0.5 || w.WrittenMB != 12 || math.Abs(w.Training-1.0/3) > 1e-9 || w.AtS != 20 || w.P99MS <= 10 {
		t.Errorf("%+v", w)
	}
}

func TestEachFaultOfASoakHasItsVerdict(t *testing.T) {
	flat := func() *Result {
		r := &Result{Churn: Churn{Imports: 3, ChangedItems: 9, NewItems: 3, DeletedItems: 3, NewUsers: 2, ErasedUsers: 1, Trainings: 2, Promotions: 1}, Windows: []Window{{P99MS: 9}, {P99MS: 5}, {P99MS: 5}, {P99MS: 5}, {P99MS: 5.5}, {P99MS: 5.5}}}
		for range 90 {
			r.Samples = append(r.Samples, Sample{RSSMB: 120, OwnMB: 80, MappedMB: 40, StoreMB: 60, HeapGoalMB: 60, Goroutines: 40, Descriptors: 20})
		}
		return r
	}
	if r := flat(); r.conclude() != nil {
		t.Errorf("flat: %v", r.conclude())
	}
	for name, spoil := range map[string]func(*Result){
		"memory": func(r *Result) { grow(r, func(s *Sample, by float64) { s.OwnMB *= by }) },
		"mapped": func(r *Result) { grow(r, func(s *Sample, by float64) { s.MappedMB *= by }) },
		"no linux": func(r *Result) {
			grow(r, func(s *Sample, by float64) { s.RSSMB *= by })
			grow(r, func(s *Sample, _ float64) { s.OwnMB, s.MappedMB = 0, 0 })
		},
		"heap":        func(r *Result) { grow(r, func(s *Sample, by float64) { s.HeapGoalMB *= by }) },
		"goroutines":  func(r *Result) { grow(r, func(s *Sample, by float64) { s.Goroutines *= by }) },
		"descriptors": func(r *Result) { grow(r, func(s *Sample, by float64) { s.Descriptors *= by }) },
		"p99":         func(r *Result) { r.Windows[4].P99MS, r.Windows[5].P99MS = 8, 8 },
		"errors":      func(r *Result) { r.Errors = map[string]int64{"Internal": 1} },
		"churn":       func(r *Result) { r.Churn.NewItems = 0 },
		"training":    func(r *Result) { r.Churn.Trainings = 0 },
		"promotion":   func(r *Result) { r.Churn.Promotions = 0 },
		"process":     func(r *Result) { r.Ended = "panic: no" },
	} {
		r := flat()
		spoil(r)
		if name == "no linux" {
			name = "memory" // all that is resident counts
		}
		if err := r.conclude(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := flat() // a store that grows, and its maps with it
	grow(r, func(s *Sample, by float64) {
		s.MappedMB, s.RSSMB, s.StoreMB = s.MappedMB*by, s.RSSMB-40+40*by, s.StoreMB*by
	})
	if err := r.conclude(); err != nil {
		t.Errorf("maps that grow with the store: %v", err)
	}
}

func grow(r *Result, by func(*Sample, float64)) {
	for i := range r.Samples {
		by(&r.Samples[i], 1+float64(i)/100)
	}
}
