package evaluate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// filmsDir is the ring as films, whose genres are of five items each.
func filmsDir(t *testing.T) string {
	t.Helper()
	var movies, ratings strings.Builder
	movies.WriteString("movieId,title,genres\n")
	ratings.WriteString("userId,movieId,rating,timestamp\n")
	for i := range ringItems {
		fmt.Fprintf(&movies, "%d,Film %d (1999),Genre%d|All\n", i+1, i+1, i/5)
		for k := range 6 {
			fmt.Fprintf(&ratings, "%d,%d,5.0,%d\n", i+1, (i+k)%ringItems+1, 1_000_000_000+1000*i+k)
		}
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"movies.csv": movies.String(), "ratings.csv": ratings.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestVarietyIsMeasuredSettingBySetting(t *testing.T) {
	result := run(t, Options{Format: dataset.MovieLens, Dir: filmsDir(t), Behaviour: Mean, Diversity: []float64{0, 0.5, 1}, NewItems: []float64{1}})
	if len(result.Variety) != 4 {
		t.Fatalf("%d settings, want 4", len(result.Variety))
	}
	plain, half, most := result.Variety[0], result.Variety[1], result.Variety[2]
	if plain.NDCG10 != result.NDCG10 || plain.HR10 != result.HR10 || plain.Coverage != result.Coverage {
		t.Errorf("without diversity %+v, the figures are %+v", plain, result.Figures)
	}
	if !(plain.Categories < half.Categories && half.Categories <= most.Categories) || !(plain.CategoryDistance < most.CategoryDistance) {
		t.Errorf("categories %v, %v, %v, distances %v, %v: want more with more diversity",
			plain.Categories, half.Categories, most.Categories, plain.CategoryDistance, most.CategoryDistance)
	}
	for _, v := range result.Variety {
		sum := 0.0
		for _, share := range v.Exposure {
			sum += share
		}
		if math.Abs(sum-1) > 1e-9 || v.VectorDistance < 0 || v.VectorDistance > 2 {
			t.Errorf("exposure adds up to %v, vector distance is %v", sum, v.VectorDistance)
		}
	}
}

func TestVarietyIsPrintedAndDrawn(t *testing.T) {
	result := run(t, Options{Format: dataset.MovieLens, Dir: filmsDir(t), Behaviour: Mean, Diversity: []float64{0, 0.3}})
	var lines bytes.Buffer
	if err := result.WriteVariety(&lines); err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(&lines)
	for _, want := range []float64{0, 0.3} {
		var v Variety
		if err := decoder.Decode(&v); err != nil || v.Diversity != want || v.Categories == 0 {
			t.Errorf("%+v, %v, want diversity %v", v, err, want)
		}
	}
	var page bytes.Buffer
	if err := result.VarietyPage().Write(&page); err != nil || !strings.Contains(page.String(), "<svg") || !strings.Contains(page.String(), "diversity 0.3") {
		t.Errorf("%v: no chart or no setting in the page", err)
	}
}

func TestVarietyIsOfServing(t *testing.T) {
	_, err := Run(t.Context(), Options{Format: dataset.MovieLens, Dir: t.TempDir(), Stage: Retrieval, Diversity: []float64{0}}, nil)
	if !errors.Is(err, ErrOptions) {
		t.Errorf("%v, want ErrOptions", err)
	}
	if _, err = Run(t.Context(), Options{Format: dataset.MovieLens, Dir: filmsDir(t), Behaviour: Mean, Diversity: []float64{2}}, nil); err == nil || !strings.Contains(err.Error(), "Diversity is 2") {
		t.Errorf("%v, want diversity 2 refused", err)
	}
}

func TestAChangeIsToldWithItsError(t *testing.T) {
	// Gains of 1, 0 and 0 become 0, 1 and 0: no change, and much doubt.
	mean, deviation := paired([]answer{{rank: 1}, {rank: 11}, {rank: 50}}, []answer{{rank: 11}, {rank: 1}, {rank: 20}})
	if mean != 0 || math.Abs(deviation-1/math.Sqrt(3)) > 1e-12 {
		t.Errorf("%v ± %v, want 0 ± 0.577", mean, deviation)
	}
}
