package tenants

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/kindred-rec/kindred/loadtest/load"
)

// made is a result whose neighbour's p99 is so many times as long beside the flood, with noise.
func made(slower float64, rounds int) *Result {
	rng := rand.New(rand.NewPCG(1, 2))
	half := func(p99 float64) Half {
		p99 *= math.Exp(0.05 * rng.NormFloat64())
		h := hdrhistogram.New(1, 1e7, 3)
		for i := range int64(100) {
			_ = h.RecordValue(int64(p99*1000)*(i+1)/100 + 1) // within the range
		}
		return Half{Neighbour: load.Latency{P50: p99 / 2, P99: p99}, ServerS: 0.1, calls: 100, histogram: h}
	}
	r := &Result{HalfS: 1, FloodS: 1}
	for range rounds {
		beside := half(10 * slower)
		beside.Served, beside.Refused, beside.ServerS = 100, 900, 0.1+0.1+0.009
		r.Rounds = append(r.Rounds, Round{half(10), beside})
	}
	r.conclude()
	return r
}

func TestVerdictKnowsAFloodThatIsNoticedFromOneThatIsNot(t *testing.T) {
	for slower, want := range map[float64]string{1: "pass", 1.1: "pass", 1.5: "fail", 1.2: "unclear"} {
		r := made(slower, 12)
		if r.Verdict != want || (r.Err() != nil) != (want == "fail") {
			t.Errorf("%v times as long: %s, %v, ratio %v", slower, r.Verdict, r.Err(), r.P99)
		}
		if r.P99.Low > slower || r.P99.High < slower || math.Abs(r.Noise.Mean-1) > 0.1 {
			t.Errorf("%v times: ratio %v, noise %v", slower, r.P99, r.Noise)
		}
		if r.RefusedShare != 0.9 || r.RefusedRPS != 900 || math.Abs(r.RefusedCPU-10) > 1e-6 {
			t.Errorf("refused %v, %v a second, %v us each", r.RefusedShare, r.RefusedRPS, r.RefusedCPU)
		}
	}
}

func TestAFailureOfTheNeighbourFails(t *testing.T) {
	for why, spoil := range map[string]func(*Result){
		"a call of the neighbour failed": func(r *Result) { r.Rounds[3].Beside.Failed = 1 },
		"the flood was within its quota": func(r *Result) {
			for i := range r.Rounds {
				r.Rounds[i].Beside.Refused = 0
			}
		},
		"the hostile tenant got nothing": func(r *Result) {
			for i := range r.Rounds {
				r.Rounds[i].Beside.Served = 0
			}
		},
		"it was refused by another's name": func(r *Result) { r.Rounds[0].Beside.Other = 5 },
	} {
		r := made(1, 12)
		spoil(r)
		if r.conclude(); r.Verdict != "fail" || r.Err() == nil {
			t.Errorf("%s: %s", why, r.Verdict)
		}
	}
	var out strings.Builder
	if err := made(1, 12).WriteTable(&out); err != nil || !strings.Contains(out.String(), "ratio of p99") {
		t.Errorf("%v: %s", err, out.String())
	}
	if one := made(1, 1); one.Verdict != "unclear" {
		t.Errorf("one round: %s", one.Verdict)
	}
}

func TestOptionsThatMeasureNothingAreRefused(t *testing.T) {
	good := Options{Client: []string{"load"}, Rounds: 2, Half: 1e9, Rate: 1, Quota: 1, Times: 10, Items: 100}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(*Options){
		"rounds": func(o *Options) { o.Rounds = 1 }, "halves": func(o *Options) { o.Half = 0 }, "times": func(o *Options) { o.Times = 1 },
		"program": func(o *Options) { o.Client = nil },
		"items":   func(o *Options) { o.Items = 1 },
	} {
		o := good
		spoil(&o)
		if err := o.check(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
