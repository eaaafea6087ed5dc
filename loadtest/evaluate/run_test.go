package evaluate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/ranker"
)

// A ring of thirty items, each of which is followed by the next one. Titles come
// in three families of ten.
const ringItems = 30

func ringDir(t *testing.T) string {
	t.Helper()
	family := []string{"gel pen blue", "laser printer toner", "wooden office desk"}
	var items, train, test strings.Builder
	for i := range ringItems {
		fmt.Fprintf(&items, `{"item_id":"%d","title":"%s model %c","description":""}`+"\n", i, family[i/10], 'a'+rune(i%10))
		fmt.Fprintf(&train, `{"user_id":"u%d","items":["%d","%d","%d","%d"]}`+"\n", i, i, (i+1)%ringItems, (i+2)%ringItems, (i+3)%ringItems)
		fmt.Fprintf(&test, `{"user_id":"v%d","history":["%d","%d"],"target":"%d"}`+"\n", i, i, (i+1)%ringItems, (i+2)%ringItems)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"items.jsonl": items.String(), "train.jsonl": train.String(), "test.jsonl": test.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func run(t *testing.T, o Options) Result {
	t.Helper()
	result, err := Run(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestWhatAlwaysFollowsIsFound(t *testing.T) {
	dir := ringDir(t)
	result := run(t, Options{Format: dataset.Amazon, Dir: dir})
	if result.HR5 != 1 || result.Cases != ringItems || result.Items != ringItems || result.Coverage != 1 {
		t.Errorf("%+v, want every target among the first five and every item shown", result)
	}
	if result.Protocol != Published || result.Stage != Full || result.Split != Test || result.Seed != 1 || result.Encoder == "" {
		t.Errorf("%+v does not say what it is", result)
	}
}

func TestRetrievalSeesTextAndNothingElse(t *testing.T) {
	result := run(t, Options{Format: dataset.Amazon, Dir: ringDir(t), Stage: Retrieval, Behaviour: Mean})
	// The target is of the family of the last item in nine of ten questions, and a family has ten.
	if result.HR10 < 0.85 || result.HR10 > 0.95 {
		t.Errorf("hr@10 %v, want about .9", result.HR10)
	}
}

func TestWorkersDoNotChangeFigures(t *testing.T) {
	dir := ringDir(t)
	one := run(t, Options{Format: dataset.Amazon, Dir: dir, Workers: 1})
	four := run(t, Options{Format: dataset.Amazon, Dir: dir, Workers: 4})
	if one.Figures != four.Figures || one.Coverage != four.Coverage {
		t.Errorf("%+v with one worker, %+v with four", one.Figures, four.Figures)
	}
}

func TestColdTargetsAreReportedApart(t *testing.T) {
	result := run(t, Options{Format: dataset.Amazon, Dir: ringDir(t), Cold: 0.2})
	if result.Cold == nil || result.Warm == nil || result.Cold.Cases != 6 || result.Cold.Cases+result.Warm.Cases != result.Cases {
		t.Fatalf("%+v, %+v of %d cases, want 6 cold ones", result.Cold, result.Warm, result.Cases)
	}
	if result.Cold.HR10 == 0 || result.Cold.HR10 > result.Warm.HR10 {
		t.Errorf("hr@10 %v cold, %v warm: the cold have their text, the warm more", result.Cold.HR10, result.Warm.HR10)
	}
}

func TestLeaveOneOutHidesWhatWasSeen(t *testing.T) {
	var sequences, attributes strings.Builder
	attributes.WriteString("{")
	for i := range ringItems {
		fmt.Fprintf(&sequences, "%d %d %d %d %d\n", i+1, i+1, (i+1)%ringItems+1, (i+2)%ringItems+1, (i+3)%ringItems+1)
		fmt.Fprintf(&attributes, `"%d":[1],`, i+1)
	}
	dir := t.TempDir()
	_ = os.WriteFile(filepath.Join(dir, "sequences.txt"), []byte(sequences.String()), 0o600)
	_ = os.WriteFile(filepath.Join(dir, "item_attributes.json"), []byte(strings.TrimSuffix(attributes.String(), ",")+"}"), 0o600)
	for _, stage := range []Stage{Full, Retrieval} {
		result := run(t, Options{Format: dataset.S3Rec, Dir: dir, Stage: stage, Behaviour: Mean})
		if result.Protocol != LeaveOneOut {
			t.Errorf("protocol %q, want leave one out", result.Protocol)
		}
		// All items have one text: only ties, and ties count against the target.
		if stage == Retrieval && (result.HR10 != 0 || math.Abs(result.MRR-1.0/(ringItems-3)) > 1e-9) {
			t.Errorf("%+v, want the target behind all 26 others that are not hidden", result.Figures)
		}
		if stage == Full && result.HR5 != 1 {
			t.Errorf("hr@5 %v, want 1", result.HR5)
		}
	}
}

func TestFiguresAreWhatTheySay(t *testing.T) {
	got := figures([]answer{{rank: 1}, {rank: 5}, {rank: 10}, {rank: 11}}, func(answer) bool { return true })
	want := Figures{HR5: 0.5, HR10: 0.75, NDCG10: (1 + 1/math.Log2(6) + 1/math.Log2(11)) / 4, MRR: (1 + 0.2 + 0.1 + 1.0/11) / 4, Cases: 4}
	if math.Abs(got.NDCG10-want.NDCG10) > 1e-12 || math.Abs(got.MRR-want.MRR) > 1e-12 || got.HR5 != want.HR5 || got.HR10 != want.HR10 || got.Cases != 4 {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestTiesCountAgainstTheTarget(t *testing.T) {
	list := []ranker.Ranked{{Item: 3, Score: 2}, {Item: 1, Score: 1}, {Item: 2, Score: 1}, {Item: 9, Score: 0}}
	for target, want := range map[uint32]int{3: 1, 1: 3, 2: 3, 9: 4, 77: 100} {
		if got := rankAmong(list, target, 100); got != want {
			t.Errorf("rank of %d is %d, want %d", target, got, want)
		}
	}
}

func TestResultIsOneLineOfJSON(t *testing.T) {
	var out bytes.Buffer
	if err := run(t, Options{Format: dataset.Amazon, Dir: ringDir(t)}).WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(out.Bytes(), &fields); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("%v: %q", err, out.String())
	}
	for _, name := range []string{"hr_at_5", "hr_at_10", "ndcg_at_10", "mrr", "coverage", "seconds", "format", "protocol", "stage", "seed",
		"items", "cases", "encoder"} {
		if _, there := fields[name]; !there {
			t.Errorf("%s is missing from %s", name, out.String())
		}
	}
}

func TestBadOptionsAndCancelledRunsEndClearly(t *testing.T) {
	dir := ringDir(t)
	for _, o := range []Options{{Stage: "half"}, {Split: "train"}, {Cold: 1}, {Cold: math.NaN()}, {Workers: -1}} {
		o.Format, o.Dir = dataset.Amazon, dir
		if _, err := Run(t.Context(), o, nil); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v, want ErrOptions", o, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Options{Format: dataset.Amazon, Dir: dir}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	if _, err := Run(t.Context(), Options{Format: dataset.Amazon, Dir: t.TempDir()}, nil); !errors.Is(err, dataset.ErrNotFound) {
		t.Errorf("%v, want dataset.ErrNotFound", err)
	}
}

// The defaults must stay as good as they were found to be, on the part for tuning.
func TestPublishedLogIsRankedWellWithNothingLearned(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data", "amazon-office")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the published log is not beside the repository")
	}
	result := run(t, Options{Format: dataset.Amazon, Dir: dir, Split: Valid, Behaviour: Mean})
	if result.Cases != 526 || result.HR10 < 0.19 || result.NDCG10 < 0.15 {
		t.Errorf("%+v, want hr@10 of .19 and ndcg@10 of .15 at least", result.Figures)
	}
}

func TestFittedWeightsMakeUpForBadOnes(t *testing.T) {
	o := Options{Format: dataset.Amazon, Dir: ringDir(t), Weights: &ranker.Weights{ranker.CoVisited: -5}}
	bad := run(t, o)
	o.Fit = true
	fitted := run(t, o)
	if bad.HR5 > 0.1 || fitted.HR5 < 0.9 || bad.Weights != "given" || fitted.Weights != "fitted on validation" {
		t.Errorf("hr@5 %v with %s weights, %v with those %s", bad.HR5, bad.Weights, fitted.HR5, fitted.Weights)
	}
	o.Stage = Retrieval
	if _, err := Run(t.Context(), o, nil); !errors.Is(err, ErrOptions) {
		t.Errorf("weights of a stage without any: %v, want ErrOptions", err)
	}
}
