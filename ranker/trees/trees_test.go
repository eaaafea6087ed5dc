package trees

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/ranker"
)

// predictions are what the real library says of some rows.
type predictions struct {
	Features []string
	Rows     [][]float32
	Scores   []float64
}

func open(t testing.TB, name string) *Model {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func predicted(t testing.TB, name string) (p predictions) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", strings.TrimSuffix(name, filepath.Ext(name))+".predictions.json"))
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *predictions) columns(t testing.TB) *ranker.Columns {
	t.Helper()
	var x ranker.Columns
	for f := range x {
		x[f] = make([]float32, len(p.Rows))
	}
	for k, name := range p.Features {
		f, err := ranker.ParseFeature(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range p.Rows {
			x[f][i] = row[k]
		}
	}
	return &x
}

var files = []string{"lightgbm_lambdarank.txt", "lightgbm_binary.txt", "lightgbm_zero_as_missing.txt", "lightgbm_forest.txt",
	"xgboost_ndcg.json", "xgboost_logistic.json", "xgboost_dart.json"}

func TestScoresAreThoseOfTheRealLibraries(t *testing.T) {
	for _, name := range files {
		m, p := open(t, name), predicted(t, name)
		out := make([]float64, len(p.Rows))
		m.Score(p.columns(t), out)
		for i, want := range p.Scores {
			if math.Abs(out[i]-want) > 1e-6*max(1, math.Abs(want)) {
				t.Errorf("%s, row %d %v: %v, want %v", name, i, p.Rows[i], out[i], want)
				break
			}
		}
		if kind, _, _ := strings.Cut(name, "_"); m.Name() != kind || m.Trees() != 10 || len(p.Scores) < 100 {
			t.Errorf("%s: %s of %d trees, %d predictions", name, m.Name(), m.Trees(), len(p.Scores))
		}
	}
}

func TestFeaturesThatAFileDoesNotHaveAreNamed(t *testing.T) {
	unused := open(t, files[0]).Unused()
	if len(unused) != int(ranker.FeatureCount)-5 || !slices.Contains(unused, ranker.Trend) || slices.Contains(unused, ranker.CoVisited) {
		t.Errorf("unused: %v", unused)
	}
}

func TestContributionsAddUpToTheScore(t *testing.T) {
	for _, name := range []string{"lightgbm_zero_as_missing.txt", "xgboost_ndcg.json"} {
		m := open(t, name)
		r := rand.New(rand.NewPCG(1, 2))
		for i := range 10_000 {
			var x ranker.Features
			var columns ranker.Columns
			for f := range x {
				if r.IntN(3) > 0 {
					x[f] = float32(2 * r.NormFloat64())
				}
				columns[f] = x[f : f+1]
			}
			var parts ranker.Parts
			sum := m.Attribute(&x, &parts)
			for _, p := range parts {
				sum += p
			}
			var score [1]float64
			if m.Score(&columns, score[:]); math.Abs(sum-score[0]) > 1e-6*max(1, math.Abs(score[0])) {
				t.Fatalf("%s, case %d: parts and rest add up to %v, the score is %v", name, i, sum, score[0])
			}
			if parts[ranker.Trend] != 0 {
				t.Fatalf("%s: a feature that the file does not have contributed %v", name, parts[ranker.Trend])
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFilesThatCannotServeAreRefusedByName(t *testing.T) {
	light, xg := read(t, "lightgbm_binary.txt"), read(t, "xgboost_ndcg.json")
	edit := func(text, from, to string) string {
		t.Helper()
		if !strings.Contains(text, from) {
			t.Fatalf("no %q to replace", from)
		}
		return strings.Replace(text, from, to, 1)
	}
	for what, c := range map[string]struct{ text, says string }{
		"nothing":                {"", "neither LightGBM's text"},
		"pickle":                 {"\x80\x04binary", "neither LightGBM's text"},
		"light: unknown":         {edit(light, "=co_visited ", "=charm "), `column 0: ranker: bad weights: no feature "charm"`},
		"light: no names":        {edit(light, "feature_names=co_visited user_similarity last_similarity popularity repeat", "feature_names="), "does not name its features"},
		"light: position":        {edit(light, "=co_visited ", "=position "), "not known when serving"},
		"light: twice":           {edit(light, "=co_visited user_similarity", "=co_visited co_visited"), "co_visited stands there twice"},
		"light: cut off":         {light[:strings.Index(light, "end of trees")], "cut off"},
		"light: cut in a tree":   {light[:strings.Index(light, "Tree=3")+200], "cut off"},
		"light: a tree is gone":  {light[:strings.Index(light, "Tree=9")] + "end of trees\n", "has 9 trees, its head lists 10"},
		"light: classes":         {edit(light, "num_class=1", "num_class=3"), `"3" classes`},
		"light: version":         {edit(light, "version=v4", "version=v2"), `version "v2"`},
		"light: categories":      {edit(light, "num_cat=0", "num_cat=1"), "categorical"},
		"light: linear":          {edit(light, "is_linear=0", "is_linear=1"), "linear leaves"},
		"light: shapes":          {edit(light, "leaf_value=", "leaf_value=1 "), "leaf_value has 16 numbers for 15 leaves"},
		"light: no number":       {edit(light, "threshold=", "threshold=x"), "threshold"},
		"light: NaN":             {edit(light, "leaf_value=", "leaf_value=NaN\nrest="), "leaf_value has 1 numbers"},
		"light: a circle":        {edit(light, "left_child=1 ", "left_child=0 "), "reached twice"},
		"light: no such column":  {edit(light, "split_feature=2", "split_feature=9"), "column 9 of 5"},
		"light: no such leaf":    {edit(light, "left_child=1 ", "left_child=-99 "), "leaf 98 is not there"},
		"xg: cut off":            {xg[:len(xg)/2], "XGBoost's JSON"},
		"xg: unknown":            {edit(xg, `"co_visited"`, `"charm"`), `"charm"`},
		"xg: no names":           {edit(xg, `["co_visited","user_similarity","last_similarity","popularity","repeat"]`, `[]`), "does not name its features"},
		"xg: booster":            {edit(xg, `"name":"gbtree"`, `"name":"gblinear"`), `"gblinear"`},
		"xg: classes":            {edit(xg, `"num_class":"0"`, `"num_class":"4"`), "num_class is 4"},
		"xg: trees":              {edit(xg, `"num_trees":"10"`, `"num_trees":"11"`), `num_trees is "11"`},
		"xg: categories":         {edit(xg, `"split_type":[0`, `"split_type":[1`), "categorical"},
		"xg: a circle":           {edit(xg, `"left_children":[1`, `"left_children":[0`), "reached twice"},
		"xg: shapes":             {edit(xg, `"right_children":[2,`, `"right_children":[2,2,`), "right_children"},
		"xg: base":               {edit(xg, `"base_score":"[`, `"base_score":"[x`), "base_score"},
		"xg: no such child":      {edit(xg, `"left_children":[1`, `"left_children":[999`), "is not there"},
		"xg: an impossible base": {edit(read(t, "xgboost_logistic.json"), `"base_score":"[8.3333336E-2]"`, `"base_score":"[2]"`), "base score is NaN"},
	} {
		if _, err := Read(strings.NewReader(c.text)); !errors.Is(err, ErrModel) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v, want ErrModel with %q", what, err, c.says)
		}
	}
}

// grown is an XGBoost file of full trees.
func grown(trees, depth int) string {
	var b strings.Builder
	b.WriteString(`{"learner":{"feature_names":["co_visited","popularity"],"learner_model_param":{"base_score":"0"},"objective":{"name":"rank:ndcg"},"gradient_booster":{"name":"gbtree","model":{"gbtree_model_param":{"num_trees":"` + fmt.Sprint(trees) + `"},"trees":[`)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range trees {
		var left, right, feature []int
		var threshold []float64
		inner := 1<<depth - 1
		for n := range 2*inner + 1 {
			if l := 2*n + 1; n < inner {
				left, right = append(left, l), append(right, l+1)
			} else {
				left, right = append(left, -1), append(right, -1)
			}
			feature, threshold = append(feature, n%2), append(threshold, r.NormFloat64())
		}
		if i > 0 {
			b.WriteString(",")
		}
		text, err := json.Marshal(xgTree{Left: left, Right: right, Feature: feature, Threshold: threshold})
		if err != nil {
			panic(err)
		}
		b.Write(text)
	}
	b.WriteString(`]}}}}`)
	return b.String()
}

func TestModelsThatTakeTooLongAreRefused(t *testing.T) {
	if _, err := Read(strings.NewReader(grown(2, 4))); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(strings.NewReader(grown(MaxSteps/3+1, 3))); !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), "4098 comparisons a candidate") {
		t.Errorf("too many steps: %v", err)
	}
	deep := xgTree{}
	for i := range MaxDepth + 2 {
		deep.Left, deep.Right = append(deep.Left, 2*i+1, -1), append(deep.Right, 2*i+2, -1)
	}
	for i := range deep.Left {
		if deep.Left[i] != -1 {
			deep.Left[i], deep.Right[i] = i+1, i+2
		}
		deep.Feature, deep.Threshold = append(deep.Feature, 0), append(deep.Threshold, 0)
	}
	deep.Left, deep.Right = append(deep.Left, -1), append(deep.Right, -1)
	deep.Feature, deep.Threshold = append(deep.Feature, 0), append(deep.Threshold, 0)
	m := &Model{}
	columns, err := m.columns([]string{"co_visited"})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.plant(&deep, columns); !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), "deeper than 128") {
		t.Errorf("too deep: %v", err)
	}
}

