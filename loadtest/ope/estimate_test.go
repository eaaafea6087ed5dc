package ope

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// near fails unless two figures are equal but for rounding.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*max(1, math.Abs(want))) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// tableTarget takes each action of a row with a probability from a table.
type tableTarget struct {
	log *Log
	p   [][]float64 // [rows][actions]
}

func (t tableTarget) Probability(row int) float64 { return t.p[row][t.log.Rows[row].Action] }

func (t tableTarget) Choices(row int, dst []Choice) []Choice {
	for a, p := range t.p[row] {
		dst = append(dst, Choice{Action: int32(a), Probability: p})
	}
	return dst
}

// logged hides the choices of a target.
type logged struct{ of Target }

func (l logged) Probability(row int) float64 { return l.of.Probability(row) }

// The reference figures are those of the Open Bandit Pipeline; testdata/make_obp.py says how they were made.
func TestEstimatesAreThoseOfTheOpenBanditPipeline(t *testing.T) {
	raw, err := os.ReadFile("testdata/obp.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Action             []int32
		Propensity, Reward []float64
		Target, Expected   [][]float64
		IPS, SNIPS, DR, DM float64
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	log := &Log{Actions: 4, Slots: 1}
	e := &expected{}
	for i, a := range f.Action {
		log.Rows = append(log.Rows, Row{Decision: int32(i), Action: a, Propensity: f.Propensity[i], Reward: f.Reward[i]})
		mean := 0.0
		for b, p := range f.Target[i] {
			mean += p * f.Expected[i][b]
		}
		e.logged, e.target = append(e.logged, f.Expected[i][a]), append(e.target, mean)
	}
	w, err := newWeights(log, tableTarget{log, f.Target}, Cascade, 0)
	if err != nil {
		t.Fatal(err)
	}
	for by, want := range map[Estimator]float64{IPS: f.IPS, SNIPS: f.SNIPS, DR: f.DR, DM: f.DM} {
		value, _, ok := sampleOf(by, log, w, e).estimate()
		if !ok {
			t.Errorf("%s: no estimate", by)
		}
		near(t, string(by), value, want)
	}
}

// Two lists of two, reckoned by hand. Ratios: .5/.25 = 2, .6/.3 = 2; .1/.5 = .2, .5/.25 = 2.
func handLog() (*Log, Target) {
	log := &Log{Actions: 2, Slots: 2, Rows: []Row{
		{Decision: 0, Action: 0, Slot: 0, Propensity: 0.25, Reward: 1}, {Decision: 0, Action: 1, Slot: 1, Propensity: 0.3, Reward: 1},
		{Decision: 1, Action: 0, Slot: 0, Propensity: 0.5, Reward: 1}, {Decision: 1, Action: 1, Slot: 1, Propensity: 0.25},
	}}
	return log, given{0.5, 0.6, 0.1, 0.5}
}

type given []float64

func (g given) Probability(row int) float64 { return g[row] }

func TestListsByHand(t *testing.T) {
	log, target := handLog()
	for _, c := range []struct {
		lists      Lists
		clip       float64
		ips, snips float64
	}{
		// weights 2, 4 and .2, .4: (2·1 + 4·1 + .2·1)/2; 2.2/2.2 + 4/4.4
		{Cascade, 0, 3.1, 1 + 4/4.4},
		// weights 2, 2 and .2, 2: (2 + 2 + .2)/2; 1 + 2/4
		{Independent, 0, 2.1, 1.5},
		// weights 2, 3 and .2, .4: (2 + 3 + .2)/2; 1 + 3/3.4
		{Cascade, 3, 2.6, 1 + 3/3.4},
	} {
		w, err := newWeights(log, target, c.lists, c.clip)
		if err != nil {
			t.Fatal(err)
		}
		ips, _, _ := sampleOf(IPS, log, w, nil).estimate()
		snips, _, _ := sampleOf(SNIPS, log, w, nil).estimate()
		near(t, string(c.lists)+" ips", ips, c.ips)
		near(t, string(c.lists)+" snips", snips, c.snips)
	}
}

// DR of a cascade, by hand: with q = .5 everywhere, decision 0 adds 2·.5 + 1·.5 + 4·.5 + 2·.5 = 4.5, decision 1 adds
// .2·.5 + 1·.5 + .4·(-.5) + .2·.5 = .5.
func TestDoublyRobustCascadeByHand(t *testing.T) {
	log, target := handLog()
	w, err := newWeights(log, target, Cascade, 0)
	if err != nil {
		t.Fatal(err)
	}
	half := []float64{0.5, 0.5, 0.5, 0.5}
	value, _, _ := sampleOf(DR, log, w, &expected{half, half}).estimate()
	near(t, "dr", value, 2.5)
}

// The textbook: the error of a mean is s/√n; that of a ratio, √(n/(n-1)·Σw²(r-R)²)/Σw.
func TestStandardErrorsAreThoseOfTheTextbook(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		n := rapid.IntRange(3, 40).Draw(t, "decisions")
		log, target := randomLog(rng, n, 1)
		w, err := newWeights(log, target, Cascade, 0)
		if err != nil {
			t.Fatal(err)
		}
		var ips, ratio moments
		var a, b float64
		for i, r := range log.Rows {
			ips.add(w.row[i] * r.Reward)
			a, b = a+w.row[i]*r.Reward, b+w.row[i]
		}
		for i, r := range log.Rows {
			ratio.add(w.row[i] * (r.Reward - a/b))
		}
		_, se, _ := sampleOf(IPS, log, w, nil).estimate()
		if want := math.Sqrt(ips.variance() / float64(n)); math.Abs(se-want) > 1e-9 {
			t.Fatalf("ips: %v, want %v", se, want)
		}
		_, se, _ = sampleOf(SNIPS, log, w, nil).estimate()
		if want := math.Sqrt(ratio.squares*float64(n)/float64(n-1)) / b; math.Abs(se-want) > 1e-9 {
			t.Fatalf("snips: %v, want %v", se, want)
		}
	})
}

