package replay

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// The dumb twin counts the log anew before each ask.
func TestSegmentsNoveltyAndExposureEqualPlainCounting(t *testing.T) {
	log, catalog := randomLog(300, 9, 21)
	o := testOptions()
	o.Window, o.WarmUp = 1, 0.1
	got, err := Run(t.Context(), (&shop{catalog: catalog}).serve(t), log, o)
	if err != nil {
		t.Fatal(err)
	}
	var people []string
	total := map[string]int{}
	for _, e := range log {
		if who := e.User + "/" + e.Session; total[who] == 0 {
			people = append(people, who)
		}
		total[e.User+"/"+e.Session]++
	}
	slices.SortStableFunc(people, func(a, b string) int { return cmp.Compare(total[a], total[b]) })
	asks, hits := map[string]float64{}, map[string]float64{}
	shown := map[string]int64{}
	bits, slots := 0.0, 0.0
	for i, e := range log {
		if i < 30 || e.Type != dataset.TypePurchase {
			continue
		}
		items, users := map[string]int{}, map[string]int{}
		for _, earlier := range log[:i] {
			items[earlier.Item]++
			users[earlier.User+"/"+earlier.Session]++
		}
		list := popular(catalog, items)[:10]
		for _, id := range list {
			bits -= math.Log2(float64(items[id]+1) / float64(i+len(catalog)))
			slots++
			shown[id]++
		}
		who := e.User + "/" + e.Session
		in := []string{segmentNames[lightUsers+slices.Index(people, who)*3/len(people)]}
		if users[who] < 5 {
			in = append(in, "new users")
		}
		if items[e.Item] < 5 {
			in = append(in, "new items")
		}
		for _, name := range in {
			asks[name]++
			if slices.Contains(list, e.Item) {
				hits[name]++
			}
		}
	}
	if want := bits / slots; math.Abs(got.Novelty-want) > 1e-9 {
		t.Errorf("novelty %v bits, want %v", got.Novelty, want)
	}
	for _, s := range got.Segments {
		if float64(s.Asks) != asks[s.Name] || s.Asks > 0 && math.Abs(s.HR-hits[s.Name]/asks[s.Name]) > 1e-12 {
			t.Errorf("%s: %d asks, HR %v; want %v and %v", s.Name, s.Asks, s.HR, asks[s.Name], hits[s.Name]/asks[s.Name])
		}
		sum := int64(0)
		for _, tenth := range s.Tenths {
			sum += tenth.Asks
		}
		if sum != s.Asks || len(s.Tenths) != 10 {
			t.Errorf("%s: %d tenths hold %d of %d asks", s.Name, len(s.Tenths), sum, s.Asks)
		}
	}
	if got.Shown != len(shown) || got.Coverage != float64(len(shown))/30 {
		t.Errorf("%d items shown, coverage %v; want %d of 30", got.Shown, got.Coverage, len(shown))
	}
	most := int64(0)
	for _, n := range shown {
		most = max(most, n)
	}
	// A twentieth of 30 items is one item.
	if at := slices.IndexFunc(got.Exposure, func(p ExposurePoint) bool { return p.Items == 1.0/30 }); at < 0 || got.Exposure[at].Slots != float64(most)/slots {
		t.Errorf("exposure %v; want 1/30 of the items with %v of the slots", got.Exposure, float64(most)/slots)
	}
}

func TestGiniIsThatOfAllPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.Int64Range(0, 50), 1, 30).Draw(t, "counts")
		slices.SortFunc(counts, func(a, b int64) int { return int(b - a) })
		apart, sum := 0.0, 0.0
		for _, a := range counts {
			sum += float64(a)
			for _, b := range counts {
				apart += math.Abs(float64(a - b))
			}
		}
		want := 0.0
		if sum > 0 {
			want = apart / (2 * float64(len(counts)) * sum)
		}
		if got := gini(counts); math.Abs(got-want) > 1e-9 {
			t.Fatalf("Gini %v of %v, want %v", got, counts, want)
		}
	})
}

func TestLogOutOfOrderIsSortedWithinItsBoundOrRefused(t *testing.T) {
	log, catalog := randomLog(120, 6, 22)
	mixed := slices.Clone(log)
	mixed[40], mixed[90] = mixed[90], mixed[40]
	behind := log[90].Time.Sub(log[40].Time)
	o := testOptions()
	o.Window = 1
	want, err := Run(t.Context(), (&shop{catalog: catalog}).serve(t), log, o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Run(t.Context(), (&shop{catalog: catalog}).serve(t), mixed, o)
	if err != nil {
		t.Fatal(err)
	}
	if got.OutOfOrder == 0 || got.Disorder != behind.Seconds() || want.OutOfOrder != 0 || got.HR != want.HR {
		t.Errorf("%d events out of order, %v s behind, HR %v; want some, %v s, %v", got.OutOfOrder, got.Disorder, got.HR, behind.Seconds(), want.HR)
	}
	o.MaxDisorder = behind
	if _, err := Run(t.Context(), (&shop{catalog: catalog}).serve(t), mixed, o); err != nil {
		t.Errorf("%v behind was refused under a bound of as much: %v", behind, err)
	}
	o.MaxDisorder = behind - 1
	if _, err := Run(t.Context(), (&shop{catalog: catalog}).serve(t), mixed, o); !errors.Is(err, ErrLog) || !strings.Contains(err.Error(), "--max-disorder") {
		t.Errorf("error %v; want %v and the way out", err, ErrLog)
	}
}

func TestSpeedCutsWindowsByTimeAndWaits(t *testing.T) {
	log, catalog := randomLog(60, 5, 23)
	length := log[59].Time.Sub(log[6].Time)
	o := testOptions()
	o.Speed = length.Seconds() / 0.5 // half a second for what follows the warm-up
	for s := range o.steps(log, 6) {
		first, last := log[s.places[0]].Time, log[s.places[len(s.places)-1]].Time
		if !s.warmUp && last.Sub(first) > time.Duration(o.Speed*float64(100*time.Millisecond)) {
			t.Errorf("a step spans %v", last.Sub(first))
		}
	}
	start := time.Now()
	result, err := Run(t.Context(), (&shop{catalog: catalog}).serve(t), log, o)
	if err != nil {
		t.Fatal(err)
	}
	// At least: the last step begins no more than a tenth of a second before the last event is due.
	if took := time.Since(start); took < 350*time.Millisecond || result.Speed != o.Speed {
		t.Errorf("half a second of a log was replayed in %v at speed %v", took, result.Speed)
	}
	log[0].Synthetic = true
	if _, err := Run(t.Context(), (&shop{catalog: catalog}).serve(t), log, o); !errors.Is(err, ErrOptions) {
		t.Errorf("a log without times kept to them: %v", err)
	}
}

func TestSpeedsAreRead(t *testing.T) {
	for text, want := range map[string]float64{"100x": 100, "0.5": 0.5, "max": 0} {
		if got, err := ParseSpeed(text); err != nil || got != want {
			t.Errorf("%q is %v, error %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "0x", "-1x", "NaN", "1e9x", "fast"} {
		if _, err := ParseSpeed(text); !errors.Is(err, ErrOptions) {
			t.Errorf("%q: error %v", text, err)
		}
	}
}
