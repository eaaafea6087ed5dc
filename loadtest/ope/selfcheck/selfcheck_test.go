package selfcheck

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/loadtest/ope"
)

// Shorter logs and fewer runs than the command's: with 200 runs chance moves a coverage of 95% by 3 points.
func TestIntervalsHoldTheTruth(t *testing.T) {
	runs := 200
	if testing.Short() {
		runs = 100
	}
	for _, w := range Worlds() {
		t.Run(w.Name, func(t *testing.T) {
			w.Decisions = min(w.Decisions, 1000)
			o := ope.DefaultOptions()
			o.Resamples, o.MinRewards = 200, 10
			figures, err := Run(t.Context(), w, Options{Runs: runs, Judge: o})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range figures {
				if f.Estimator == ope.DM {
					continue
				}
				if f.Runs < runs*9/10 {
					t.Errorf("%s: %d of %d runs have an interval", f.Estimator, f.Runs, runs)
				}
				if f.Coverage < 0.90 {
					t.Errorf("%s: intervals hold the truth in %.1f%% of the runs", f.Estimator, 100*f.Coverage)
				}
				if bound := 4 * f.Error / math.Sqrt(float64(runs)); math.Abs(f.Bias) > bound {
					t.Errorf("%s: bias %v; chance explains %v", f.Estimator, f.Bias, bound)
				}
			}
		})
	}
}

// The truth by another way: rewards of the target's own, drawn by the log's side of the world.
func TestTruthIsWhatTheTargetEarnsWhenItMakesTheLog(t *testing.T) {
	table := newTable(3, 5, 0.3, 11)
	lists, shelves := newLists(3, 6, 3, 12), newSlots(3, 6, 3, 13)
	target := table.softmax(3)
	for _, w := range []World{
		table.world("table", "", 20_000, target, target, 1, 0),
		lists.world("lists", "", 20_000, 0.5, 0.5),
		shelves.world("slots", "", 20_000, 3, 3),
	} {
		log, _ := w.Draw(rand.New(rand.NewPCG(1, 1)), w.Decisions)
		o := ope.DefaultOptions()
		o.Interval = ope.Normal
		value, err := ope.LoggedValue(t.Context(), log, o)
		if err != nil {
			t.Fatal(err)
		}
		if off := math.Abs(value.Value - w.Truth); off > 4*value.SE {
			t.Errorf("%s: the target earned %v, its truth is %v", w.Name, value.Value, w.Truth)
		}
	}
}

// Independent weights judge a list whose slots hang together wrongly; that is what cascades are for.
func TestIndependentWeightsMissDependentSlots(t *testing.T) {
	w := newLists(3, 6, 3, 5).world("lists", "", 1000, 1, 0.25)
	o := ope.DefaultOptions()
	o.Interval = ope.Normal // no resampling: what is asked is the bias
	const runs = 60
	for lists, biased := range map[ope.Lists]bool{ope.Cascade: false, ope.Independent: true} {
		w.Lists = lists
		figures, err := Run(t.Context(), w, Options{Runs: runs, Judge: o})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range figures {
			if f.Estimator != ope.SNIPS && f.Estimator != ope.DR {
				continue
			}
			if off := math.Abs(f.Bias) > 4*f.Error/math.Sqrt(runs); off != biased {
				t.Errorf("%s, %s: bias %v, error %v", lists, f.Estimator, f.Bias, f.Error)
			}
		}
	}
}

func TestTableNamesEveryWorld(t *testing.T) {
	var b strings.Builder
	if err := WriteWorlds(&b); err != nil {
		t.Fatal(err)
	}
	for _, w := range Worlds() {
		if !strings.Contains(b.String(), w.What) {
			t.Errorf("%s is not told", w.Name)
		}
	}
	if _, err := Run(t.Context(), Worlds()[0], Options{Runs: 1, Judge: ope.DefaultOptions()}); err == nil {
		t.Error("one run has no spread")
	}
}