// randomLog is lists of 1 to longest slots with four actions, and a target.
func randomLog(rng *rand.Rand, decisions, longest int) (*Log, tableTarget) {
	log := &Log{Actions: 4, Slots: longest, MaxReward: 1}
	target := tableTarget{log: log}
	distribution := func() []float64 {
		p, sum := make([]float64, 4), 0.0
		for a := range p {
			p[a] = 0.2 + rng.Float64()
			sum += p[a]
		}
		for a := range p {
			p[a] /= sum
		}
		return p
	}
	for d := range decisions {
		for slot := range 1 + rng.IntN(longest) {
			p, a := distribution(), rng.IntN(4)
			target.p = append(target.p, distribution())
			log.Rows = append(log.Rows, Row{Decision: int32(d), Action: int32(a), Slot: int32(slot), Propensity: p[a], Reward: float64(rng.IntN(2))})
		}
	}
	return log, target
}

// A target that does what the log did earns what the log earned, by every estimator that has no model.
func TestTheLogsOwnPolicyEarnsWhatTheLogEarned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		log, _ := randomLog(rng, rapid.IntRange(2, 50).Draw(t, "decisions"), rapid.IntRange(1, 4).Draw(t, "slots"))
		own := make(given, len(log.Rows))
		for i, r := range log.Rows {
			own[i] = r.Propensity
		}
		o := DefaultOptions()
		o.MinEffective, o.MinRewards, o.Resamples = 1, 0, 200
		r, err := Evaluate(t.Context(), log, own, o)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := r.Estimate(Logged)
		for _, by := range []Estimator{IPS, SNIPS} {
			if got, ok := r.Estimate(by); !ok || math.Abs(got.Value-want.Value) > 1e-9 || math.Abs(got.SE-want.SE) > 1e-9 {
				t.Fatalf("%s: %+v; the log earned %+v", by, got, want)
			}
		}
		if math.Abs(r.MeanWeight-1) > 1e-12 || math.Abs(r.Effective-float64(r.Decisions)) > 1e-6 || r.Unexplored != 0 {
			t.Fatalf("support %+v of %d decisions", r.Support, r.Decisions)
		}
	})
}

// Without cross-fitting each row's expectation would be drawn towards its own reward.
func TestNoRowIsJudgedByAModelThatSawItsCluster(t *testing.T) {
	log, target := randomLog(rand.New(rand.NewPCG(3, 3)), 60, 3)
	log.Cluster = make([]int32, 60)
	for d := range log.Cluster {
		log.Cluster[d] = int32(d / 4)
	}
	spy := &spyModel{t: t}
	if _, err := crossFit(log, target, spy, 5, 1); err != nil {
		t.Fatal(err)
	}
	if spy.fits != 5 || spy.asked == 0 {
		t.Errorf("%d fits and %d questions", spy.fits, spy.asked)
	}
}

// spyModel gives rows their cluster as a feature, so that a predictor can tell by whom it is asked.
type spyModel struct {
	t           *testing.T
	fits, asked int
}

type spyPredictor struct {
	of   *spyModel
	seen map[float32]bool
}

func (m *spyModel) Fit(log *Log, rows []int) (Predictor, error) {
	m.fits++
	log.Features = 1
	for i := range log.Rows {
		log.Rows[i].Features = []float32{float32(log.cluster(log.Rows[i].Decision))}
	}
	p := spyPredictor{m, map[float32]bool{}}
	for _, i := range rows {
		p.seen[log.Rows[i].Features[0]] = true
	}
	return p, nil
}