func TestKeysAreInTheOrderOfTheirNumbers(t *testing.T) {
	list := []float32{float32(math.Inf(-1)), -math.MaxFloat32, -1.5, -1, -1e-35, -math.SmallestNonzeroFloat32, 0,
		math.SmallestNonzeroFloat32, 1e-35, 1, 1.5, math.MaxFloat32, float32(math.Inf(1))}
	for i := 1; i < len(list); i++ {
		if key(list[i-1]) >= key(list[i]) {
			t.Errorf("the key of %v is not below that of %v", list[i-1], list[i])
		}
	}
	if key(float32(math.Copysign(0, -1))) != key(0) {
		t.Error("zero has two keys")
	}
}

func TestScoringAllocatesNothing(t *testing.T) {
	m := open(t, files[0])
	p := predicted(t, files[0])
	x, out := p.columns(t), make([]float64, len(p.Rows))
	if n := testing.AllocsPerRun(100, func() { m.Score(x, out) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range files[:6] {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text[:min(len(text), 6000)])
		f.Add(text)
	}
	f.Add([]byte(grown(1, 2)))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Read(strings.NewReader(string(text)))
		if err != nil {
			if !errors.Is(err, ErrModel) {
				t.Fatalf("%v is no ErrModel", err)
			}
			return
		}
		var x ranker.Columns
		for f := range x {
			x[f] = []float32{0, 1, -1, 1e-36, math.MaxFloat32}
		}
		out := make([]float64, 5)
		m.Score(&x, out)
		for _, v := range out {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("score %v", v)
			}
		}
	})
}

func BenchmarkScore500(b *testing.B) {
	for _, shape := range [][2]int{{100, 6}, {300, 6}, {500, 8}} {
		b.Run(fmt.Sprintf("trees=%d/depth=%d", shape[0], shape[1]), func(b *testing.B) {
			m, err := Read(strings.NewReader(grown(shape[0], shape[1])))
			if err != nil {
				b.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, 2))
			var x ranker.Columns
			for f := range x {
				x[f] = make([]float32, 500)
				for i := range x[f] {
					x[f][i] = float32(r.NormFloat64())
				}
			}
			out := make([]float64, 500)
			b.ReportAllocs()
			for b.Loop() {
				m.Score(&x, out)
			}
		})
	}
}
