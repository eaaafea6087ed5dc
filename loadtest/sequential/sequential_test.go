package sequential

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

const runs, looks = 1000, 20

// person is a user's clicks and items shown. Heavy users see more lists, and who likes to click does so in all of them:
// users differ, so that clicks are not independent.
func person(random *rand.Rand, rate float64) (clicks, shown float64) {
	lists := 1 + int(random.ExpFloat64()*2)
	own := rate * 2 * random.Float64()
	for range lists {
		for range 10 {
			shown++
			if random.Float64() < own {
				clicks++
			}
		}
	}
	return clicks, shown
}

// simulate runs experiments of 2,000 users with 20 looks and gives how many were ever called different, by the sequential
// test and by a t-test at each look, and how many intervals ever missed the truth.
func simulate(t *testing.T, seed uint64, effect float64) (sequential, fixed, missed int) {
	t.Helper()
	test, err := NewTest(0.05, 2000)
	if err != nil {
		t.Fatal(err)
	}
	const rate = 0.05
	for run := range runs {
		random := rand.New(rand.NewPCG(seed, uint64(run)))
		var a, b Arm
		process := NewProcess(test)
		tTest, miss := false, false
		for range looks {
			for range 2000 / looks {
				if random.IntN(2) == 0 {
					a.Add(person(random, rate))
				} else {
					b.Add(person(random, rate*(1+effect)))
				}
			}
			process.Look(&a, &b)
			z := (b.Ratio() - a.Ratio()) / math.Sqrt(a.variance()+b.variance())
			tTest = tTest || 2*distuv.UnitNormal.Survival(math.Abs(z)) < 0.05
			miss = miss || process.Last.Low > rate*effect || process.Last.High < rate*effect
		}
		for _, c := range []struct {
			yes bool
			n   *int
		}{{process.Significant(), &sequential}, {tTest, &fixed}, {miss, &missed}} {
			if c.yes {
				*c.n++
			}
		}
	}
	return sequential, fixed, missed
}

// Of 1,000 experiments without an effect that are looked at 20 times, at most 5% may be called different. The t-test at each
// look is shown to call far more.
func TestPeekingRaisesNoFalseAlarms(t *testing.T) {
	sequential, fixed, missed := simulate(t, 1, 0)
	t.Logf("no effect, 20 looks, 1,000 runs: %d alarms of the sequential test, %d of the t-test at each look", sequential, fixed)
	if sequential > 50 || missed > 50 {
		t.Errorf("%d of 1,000 experiments without an effect were called different, %d intervals missed 0; want at most 5%%", sequential, missed)
	}
	if fixed <= 100 {
		t.Errorf("the t-test at each look called %d of 1,000 different: the simulation does not show what peeking does", fixed)
	}
}

func TestRealEffectIsFoundAndCovered(t *testing.T) {
	sequential, _, missed := simulate(t, 2, 0.3)
	t.Logf("30%% more clicks, 2,000 users, 20 looks: %d of 1,000 found, %d intervals ever missed the truth", sequential, missed)
	if sequential < 900 || missed > 50 {
		t.Errorf("%d of 1,000 found, %d missed the truth; want nearly all, and at most 5%%", sequential, missed)
	}
}

// The interval leaves 0 exactly when the evidence reaches 1/alpha: they are one test.
func TestIntervalAndEvidenceAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		alpha := rapid.Float64Range(0.001, 0.5).Draw(t, "alpha")
		test, err := NewTest(alpha, rapid.Float64Range(1, 1e6).Draw(t, "users"))
		if err != nil {
			t.Fatal(err)
		}
		var a, b Arm
		effect := rapid.Float64Range(0, 2).Draw(t, "effect")
		for range rapid.IntRange(300, 900).Draw(t, "n") {
			a.Add(person(random, 0.1))
			b.Add(person(random, 0.1*(1+effect)))
		}
		e := test.Compare(&a, &b)
		if !e.Enough {
			t.Fatal("too few users to compare")
		}
		if gap := e.LogRatio + math.Log(alpha); math.Abs(gap) > 1e-9 && (gap > 0) != (e.Low > 0 || e.High < 0) {
			t.Fatalf("evidence %v at alpha %v, interval %v to %v", e.LogRatio, alpha, e.Low, e.High)
		}
	})
}

