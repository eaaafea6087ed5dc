package load

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRatesAreListsAndRanges(t *testing.T) {
	for text, want := range map[string][]float64{
		"500":               {500},
		"500, 1000,2000":    {500, 1000, 2000},
		"500-2000/500":      {500, 1000, 1500, 2000},
		"0.1-0.4/0.1":       {0.1, 0.2, 0.30000000000000004, 0.4},
		"100-350/100,1000":  {100, 200, 300, 1000},
		"2000,1000,2000":    {2000, 1000, 2000},
		"700-700/1000,1e3 ": {700, 1000},
	} {
		if got, err := ParseRates(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q gave %v, error %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "-5", "NaN", "1e8", "500-100/10", "1-10000/1", "5/1", "1-2/0", "1-2-3/1", "1,,2"} {
		if got, err := ParseRates(text); err == nil {
			t.Errorf("%q gave %v", text, got)
		}
	}
}

func TestSteppedModeHasOneRowARate(t *testing.T) {
	o := quickOptions(t, &fake{items: 5}, ModeStepped)
	o.Rates, o.Empty = []float64{50, 100, 200}, 0
	var told []float64
	o.Stepped = func(s *Step) { told = append(told, s.Rate) }
	result, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var rates []float64
	for _, s := range result.Steps {
		rates = append(rates, s.Rate)
		if s.AchievedRPS <= 0 || s.P99 <= 0 || s.Failed != 0 {
			t.Errorf("step %+v", s)
		}
	}
	if !slices.Equal(rates, o.Rates) || !slices.Equal(told, o.Rates) || result.Step != nil || result.Mix == "" {
		t.Errorf("rows %v, told %v; want %v and no run of its own", rates, told, o.Rates)
	}
	var text, page bytes.Buffer
	if err := result.WriteTable(&text); err != nil || strings.Count(text.String(), "step ") != 3 {
		t.Errorf("error %v, table:\n%s", err, text.String())
	}
	if err := result.Page().Write(&page); err != nil || strings.Count(page.String(), "<svg") != 3 {
		t.Errorf("error %v, %d drawings; want percentiles, throughput and latency by rate", err, strings.Count(page.String(), "<svg"))
	}
}

func TestSteppedModeKeepsTheRowsBeforeTheServerDied(t *testing.T) {
	f := &fake{items: 5}
	o := quickOptions(t, f, ModeStepped)
	o.Rates, o.Empty, o.Plan.GiveUp = []float64{50, 100, 200}, 0, 300*time.Millisecond
	o.Stepped = func(s *Step) {
		if s.Rate == 50 {
			f.server.Stop()
		}
	}
	result, err := Run(t.Context(), o)
	if err == nil || result == nil || len(result.Steps) != 2 || result.Steps[0].Failed != 0 || result.Steps[1].Errors["Unavailable"] == 0 {
		t.Errorf("error %v, result %+v; want the row before and the row in which it died", err, result)
	}
}
