package sequence

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/kindred-rec/kindred/embed/behaviour/causal"
)

// ring is a shop in which item i+1 always follows item i, and after the last the first.
func ring(items, users int, seed uint64) Data {
	rng := rand.New(rand.NewPCG(seed, 1))
	walk := func() []Event {
		at := rng.IntN(items)
		var s []uint32
		for range 3 + rng.IntN(6) {
			s = append(s, uint32(at))
			at = (at + 1) % items
		}
		return Items(s...)
	}
	var train [][]Event
	for range users {
		train = append(train, walk())
	}
	d := Data{Sequences: slices.Values(train)}
	for range 40 {
		s := walk()
		last := len(s) - 1
		d.Valid = append(d.Valid, Case{History: s[:last], Target: s[last].Item})
	}
	return d
}

func smallOptions(items, textDim int) Options {
	o := DefaultOptions(causal.Config{Items: items, TextDim: textDim, Dim: 32, Layers: 1, Heads: 2, FeedForward: 32, Window: 8, Epsilon: 1e-5})
	o.Epochs, o.Batch, o.Dropout, o.LearningRate, o.Evaluate, o.Patience, o.Workers = 6, 16, 0.1, 1e-2, 1, 0, 2
	return o
}

// train trains and must have no error.
func train(t *testing.T, d Data, o Options) Result {
	t.Helper()
	r, err := Train(context.Background(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Weights.Validate(r.Config); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatAlwaysFollowsIsFound(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"as it is":          func(*Options) {},
		"of unit vectors":   func(o *Options) { o.Config.Scale = 12 },
		"norms before":      func(o *Options) { o.Config.PreNorm = true },
		"averaged":          func(o *Options) { o.EMA = 0.9 },
		"of some items":     func(o *Options) { o.FullItems, o.Negatives = 40, 20 },
		"of some, averaged": func(o *Options) { o.FullItems, o.Negatives, o.EMA = 40, 20, 0.9 },
		"without blocks":    func(o *Options) { o.Config.Layers = 0 },
		"from the end":      func(o *Options) { o.Config.Position = causal.FromEnd },
		"events left out":   func(o *Options) { o.EventDropout = 0.1 },
		"falling rate":      func(o *Options) { o.Schedule, o.WarmUp = Linear, 5 },
		"small batches":     func(o *Options) { o.BatchTokens, o.Batch = 20, 1000 },
		"labels smoothed":   func(o *Options) { o.LabelSmoothing = 0.1 },
		"gradient as it is": func(o *Options) { o.Clip = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			o := smallOptions(50, 0)
			o.Epochs = 12
			change(&o)
			r := train(t, ring(50, 300, 1), o)
			if r.Best.Valid.HR5 < 0.95 {
				t.Errorf("the next item is among the first 5 in %g of cases, want at least .95", r.Best.Valid.HR5)
			}
			if r.Curve[len(r.Curve)-1].Loss >= r.Curve[0].Loss {
				t.Errorf("the loss went from %g to %g", r.Curve[0].Loss, r.Curve[len(r.Curve)-1].Loss)
			}
		})
	}
}

// Items that were never bought are found by their text: in the ring, what follows an item
// has the text of its number plus one, on a circle.
func TestItemsWithoutHistoryAreFoundByTheirText(t *testing.T) {
	const items = 60
	d := ring(items, 400, 2)
	for i := range items {
		angle := 2 * math.Pi * float64(i) / items
		for f := 1; f <= 4; f++ {
			d.Text = append(d.Text, float32(math.Cos(float64(f)*angle)), float32(math.Sin(float64(f)*angle)))
		}
	}
	walks := d.Sequences
	d.Sequences = func(yield func([]Event) bool) {
		for s := range walks {
			end := slices.IndexFunc(s, func(e Event) bool { return e.Item%6 == 5 }) // every sixth is new
			if end < 0 {
				end = len(s)
			}
			if !yield(s[:end]) {
				return
			}
		}
	}
	var cold []Case
	for i := uint32(5); i < items; i += 6 {
		cold = append(cold, Case{History: Items(i-3, i-2, i-1), Target: i})
	}
	d.Valid = cold
	o := smallOptions(items, 8)
	o.Epochs, o.ResidualDropout = 12, 0.5
	r := train(t, d, o)
	if r.Best.Valid.HR5 < 0.8 {
		t.Errorf("a new item is among the first 5 in %g of cases, want at least .8", r.Best.Valid.HR5)
	}
}

// unclocked compares curves but for what the clock says.
var unclocked = cmpopts.IgnoreFields(Epoch{}, "Seconds", "TokensPerSecond")

func TestTheNumberOfWorkersChangesNothing(t *testing.T) {
	d := ring(30, 150, 3)
	o := smallOptions(30, 0)
	o.Epochs, o.EMA, o.EventDropout, o.Reverse, o.Workers = 3, 0.9, 0.2, 0.2, 1
	want := train(t, d, o)
	for _, workers := range []int{2, 3} {
		o.Workers = workers
		if diff := cmp.Diff(want, train(t, d, o), unclocked); diff != "" {
			t.Errorf("%d workers differ from one (-one +more):\n%.2000s", workers, diff)
		}
	}
	o.Seed++
	if cmp.Equal(want, train(t, d, o), unclocked) {
		t.Error("another seed gave the same")
	}
}

// resumable are the options of the runs that are killed.
func resumable(path string) (Data, Options) {
	d := ring(40, 400, 4)
	o := smallOptions(40, 0)
	o.Epochs, o.EMA, o.EventDropout, o.WarmUp, o.Schedule = 8, 0.95, 0.1, 3, Cosine
	o.Checkpoint, o.CheckpointSteps = path, 3
	return d, o
}

func TestAKilledRunGoesOnToTheSameResult(t *testing.T) {
	if path := os.Getenv("KINDRED_TEST_TRAIN_UNTIL_KILLED"); path != "" {
		d, o := resumable(path)
		o.Progress = func(Epoch) { time.Sleep(300 * time.Millisecond) } // so that it does not end before it is killed
		_, err := Train(context.Background(), d, o)
		t.Fatal("not killed: ", err)
	}
	d, o := resumable("")
	want := train(t, d, o)
	path := filepath.Join(t.TempDir(), "checkpoint")
	for kill := range 3 {
		victim := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		victim.Env = append(os.Environ(), "KINDRED_TEST_TRAIN_UNTIL_KILLED="+path)
		before, _ := os.ReadFile(path)
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		for { // until it has got somewhere
			if now, err := os.ReadFile(path); err == nil && !slices.Equal(now, before) {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := victim.Wait(); err == nil {
			t.Fatalf("kill %d came too late", kill)
		}
	}
	d, o = resumable(path)
	if diff := cmp.Diff(want, train(t, d, o), unclocked); diff != "" {
		t.Errorf("the run that was killed differs (-whole +killed):\n%.2000s", diff)
	}
	if diff := cmp.Diff(want, train(t, d, o), unclocked); diff != "" {
		t.Errorf("the run that was over differs when it is asked again:\n%.2000s", diff)
	}
}

func TestACancelledRunGoesOnToTheSameResult(t *testing.T) {
	for _, full := range []int{1 << 20, 30} { // with a softmax over all items, and over some
		d, o := resumable("")
		o.FullItems, o.Negatives = full, 10
		want := train(t, d, o)
		o.Checkpoint, o.CheckpointSteps = filepath.Join(t.TempDir(), "checkpoint"), 0
		ctx, cancel := context.WithCancel(context.Background())
		o.Progress = func(e Epoch) {
			if e.Number == 2 {
				cancel()
			}
		}
		r, err := Train(ctx, d, o)
		if !errors.Is(err, context.Canceled) || r.Weights == nil || len(r.Curve) != 2 {
			t.Fatalf("cancelled after 2 epochs: error %v and %d epochs", err, len(r.Curve))
		}
		if diff := cmp.Diff(want, train(t, d, o), unclocked); diff != "" {
			t.Errorf("softmax over %d items: the run that was cancelled differs (-whole +cancelled):\n%.2000s", full, diff)
		}
	}
}

func TestACheckpointOfSomethingElseIsRefused(t *testing.T) {
	d, o := resumable(filepath.Join(t.TempDir(), "checkpoint"))
	o.Epochs = 1
	train(t, d, o)
	other := o
	other.LearningRate *= 2
	if _, err := Train(context.Background(), d, other); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("other options: error is %v, want ErrCheckpoint", err)
	}
	if _, err := Train(context.Background(), ring(40, 400, 5), o); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("other data: error is %v, want ErrCheckpoint", err)
	}
	content, err := os.ReadFile(o.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.Checkpoint, content[:len(content)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Train(context.Background(), d, o); !errors.Is(err, ErrCheckpoint) || !strings.Contains(err.Error(), o.Checkpoint) {
		t.Errorf("half a checkpoint: error is %v, want ErrCheckpoint with its name", err)
	}
}

func TestALossThatIsNoNumberStopsTraining(t *testing.T) {
	d := ring(30, 100, 6)
	o := smallOptions(30, 1)
	d.Text = slices.Repeat([]float32{math.MaxFloat32}, 30) // finite, but no sum of them is
	r, err := Train(context.Background(), d, o)
	var diverged *DivergedError
	if !errors.As(err, &diverged) || !errors.Is(err, ErrDiverged) {
		t.Fatalf("error is %v, want a DivergedError", err)
	}
	if diverged.Epoch != 1 || diverged.Step != 1 || diverged.Tensor != "loss" {
		t.Errorf("%+v, want the loss in epoch 1, step 1", diverged)
	}
	if err := r.Weights.Validate(o.Config); err != nil {
		t.Errorf("the weights are not those before: %v", err)
	}
}

func TestTrainingStopsWhenItNoLongerHelps(t *testing.T) {
	d := ring(10, 100, 7)
	o := smallOptions(10, 0)
	o.Epochs, o.Patience = 200, 2
	r := train(t, d, o)
	if len(r.Curve) == 200 || r.Best.Number != len(r.Curve)-2 || !strings.Contains(r.Stopped, "NDCG@10") {
		t.Errorf("stopped after %d epochs, best %d: %s", len(r.Curve), r.Best.Number, r.Stopped)
	}
}

func TestDegenerateDataHasAnAnswer(t *testing.T) {
	text := func(items int, x float32) []float32 { return slices.Repeat([]float32{x}, items*3) }
	one := slices.Values([][]Event{Items(0, 0, 0)})
	equal := slices.Values([][]Event{Items(2, 2), Items(2, 2, 2, 2)})
	for name, c := range map[string]struct {
		items, textDim int
		data           Data
		want           error
	}{
		"no sequences":                    {items: 5, data: Data{Sequences: slices.Values([][]Event{})}, want: ErrData},
		"no iterator":                     {items: 5, want: ErrData},
		"only short sequences":            {items: 5, data: Data{Sequences: slices.Values([][]Event{Items(1), {}})}, want: ErrData},
		"nothing of weight":               {items: 5, data: Data{Sequences: slices.Values([][]Event{{{Item: 1}, {Item: 2}}})}, want: ErrData},
		"an item that there is not":       {items: 5, data: Data{Sequences: slices.Values([][]Event{Items(1, 5)})}, want: ErrData},
		"a weight that is no number":      {items: 5, data: Data{Sequences: slices.Values([][]Event{{{}, {Weight: float32(math.NaN())}}})}, want: ErrData},
		"too few texts":                   {items: 5, textDim: 3, data: Data{Sequences: one, Text: text(4, 1)}, want: ErrData},
		"a text that is no number":        {items: 1, textDim: 3, data: Data{Sequences: one, Text: text(1, float32(math.NaN()))}, want: ErrData},
		"a question without history":      {items: 5, data: Data{Sequences: one, Valid: []Case{{Target: 1}}}, want: ErrData},
		"a question for no item":          {items: 5, data: Data{Sequences: one, Valid: []Case{{History: Items(1), Target: 5}}}, want: ErrData},
		"no items":                        {items: 0, data: Data{Sequences: one}, want: ErrOptions},
		"one user, one item":              {items: 1, data: Data{Sequences: one, Valid: []Case{{History: Items(0)}}}},
		"all events on one item":          {items: 4, data: Data{Sequences: equal, Valid: []Case{{History: Items(2), Target: 2}}}},
		"all texts zero":                  {items: 4, textDim: 3, data: Data{Sequences: equal, Text: text(4, 0), Valid: []Case{{History: Items(2), Target: 2}}}},
		"all texts equal":                 {items: 4, textDim: 3, data: Data{Sequences: equal, Text: text(4, 1), Valid: []Case{{History: Items(2), Target: 2}}}},
		"no questions":                    {items: 4, data: Data{Sequences: equal}},
		"what was seen hidden, all is so": {items: 1, data: Data{Sequences: one, Valid: []Case{{History: Items(0)}}, HideSeen: true}},
	} {
		for _, scale := range []float32{0, 10} {
			o := smallOptions(c.items, c.textDim)
			o.Config.Scale, o.ResidualDropout = scale, 0.5
			r, err := Train(context.Background(), c.data, o)
			if !errors.Is(err, c.want) {
				t.Errorf("%s: error is %v, want %v", name, err, c.want)
			}
			if err != nil {
				continue
			}
			if err := r.Weights.Validate(r.Config); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if valid := r.Best.Valid; valid != nil && valid.HR5 != 1 {
				t.Errorf("%s: the only item that is ever bought is not found: %+v", name, *valid)
			}
		}
	}
}

func TestOptionsAreRefusedByName(t *testing.T) {
	o := Options{Config: causal.DefaultConfig(10, 0), Epochs: -1, Batch: -1, Longest: 1, WarmUp: -1, Schedule: 9, WeightDecay: 2, Beta1: 1, Beta2: -1,
		Clip: -1, Dropout: 1, ResidualDropout: 2, EventDropout: 1, Reverse: -1, LabelSmoothing: 1, EMA: 1, Patience: -1, Workers: -1, CheckpointSteps: -1}
	err := o.Validate()
	for _, field := range []string{"Epochs", "Batch", "Longest", "BatchTokens", "LearningRate", "WarmUp", "Schedule", "WeightDecay", "Beta1", "Beta2", "Clip", "Dropout",
		"ResidualDropout", "EventDropout", "Reverse", "LabelSmoothing", "EMA", "Evaluate", "Patience", "Workers", "FullItems", "Negatives", "ScoreBytes", "MaxEvents", "CheckpointSteps"} {
		if err == nil || !strings.Contains(err.Error(), field+" is") {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
	o = DefaultOptions(causal.DefaultConfig(5_000_000, 0))
	if err := o.Validate(); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "MaxBytes") {
		t.Errorf("a model too large: error is %v", err)
	}
	o = smallOptions(5, 0)
	o.MaxEvents = 4
	if _, err := Train(context.Background(), Data{Sequences: slices.Values([][]Event{Items(1, 2), Items(1, 2, 3)})}, o); !errors.Is(err, ErrData) || !strings.Contains(err.Error(), "MaxEvents") {
		t.Errorf("too many events: error is %v", err)
	}
}