func (p spyPredictor) Predict(_, _ int32, features []float32) float64 {
	if len(features) > 0 {
		p.of.asked++
		if p.seen[features[0]] {
			p.of.t.Errorf("cluster %v is judged by a model that was fitted on it", features[0])
		}
	}
	return 0
}

func TestBrokenLogsAndTargetsAreNamed(t *testing.T) {
	row := Row{Propensity: 0.5, Reward: 1}
	with := func(change func(*Row)) *Log {
		r := row
		change(&r)
		return &Log{Actions: 1, Slots: 1, MaxReward: 1, Rows: []Row{row, {Decision: 1, Propensity: 0.5}, func() Row { r.Decision += 2; return r }()}}
	}
	half := given{0.5, 0.5, 0.5}
	for _, c := range []struct {
		name   string
		log    *Log
		target Target
		is     error
		says   string
	}{
		{"empty", &Log{}, half, ErrLog, "it is empty"},
		{"propensity 0", with(func(r *Row) { r.Propensity = 0 }), half, ErrLog, "row 3: propensity 0: what has no chance"},
		{"propensity above 1", with(func(r *Row) { r.Propensity = 1.5 }), half, ErrLog, "row 3: propensity 1.5: must be above 0 and at most 1"},
		{"propensity NaN", with(func(r *Row) { r.Propensity = math.NaN() }), half, ErrLog, "row 3: propensity NaN"},
		{"negative propensity", with(func(r *Row) { r.Propensity = -0.1 }), half, ErrLog, "row 3: propensity -0.1"},
		{"reward", with(func(r *Row) { r.Reward = math.Inf(1) }), half, ErrLog, "reward +Inf is not finite"},
		{"reward beyond the bound", with(func(r *Row) { r.Reward = 2 }), half, ErrLog, "reward 2 is not between 0 and MaxReward, 1"},
		{"action", with(func(r *Row) { r.Action = 1 }), half, ErrLog, "action 1 is not among the 1"},
		{"slot", with(func(r *Row) { r.Slot = -1 }), half, ErrLog, "slot -1"},
		{"decisions apart", with(func(r *Row) { r.Decision = -2 }), half, ErrLog, "row 3 is of decision 0"},
		{"target above 1", with(func(*Row) {}), given{0.5, 0.5, 1.1}, ErrTarget, "probability 1.1 of the logged action of row 3"},
		{"target NaN", with(func(*Row) {}), given{math.NaN(), 0, 0}, ErrTarget, "row 1"},
		{"no distribution", with(func(*Row) {}), tableTarget{with(func(*Row) {}), [][]float64{{0.5}, {0.5}, {0.5}}}, ErrTarget, "sum to 0.5, not to 1"},
	} {
		o := DefaultOptions()
		o.MinEffective, o.Folds = 1, 2
		_, err := Evaluate(t.Context(), c.log, c.target, o)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q", c.name, err, c.says)
		}
	}
}

func TestOptionsOutsideTheirBoundsAreRefused(t *testing.T) {
	log, target := randomLog(rand.New(rand.NewPCG(1, 1)), 20, 1)
	for says, change := range map[string]func(*Options){
		"Lists":             func(o *Options) { o.Lists = "" },
		"Clip":              func(o *Options) { o.Clip = math.NaN() },
		"Model":             func(o *Options) { o.Model = nil },
		"Folds":             func(o *Options) { o.Folds = 1 },
		"Interval":          func(o *Options) { o.Interval = Gamma },
		"Confidence":        func(o *Options) { o.Confidence = 1 },
		"Resamples":         func(o *Options) { o.Resamples = 10 },
		"MinEffective":      func(o *Options) { o.MinEffective = 0 },
		"MinRewards":        func(o *Options) { o.MinRewards = -1 },
		"MaxUnexplored":     func(o *Options) { o.MaxUnexplored = 2 },
		"bound on weights":  func(o *Options) { o.Interval = Bernstein },
		"Means.Strength":    func(o *Options) { o.Model, o.MinEffective = Means{}, 1 },
		"no features":       func(o *Options) { o.Model, o.MinEffective = Ridge{Means: Means{1}, Penalty: 1}, 1 },
		"Ridge.Penalty":     func(o *Options) { o.Model, o.MinEffective = Ridge{Means: Means{1}}, 1 },
		"nothing to learn":  func(o *Options) { o.MinEffective = 1; log.Cluster = make([]int32, 20) },
		"clusters count up": func(*Options) { log.Cluster = []int32{0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2} },
	} {
		log.Cluster = nil
		o := DefaultOptions()
		change(&o)
		_, err := Evaluate(t.Context(), log, target, o)
		if !errors.Is(err, ErrOptions) && !errors.Is(err, ErrLog) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}
