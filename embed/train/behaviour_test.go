package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/train/sequence"
)

const ring = 40

// ringData is a shop whose items follow each other in a ring. The texts of neighbours are alike.
func ringData(valid bool) Data {
	rng := rand.New(rand.NewPCG(1, 1))
	d := Data{TextDim: 16, Text: make([]float32, ring*16)}
	for i := range ring {
		d.Items = append(d.Items, fmt.Sprint("i", i))
		d.Text[i*16+i*16/ring] = 0.8
		d.Text[i*16+(i*16/ring+1+rng.IntN(15))%16] = 0.6
	}
	var log [][]sequence.Event
	for u := range 300 {
		var events []sequence.Event
		at := u % ring
		for range 3 + rng.IntN(5) {
			events = append(events, sequence.Items(uint32(at))...)
			at = (at + 1) % ring
		}
		if valid && u%5 == 0 {
			n := len(events) - 1
			d.Valid = append(d.Valid, sequence.Case{History: events[:n], Target: events[n].Item})
			events = events[:n]
		}
		log = append(log, events)
	}
	d.Sequences = slices.Values(log)
	return d
}

func small() Options {
	o := DefaultOptions()
	o.Sequence.Config.Dim, o.Sequence.Config.FeedForward, o.Sequence.Config.Window = 16, 32, 10
	o.Sequence.Epochs, o.Sequence.Dropout, o.Sequence.LearningRate = 30, 0.1, 5e-3
	o.Transition.Rank = 16
	o.Texts = 0.1 // texts tell little of a ring
	return o
}

// next is the item whose vector is nearest to that of a history.
func next(t *testing.T, d Data, e *learned.Encoder, history ...int) int {
	t.Helper()
	var events []learned.Event
	for _, i := range history {
		events = append(events, learned.Event{Item: d.Items[i], Text: d.text(i), Weight: 1})
	}
	user, item := make([]float32, e.Dim()), make([]float32, e.Dim())
	if ok, err := e.User(user, events); !ok || err != nil {
		t.Fatal(ok, err)
	}
	best, most := -1, float32(-2)
	for i, id := range d.Items {
		if ok, err := e.Item(item, d.text(i), id); !ok || err != nil {
			t.Fatal(ok, err)
		}
		sum := float32(0)
		for c := range user {
			sum += user[c] * item[c]
		}
		if sum > most {
			best, most = i, sum
		}
	}
	return best
}

func TestWhatAlwaysFollowsIsFound(t *testing.T) {
	for _, valid := range []bool{true, false} {
		d := ringData(valid)
		r, err := Behaviour(t.Context(), d, small())
		if err != nil {
			t.Fatal(err)
		}
		e, err := learned.New(r.Model)
		if err != nil {
			t.Fatal(err)
		}
		for i := range ring {
			if got, want := next(t, d, e, (i+ring-1)%ring, i), (i+1)%ring; got != want {
				t.Errorf("validation %v: after %d comes %d, want %d", valid, i, got, want)
			}
		}
		if valid != (r.Report.Valid > 0) || r.Report.Pairs == 0 || r.Report.Stopped == "" {
			t.Errorf("report %+v", r.Report)
		}
	}
}

func TestTheSameDataAndSeedGiveTheSameModel(t *testing.T) {
	o := small()
	o.Sequence.Epochs, o.Sequence.Workers = 3, 1
	one, err := Behaviour(t.Context(), ringData(true), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Sequence.Workers = 3
	three, err := Behaviour(t.Context(), ringData(true), o)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(one.Model, three.Model) {
		t.Error("three workers made another model than one")
	}
}

func TestAnItemThatNobodyTouchedHasAVector(t *testing.T) {
	d := ringData(false)
	d.Items = append(d.Items, "new", "bare")
	d.Text = append(d.Text, d.Text[:16]...)         // "new" reads as item 0
	d.Text = append(d.Text, make([]float32, 16)...) // "bare" says nothing
	r, err := Behaviour(t.Context(), d, small())
	if err != nil {
		t.Fatal(err)
	}
	e, err := learned.New(r.Model)
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float32, e.Dim())
	if r.Report.Rows != ring || len(r.Model.Items) != ring {
		t.Errorf("%d rows, want %d: items without events have none", r.Report.Rows, ring)
	}
	for _, id := range []string{"new", "came later"} {
		if ok, err := e.Item(v, d.text(ring), id); !ok || err != nil {
			t.Errorf("%s, by its text: %v, %v", id, ok, err)
		}
	}
	if ok, err := e.Item(v, nil, "bare"); ok || err != nil {
		t.Errorf("an item of which nothing is known: %v, %v", ok, err)
	}
}

func TestDataThatTeachesNothingIsRefused(t *testing.T) {
	none := iter.Seq[[]sequence.Event](func(func([]sequence.Event) bool) {})
	for name, d := range map[string]Data{
		"no items":     {Sequences: none},
		"no sequences": {Items: []string{"a"}},
		"text":         {Items: []string{"a"}, TextDim: 2, Text: []float32{1}, Sequences: none},
	} {
		if _, err := Behaviour(t.Context(), d, small()); !errors.Is(err, ErrData) {
			t.Errorf("%s: %v, want ErrData", name, err)
		}
	}
	d := Data{Items: []string{"a", "b"}, Sequences: none}
	if _, err := Behaviour(t.Context(), d, small()); !errors.Is(err, ErrData) {
		t.Errorf("an empty log: %v", err)
	}
	d.Sequences = slices.Values([][]sequence.Event{sequence.Items(0), sequence.Items(1)})
	if _, err := Behaviour(t.Context(), d, small()); !errors.Is(err, sequence.ErrData) {
		t.Errorf("users with one event: %v", err)
	}
	d.Sequences = slices.Values([][]sequence.Event{sequence.Items(0, 0, 0)})
	if _, err := Behaviour(t.Context(), d, small()); err != nil {
		t.Errorf("one user, one item, no texts: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Behaviour(ctx, ringData(true), small()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestTheUsualMixIsLeftOnlyForOneThatIsClearlyBetter(t *testing.T) {
	gains := func(better float64) [][]float64 {
		all := make([][]float64, 100)
		for c := range all {
			all[c] = make([]float64, 5)
			all[c][usual] = 0.5
			all[c][3] = 0.5 + better
			if c%2 == 0 {
				all[c][3] -= 0.4
			} else {
				all[c][3] += 0.4
			}
		}
		return all
	}
	if got, _ := choose(gains(0.01)); got != usual {
		t.Errorf("chose %v for a difference within chance", got)
	}
	if got, mean := choose(gains(0.1)); got != 3 || mean[3] < 0.59 {
		t.Errorf("chose %v, want the one that is better by .1 (%v)", got, mean)
	}
}

func TestTheMixesHoldTheTransformerAloneAndTheUsualOne(t *testing.T) {
	all := mixes(8, 16)
	if all[0] != (mix{}) || all[usual] != (mix{8, 16}) || !slices.Contains(all, mix{0, 32}) || len(all) != 2+4*11 {
		t.Errorf("%v", all)
	}
	if all := mixes(0, 0); len(all) != 3 {
		t.Errorf("of nothing: %v", all)
	}
}
