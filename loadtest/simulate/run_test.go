package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

func TestOracleHasNoRegretAndTheSameSeedTheSameResult(t *testing.T) {
	for _, clicks := range []Clicks{PositionBased(0.7), Cascade(0.6, 0.95)} {
		c := smallConfig()
		c.Clicks = clicks
		lines := make([]string, 2)
		for i := range lines {
			r, err := Run(t.Context(), c, DefaultOptions())
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range r.Policies {
				regret := p.Figures["regret_per_visit"].Value
				if (p.Name == "oracle") != (regret == 0) || regret < 0 {
					t.Errorf("%s: %s has a regret of %v by visit", clicks.Model, p.Name, regret)
				}
			}
			r.Seconds = 0
			line, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			lines[i] = string(line)
		}
		if lines[0] != lines[1] {
			t.Errorf("two runs differ:\n%s\n%s", lines[0], lines[1])
		}
	}
}

// What does not depend on what was shown is the same in all copies, so that differences are of policies.
func TestCopiesShareTheirChance(t *testing.T) {
	c := smallConfig()
	c.Leaving = 0
	o := DefaultOptions()
	browsed := map[PolicyName]map[string]bool{}
	o.Policies = []PolicyName{PolicyRandom, PolicyOracle}
	for _, p := range o.Policies {
		browsed[p] = map[string]bool{}
	}
	o.Record = func(p PolicyName, _ uint64, acts []Act) error {
		for _, a := range acts {
			if a.Type == dataset.TypeView {
				browsed[p][a.Time.Format(time.DateOnly)+a.User+a.Item] = true
			}
		}
		return nil
	}
	r, err := Run(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := r.Policies[0].Visits, r.Policies[1].Visits; a != b || a == 0 {
		t.Errorf("%v and %v visits", a, b)
	}
	shared := 0
	for k := range browsed[PolicyRandom] {
		if browsed[PolicyOracle][k] {
			shared++
		}
	}
	if n := len(browsed[PolicyRandom]); n == 0 || shared < n*8/10 { // what the oracle had them buy before is passed over
		t.Errorf("%d of %d items that were browsed are the same", shared, n)
	}
}

func TestRobotsCountInNoFigure(t *testing.T) {
	c := smallConfig()
	c.Leaving, c.Bots = 0, 10
	w := testWorld(t, c)
	want := 0.0
	for day := range c.Days {
		for _, v := range w.plan(day) {
			if v.User < c.Users {
				want++
			}
		}
	}
	robots := 0
	o := DefaultOptions()
	o.Policies = []PolicyName{PolicyRandom}
	o.Record = func(_ PolicyName, _ uint64, acts []Act) error {
		for _, a := range acts {
			if a.UserNumber >= c.Users {
				robots++
				if a.Type == dataset.TypePurchase {
					t.Errorf("a robot buys: %+v", a)
				}
			}
		}
		return nil
	}
	r, err := Run(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Policies[0].Visits; got != want || robots == 0 {
		t.Errorf("%v visits counted, want the %v of people; %d acts of robots", got, want, robots)
	}
}

// The whole way: a service on a port, catalog, lists, events with the ids of replies, a training and a promotion.
func TestKindredBeatsRandomOnARealServer(t *testing.T) {
	c := smallConfig()
	c.Users, c.Items, c.HistoryDays, c.Days = 100, 400, 3, 3
	o := DefaultOptions()
	o.Policies, o.Connect = []PolicyName{PolicyKindred, PolicyRandom, PolicyOracle}, Self
	o.Server.TrainEvery, o.Server.TrainDim, o.Server.Epochs = 4, 32, 1
	attributed, clicks := 0, 0
	o.Record = func(p PolicyName, _ uint64, acts []Act) error {
		for _, a := range acts {
			if p == PolicyKindred && a.Type == dataset.TypeClick && a.Time.After(c.Start) {
				clicks++
				if a.RecommendationID != "" && a.Position > 0 {
					attributed++
				}
			}
		}
		return nil
	}
	r, err := Run(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Policies[1].Differences["clicks_per_visit"]; d.Interval[1] >= 0 {
		t.Errorf("random against kindred: clicks by visit %v, interval %v; want it below 0", d.Value, *d.Interval)
	}
	if d := r.Policies[1].Differences["regret_per_visit"]; d.Interval[0] <= 0 {
		t.Errorf("random against kindred: regret by visit %v, interval %v; want it above 0", d.Value, *d.Interval)
	}
	if clicks == 0 || attributed != clicks {
		t.Errorf("%d of %d clicks have the reply that showed the item", attributed, clicks)
	}
	s := r.Server
	if s.Replies < int(r.Policies[0].Visits) || s.Lagging > 0 || s.Tiers["personalized"] == 0 || len(s.Training) != 1 {
		t.Errorf("server %+v; want a reply for each of %v visits, none behind, and a training at the end of the history", s, r.Policies[0].Visits)
	}
	var table, page strings.Builder
	if err := errors.Join(r.WriteTable(&table), r.Page("Simulation").Write(&page)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), "purchases by visit") || strings.Count(page.String(), "<svg") != 8 {
		t.Errorf("table:\n%s\nand %d drawings, want 8", &table, strings.Count(page.String(), "<svg"))
	}
}

func TestAServerThatDiesIsToldWithWhatWasDone(t *testing.T) {
	c := smallConfig()
	o := DefaultOptions()
	o.Policies, o.Server.RetryFor = []PolicyName{PolicyKindred, PolicyRandom}, 50*time.Millisecond
	var kill func() error
	o.Connect = func(ctx context.Context, seed uint64) (grpc.ClientConnInterface, func() error, error) {
		conn, end, err := Self(ctx, seed)
		kill = end
		return conn, func() error { return nil }, err
	}
	o.Record = func(p PolicyName, _ uint64, acts []Act) error {
		if p == PolicyKindred && kill != nil && acts[0].Time.After(c.Start.AddDate(0, 0, 2).Add(12*time.Hour)) {
			defer func() { kill = nil }()
			return kill()
		}
		return nil
	}
	r, err := Run(t.Context(), c, o)
	if !errors.Is(err, ErrServer) || r == nil || r.Failure == nil {
		t.Fatalf("error %v, result %+v; want the server's failure and a result", err, r)
	}
	if f := r.Failure; f.Policy != "kindred" || f.Day != 2 || f.DaysDone != 2 || f.VisitsOfDay == 0 || f.Error == "" {
		t.Errorf("failure %+v; want day 2 of kindred, in its middle, after 2 days", f)
	}
	if r.DaysDone != 2 || len(r.Policies) != 2 || len(r.Policies[1].Days) != 2 || r.Policies[0].Visits == 0 {
		t.Errorf("%d days done, %d policies; want the figures of the 2 days that ended", r.DaysDone, len(r.Policies))
	}
	var table strings.Builder
	if err := r.WriteTable(&table); err != nil || !strings.Contains(table.String(), "BROKEN OFF") {
		t.Errorf("error %v, table:\n%s", err, &table)
	}
}

func TestATenantThatHoldsSomethingIsRefused(t *testing.T) {
	conn, end, err := Self(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	}()
	c := smallConfig()
	c.Users, c.Days, c.HistoryDays = 5, 1, 1
	o := DefaultOptions()
	o.Policies = []PolicyName{PolicyKindred}
	o.Connect = func(context.Context, uint64) (grpc.ClientConnInterface, func() error, error) {
		return conn, func() error { return nil }, nil
	}
	if _, err := Run(t.Context(), c, o); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), c, o); !errors.Is(err, ErrNotEmpty) || !contains(err, "305 items") {
		t.Errorf("error %v; want the tenant refused with what it holds", err)
	}
}

