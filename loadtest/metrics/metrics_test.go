package metrics

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// reference is what testdata/reference.py wrote.
type reference struct {
	Users []struct {
		Scores  []float64
		Answers []int
		Want    map[string]float64
	}
	Lists struct {
		Labels         [][]uint32
		Vectors        [][]float64
		Met            []int
		Users          int
		Shown, History [][]uint32
		Group          []uint32
		LabelDistance  []float64 `json:"label_distance"`
		VectorDistance []float64 `json:"vector_distance"`
		Novelty        []float64
		Calibration    []float64
		Gini           float64
		Popularity     float64
		Coverage       float64
		Disparity      float64
	}
	Interval struct {
		First, Second   []float64
		Mean, Low, High float64
	}
}

func references(t *testing.T) (r reference) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "reference.json"))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestAccuracyIsThatOfTrecEvalAndRanx(t *testing.T) {
	r := references(t)
	if len(r.Users) != 60 {
		t.Fatalf("%d users, want 60", len(r.Users))
	}
	for u, c := range r.Users {
		p := Place(c.Scores, c.Answers)
		near(t, fmt.Sprintf("mrr of user %d", u), ReciprocalRank(p), c.Want["mrr"])
		for _, k := range []int{1, 5, 10, 20} {
			for name, got := range map[string]float64{"hr": HitRate(p, k), "recall": Recall(p, k), "precision": Precision(p, k),
				"ndcg": NDCG(p, k), "map": AveragePrecision(p, k)} {
				want, there := c.Want[fmt.Sprintf("%s_%d", name, k)]
				if !there {
					t.Fatalf("no %s at %d in the reference", name, k)
				}
				near(t, fmt.Sprintf("%s at %d of user %d", name, k, u), got, want)
			}
		}
	}
}

func TestWhatLiesBeyondAccuracyIsThatOfSciPy(t *testing.T) {
	l := references(t).Lists
	e := NewExposure(l.Met)
	of := func(items []uint32) (c [][]uint32) {
		for _, item := range items {
			c = append(c, l.Labels[item])
		}
		return c
	}
	for i, list := range l.Shown {
		e.Add(list)
		near(t, "distance of labels", IntraList(len(list), func(a, b int) float64 { return 1 - Jaccard(l.Labels[list[a]], l.Labels[list[b]]) }), l.LabelDistance[i])
		near(t, "distance of vectors", IntraList(len(list), func(a, b int) float64 {
			dot := 0.0
			for k, x := range l.Vectors[list[a]] {
				dot += x * l.Vectors[list[b]][k]
			}
			return 1 - dot
		}), l.VectorDistance[i])
		near(t, "novelty", Novelty(list, l.Met, l.Users), l.Novelty[i])
		kl, ok := Miscalibration(of(l.History[i]), of(list))
		if !ok {
			t.Fatal("no calibration")
		}
		near(t, "calibration", kl, l.Calibration[i])
	}
	near(t, "Gini index", e.Gini(), l.Gini)
	near(t, "popularity", e.Popularity(), l.Popularity)
	near(t, "coverage", e.Coverage(), l.Coverage)
	near(t, "disparity", Disparity(Shares(l.Group, e.Places())), l.Disparity)
}

func TestIntervalIsThatOfSciPy(t *testing.T) {
	r := references(t).Interval
	user := make([]int, len(r.First))
	for i := range user {
		user[i] = i
	}
	got, err := Paired([][]float64{r.First}, [][]float64{r.Second}, user, 20_000, 0.95, 1)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "mean", got[0].Mean, r.Mean)
	// Other draws: the bounds themselves vary by about a hundredth of the width.
	if width := r.High - r.Low; math.Abs(got[0].Low-r.Low) > width/30 || math.Abs(got[0].High-r.High) > width/30 {
		t.Errorf("%+v, want [%v, %v]", got[0], r.Low, r.High)
	}
}

// Ties go against the model.
func TestEqualsStandInTheWorstOrder(t *testing.T) {
	p := Place([]float64{1, 2, 2, 2, math.NaN(), 0}, []int{1, 3})
	if !slices.Equal(p, Places{2, 3}) {
		t.Errorf("%v: of three equals the wrong one comes first", p)
	}
	if p := Place([]float64{1, math.NaN(), math.NaN()}, []int{1}); !slices.Equal(p, Places{3}) {
		t.Errorf("%v: a score that is no number is the last", p)
	}
	if p := Place(make([]float64, 50), []int{7}); !slices.Equal(p, Places{50}) {
		t.Errorf("%v: a model that scores everything alike finds nothing", p)
	}
}

