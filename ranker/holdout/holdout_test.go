package holdout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/ranker/catalog"
)

const items = 30

// basis has a vector for each item, one component each.
type basis struct{}

func (basis) Vector(item uint32) []float32 {
	if item >= items {
		return nil
	}
	v := make([]float32, items)
	v[item] = 1
	return v
}

// Nearest gives all items, those with the largest component first.
func (b basis) Nearest(vector []float32, limit int, allow []uint64, dst []ranker.Scored) []ranker.Scored {
	var all []ranker.Scored
	for i, x := range vector {
		all = append(all, ranker.Scored{Item: uint32(i), Score: x})
	}
	slices.SortStableFunc(all, func(a, b ranker.Scored) int {
		if a.Score > b.Score {
			return -1
		}
		return 1
	})
	return append(dst, all[:min(limit, len(all))]...)
}

func world(t *testing.T) ranker.World {
	t.Helper()
	table, err := catalog.New(catalog.Limits{MaxItems: items})
	if err != nil {
		t.Fatal(err)
	}
	for i := range items {
		if err := table.Put(uint32(i), catalog.Item{ID: fmt.Sprint(i), Title: fmt.Sprint("item ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	var log [][]ranker.Touch
	for u := range 60 { // everybody goes up by two
		log = append(log, []ranker.Touch{{Item: uint32(u % items)}, {Item: uint32((u + 2) % items)}})
	}
	counts, err := Count(items, slices.Values(log))
	if err != nil {
		t.Fatal(err)
	}
	return ranker.World{Catalog: table, Vectors: basis{}, UserSpace: basis{}, Nearest: basis{}, CoVisited: counts.CoVisited, Popular: counts.Popular}
}

// ask makes questions whose answer is the item that the user's vector points at.
func ask(n int) iter.Seq2[Question, error] {
	return func(yield func(Question, error) bool) {
		for i := range n {
			target := uint32((i + 7) % items)
			q := Question{History: []ranker.Touch{{Item: uint32(i % items)}}, User: basis{}.Vector(target), Target: target}
			if !yield(q, nil) {
				return
			}
		}
	}
}

func TestWhatTellsTheAnswerGetsWeight(t *testing.T) {
	prior := ranker.DefaultWeights()
	prior[ranker.UserSimilarity] = 0
	w, used, err := Weights(t.Context(), world(t), ask(200), prior, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if used != 200 {
		t.Errorf("%d of 200 questions had their answer among the candidates", used)
	}
	if w[ranker.UserSimilarity] < 3 || w[ranker.CoVisited] > prior[ranker.CoVisited] {
		t.Errorf("user similarity %.2f, co-visited %.2f of %.2f: the vector tells the answer, the counts do not",
			w[ranker.UserSimilarity], w[ranker.CoVisited], prior[ranker.CoVisited])
	}
}

func TestWithoutQuestionsThePriorStays(t *testing.T) {
	prior := ranker.DefaultWeights()
	w, used, err := Weights(t.Context(), world(t), ask(0), prior, Options{})
	if err != nil || used != 0 || w != prior {
		t.Errorf("%v, %d, %v", w, used, err)
	}
}

func TestCountsAreThoseOfTheLog(t *testing.T) {
	w := world(t)
	var n []uint32
	for _, x := range w.CoVisited.Neighbours(4, nil) {
		n = append(n, x.Item)
	}
	if !slices.Contains(n, 6) || slices.Contains(n, 9) {
		t.Errorf("co-visited with 4: %v", n)
	}
}

func TestErrorsOfQuestionsAndContextsComeBack(t *testing.T) {
	broken := errors.New("broken")
	bad := func(yield func(Question, error) bool) { yield(Question{}, broken) }
	if _, _, err := Weights(t.Context(), world(t), bad, ranker.DefaultWeights(), Options{}); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Weights(ctx, world(t), ask(3), ranker.DefaultWeights(), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestWeightsComeBackFromTheirFile(t *testing.T) {
	want := ranker.DefaultWeights()
	want[ranker.UserSimilarity] = 3.25
	var b bytes.Buffer
	if err := Write(&b, want); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(&b); err != nil || got != want {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if got, err := Read(strings.NewReader(`{"weights":{"trend":2}}`)); err != nil || got[ranker.Trend] != 2 || got[ranker.Repeat] != ranker.DefaultWeights()[ranker.Repeat] {
		t.Errorf("a file of one feature: %v, %v", got, err)
	}
	for _, text := range []string{``, `{"weights":{"charm":1}}`, `{"weights":{"trend":1e9}}`, `{"wights":{}}`} {
		if _, err := Read(strings.NewReader(text)); !errors.Is(err, ranker.ErrWeights) {
			t.Errorf("%s: %v, want ErrWeights", text, err)
		}
	}
}

func TestWhatWasFittedBeforeAFeatureRanksWithoutIt(t *testing.T) {
	// As the first files were, with 13 features.
	old := `{"weights":{"association":1.4,"co_visited":1.5,"co_visited_before":0.4,"cold_similarity":3,"freshness":0.2,
		"label_similarity":1.3,"last_similarity":1.2,"popularity":0.11,"recent_similarity":0.8,"repeat":-2.3,"repeat_count":-3.6,
		"trend":0.05,"user_similarity":9}}`
	got, err := Read(strings.NewReader(old))
	if err != nil {
		t.Fatal(err)
	}
	if got[ranker.UserSimilarity] != 9 || got[ranker.RepeatRecency] != 0 || got[ranker.UserRank] != 0 {
		t.Errorf("%v", got)
	}
}