func TestImpossibleComparisonsAreRefusedByName(t *testing.T) {
	for name, change := range map[string]func(*Options){
		`policy "best"`: func(o *Options) { o.Policies = []PolicyName{"best"} }, "stands twice": func(o *Options) { o.Policies = []PolicyName{PolicyRandom, PolicyRandom} },
		"no policy": func(o *Options) { o.Policies = nil }, "needs a server": func(o *Options) { o.Policies = PolicyNames() },
		"0 seeds": func(o *Options) { o.Seeds = 0 }, "window 0": func(o *Options) { o.Window = 0 }, "parallel 0": func(o *Options) { o.Server.Parallel = 0 },
		"wait 3s": func(o *Options) { o.Server.MaxWait = 3 * time.Second }, "dimension 33": func(o *Options) { o.Server.TrainDim = 33 },
		"epochs 0": func(o *Options) { o.Server.Epochs = 0 }, "every -1 days": func(o *Options) { o.Server.TrainEvery = -1 },
	} {
		o := DefaultOptions()
		change(&o)
		if _, err := Run(t.Context(), smallConfig(), o); !errors.Is(err, ErrOptions) || !contains(err, name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	large := smallConfig()
	large.Items = 3_000_000
	if _, err := Run(t.Context(), large, DefaultOptions()); !errors.Is(err, ErrOptions) || !contains(err, "--write") {
		t.Errorf("error %v; want the way out", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := DefaultOptions()
	o.Policies, o.Connect = []PolicyName{PolicyKindred}, Self
	if _, err := Run(ctx, smallConfig(), o); err == nil {
		t.Error("a cancelled run ended well")
	}
}

// Over many made-up shops the interval must hold the truth about 95 times of 100.
func TestIntervalsHoldTheTruth(t *testing.T) {
	r := ratio{of(sumClicks), of(sumVisits)}
	const shops, truth = 1000, 0.3
	held, paired := 0, 0
	for shop := range shops {
		d := keyed(3, forUser, uint64(shop), 0)
		a, b := make([]sums, 200), make([]sums, 200)
		for u := range a {
			rate := 2 * truth * d.unit() // users differ
			n := 1 + d.below(8)
			for range n {
				x := d.unit() // the same chance for both
				if x < rate {
					a[u][sumClicks]++
				}
				if x < rate/2 {
					b[u][sumClicks]++
				}
			}
			a[u][sumVisits], b[u][sumVisits] = float64(n), float64(n)
		}
		if e := r.estimate([][]sums{a}); e.Interval[0] <= truth && truth <= e.Interval[1] {
			held++
		}
		if e := r.difference([][]sums{a}, [][]sums{b}); e.Interval[0] <= truth/2 && truth/2 <= e.Interval[1] {
			paired++
		}
	}
	if held < 925 || held > 975 || paired < 925 || paired > 975 {
		t.Errorf("the truth is in %d of 1,000 intervals and in %d of differences; want about 950", held, paired)
	}
	same := make([]sums, 10)
	for u := range same {
		same[u][sumClicks], same[u][sumVisits] = float64(u), 3
	}
	if e := r.difference([][]sums{same}, [][]sums{same}); e.Value != 0 || e.Interval[0] != 0 || e.Interval[1] != 0 {
		t.Errorf("a policy differs from itself: %+v", e)
	}
}

func TestIntervalsOverSeedsAreStudents(t *testing.T) {
	e := overSeeds([]float64{1, 2, 3})
	half := 4.302653 / math.Sqrt(3) // t of 2 degrees at 97.5%, standard deviation 1
	if e.Value != 2 || math.Abs(e.Interval[1]-2-half) > 1e-5 || math.Abs(2-e.Interval[0]-half) > 1e-5 {
		t.Errorf("%+v, %v; want 2 and %v to each side", e, *e.Interval, half)
	}
	if e := overSeeds([]float64{1, 2}); e.Interval != nil {
		t.Errorf("an interval over two seeds: %v", *e.Interval)
	}
}

func TestGiniOfKnownShelves(t *testing.T) {
	for want, exposed := range map[float64][]int64{0: {5, 5, 5, 5}, 0.75: {0, 0, 0, 9}, 0.25: {1, 2, 3, 4}} {
		if got := gini(exposed); math.Abs(got-want) > 1e-12 {
			t.Errorf("%v: %v, want %v", exposed, got, want)
		}
	}
	if gini([]int64{0, 0}) != 0 {
		t.Error("nothing shown is unequal")
	}
}