func TestNothingIsOfNoFigure(t *testing.T) {
	for name, got := range map[string]float64{"hr": HitRate(nil, 10), "recall": Recall(nil, 10), "ndcg": NDCG(nil, 10), "mrr": ReciprocalRank(nil),
		"map": AveragePrecision(nil, 10), "novelty": Novelty(nil, nil, 5), "list": IntraList(1, nil), "Gini": Gini([]int{0, 0}),
		"coverage": NewExposure(nil).Coverage(), "popularity": NewExposure([]int{3}).Popularity(), "jaccard": Jaccard(nil, nil),
		"disparity": Disparity(Shares([]uint32{0, 0}, []int{4, 5}))} {
		if got != 0 {
			t.Errorf("%s of nothing is %v", name, got)
		}
	}
	if _, ok := Miscalibration([][]uint32{{1}}, [][]uint32{nil}); ok {
		t.Error("a list without categories is calibrated")
	}
}

func TestGiniGoesFromEqualToOneHasAll(t *testing.T) {
	near(t, "equal", Gini([]int{3, 3, 3}), 0)
	near(t, "one of four has all", Gini([]int{0, 8, 0, 0}), 0.75)
}

func TestPopularTenthComesFirst(t *testing.T) {
	popularity := make([]int, 20)
	popularity[13], popularity[4] = 9, 9
	e := NewExposure(popularity)
	e.Add([]uint32{13, 4, 0})
	if got := e.ByDecile(); math.Abs(got[0]-2.0/3) > 1e-12 || math.Abs(got[1]-1.0/3) > 1e-12 {
		t.Errorf("%v, want two thirds for the first tenth", got)
	}
}

func TestCalibrationKnowsTheSameMixtureAndAnother(t *testing.T) {
	same, _ := Miscalibration([][]uint32{{1}, {2}, {1, 2}}, [][]uint32{{2, 1}})
	near(t, "the same mixture", same, 0)
	none, _ := Miscalibration([][]uint32{{1}}, [][]uint32{{2}})
	near(t, "nothing in common", none, math.Log(1/Smoothing))
}

func TestGroupsByActivityKeepEqualsTogether(t *testing.T) {
	if got := Terciles([]int{5, 1, 9, 1, 5, 7}); !slices.Equal(got, []uint8{1, 0, 2, 0, 1, 2}) {
		t.Errorf("%v", got)
	}
	if got := Terciles([]int{4, 4, 4}); !slices.Equal(got, []uint8{0, 0, 0}) {
		t.Errorf("%v: equals are of one part", got)
	}
}

// Of two rankings that do not differ an interval of 95% holds 0 some 95 times in a hundred.
// Users bring several questions that go alike: who resampled questions would be far off.
func TestIntervalHoldsTheTruthAsOftenAsItSays(t *testing.T) {
	const worlds, users, each = 400, 80, 6
	draws := rand.New(rand.NewPCG(3, 4))
	held := 0
	for world := range worlds {
		var first, second []float64
		var user []int
		for u := range users {
			taste := draws.NormFloat64()
			for range each {
				first = append(first, draws.NormFloat64())
				second = append(second, taste+draws.NormFloat64())
				user = append(user, u)
			}
		}
		got, err := Paired([][]float64{first}, [][]float64{second}, user, 400, 0.95, uint64(world))
		if err != nil {
			t.Fatal(err)
		}
		if !got[0].Excludes(0) {
			held++
		}
	}
	if share := float64(held) / worlds; share < 0.915 || share > 0.975 {
		t.Errorf("%.3f of the intervals hold the truth, want about .95", share)
	}
}

func TestIntervalIsOfTheSeed(t *testing.T) {
	a := [][]float64{{0, 1, 0, 1, 1, 0}, {3, 1, 4, 1, 5, 9}}
	user := []int{0, 0, 1, 2, 2, 3}
	one, _ := Paired(nil, a, user, 500, 0.95, 1)
	again, _ := Paired(nil, a, user, 500, 0.95, 1)
	other, _ := Paired(nil, a, user, 500, 0.95, 2)
	if !slices.Equal(one, again) || slices.Equal(one, other) || one[0].Mean != 0.5 {
		t.Errorf("%v, %v, %v", one, again, other)
	}
	for name, err := range map[string]error{
		"no questions": second(Paired(nil, a, nil, 500, 0.95, 1)), "few resamples": second(Paired(nil, a, user, 5, 0.95, 1)),
		"level": second(Paired(nil, a, user, 500, 1, 1)), "figures": second(Paired(a[:1], a, user, 500, 0.95, 1)),
	} {
		if !errors.Is(err, ErrBootstrap) {
			t.Errorf("%s: %v, want ErrBootstrap", name, err)
		}
	}
}

func second[A, B any](_ A, b B) B { return b }