// The dumb twin: sums kept as they come, two passes.
func TestArmHoldsTheMomentsOfItsUsers(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	var a Arm
	var ns, ds []float64
	for range 500 {
		n, d := person(random, 0.1)
		a.Add(n, d)
		ns, ds = append(ns, n), append(ds, d)
	}
	var sumN, sumD float64
	for i := range ns {
		sumN, sumD = sumN+ns[i], sumD+ds[i]
	}
	r := sumN / sumD
	squares := 0.0
	for i := range ns {
		squares += (ns[i] - r*ds[i]) * (ns[i] - r*ds[i])
	}
	want := squares / 499 / 500 / (sumD / 500 * sumD / 500)
	if math.Abs(a.Ratio()-r) > 1e-12 || math.Abs(a.variance()/want-1) > 1e-9 {
		t.Errorf("ratio %v, variance %v; want %v, %v", a.Ratio(), a.variance(), r, want)
	}
}

func TestFewUsersGiveNoVerdict(t *testing.T) {
	test, err := NewTest(0.05, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var a, b Arm
	process := NewProcess(test)
	for i := range 1000 {
		a.Add(0, 1)
		b.Add(1, 1)
		if process.Look(&a, &b); process.Last.Enough || process.P != 1 {
			t.Fatalf("a verdict after %d users: the first arm has none that acted", i+1)
		}
	}
}

func TestPNeverRisesAndCrossesOnce(t *testing.T) {
	test, err := NewTest(0.05, 500)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(4, 4))
	var a, b Arm
	process := NewProcess(test)
	crossings, before := 0, 1.0
	for i := range 3000 {
		a.Add(person(random, 0.05))
		if effect := 0.15; i < 1500 {
			b.Add(person(random, effect))
		} else {
			b.Add(person(random, 0.001)) // the evidence weakens again
		}
		if process.Look(&a, &b) {
			crossings++
		}
		if process.P > before {
			t.Fatalf("p rose from %v to %v", before, process.P)
		}
		before = process.P
	}
	if crossings != 1 || !process.Significant() {
		t.Errorf("crossed %d times, p %v", crossings, process.P)
	}
}

// fall draws users by true shares and looks after each whether they are those meant.
func fall(t *testing.T, seed uint64, truth float64, users int) (sequential, fixed bool) {
	t.Helper()
	m, err := NewShares([]float64{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(seed, 9))
	for i := range users {
		variant := 0
		if random.Float64() < truth {
			variant = 1
		}
		m.Add(variant)
		if (i+1)%(users/looks) == 0 {
			fixed = fixed || m.Result().ChiSquareP < 0.01
		}
	}
	return m.Result().P < 0.01, fixed
}

func TestSharesThatFitRaiseNoAlarmAndOthersDo(t *testing.T) {
	var alarms, fixedAlarms, found int
	for run := range uint64(500) {
		sequential, fixed := fall(t, run, 0.5, 4000)
		if sequential {
			alarms++
		}
		if fixed {
			fixedAlarms++
		}
		if sequential, _ = fall(t, run, 0.46, 10000); sequential {
			found++
		}
	}
	t.Logf("of 500: %d alarms at shares that fit, %d of chi-square at 20 looks; 46%% for 50%% was found %d times in 10,000 users", alarms, fixedAlarms, found)
	if alarms > 5 || found < 490 {
		t.Errorf("%d of 500 alarms where shares fit, want at most 1%%; %d of 500 found where they do not", alarms, found)
	}
	if fixedAlarms <= 10 {
		t.Errorf("chi-square at 20 looks raised %d alarms of 500: the simulation does not show what peeking does", fixedAlarms)
	}
}

// Of 60 and 40 users where 50 and 50 were meant, chi-square is 4, whose p with one degree of freedom is 0.0455.
func TestChiSquareIsPearsons(t *testing.T) {
	m, err := NewShares([]float64{0.2, 0.2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		m.Add(i % 5 / 3)
	}
	r := m.Result()
	if math.Abs(r.ChiSquareP-0.0455003) > 1e-6 || r.Expected[0] != 50 || r.P < r.ChiSquareP {
		t.Errorf("%+v", r)
	}
}

func TestBadBoundsAreRefused(t *testing.T) {
	for _, c := range [][2]float64{{0, 100}, {0.6, 100}, {math.NaN(), 100}, {0.05, 0}, {0.05, math.NaN()}} {
		if _, err := NewTest(c[0], c[1]); err == nil {
			t.Errorf("alpha %v at %v users was taken", c[0], c[1])
		}
	}
	for _, shares := range [][]float64{nil, {1}, {1, 0}, {1, -1}, {1, math.NaN()}, {1, math.Inf(1)}} {
		if _, err := NewShares(shares); err == nil {
			t.Errorf("shares %v were taken", shares)
		}
	}
}
