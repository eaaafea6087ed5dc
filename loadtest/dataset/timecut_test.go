package dataset

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestByTimeCutsEverybodyAtOneMoment(t *testing.T) {
	src := memory{events: []Event{
		at("u", "a", 1), at("u", "b", 2), at("v", "a", 3), at("v", "c", 4), at("u", "c", 5), at("u", "d", 6),
		at("v", "d", 7), at("w", "a", 8), at("u", "e", 9), at("w", "b", 10),
	}}
	w, err := ByTime(src, TimeCut{Test: 0.3, Valid: 0.2}, SplitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "train", w.trainText(), []string{"u:abc", "v:ac"})
	wantList(t, "valid", w.queryText(w.Valid), []string{"u:abc>d", "v:ac>d"})
	wantList(t, "test", w.queryText(mustTest(t, w.Split)), []string{"u:abcd>e", "w:a>b"}) // w's first act has no history
	if w.ValidFrom != 6000 || w.From != 8000 || w.Until != 10_001 || w.TrainEvents != 5 || w.Repeats {
		t.Errorf("%+v", w)
	}
}

func TestRollingTrainsBeforeEachWindow(t *testing.T) {
	var src memory
	for second := range int64(20) {
		src.events = append(src.events, at(fmt.Sprint("u", second%2), fmt.Sprint("i", second), second+1))
	}
	windows, err := Rolling(src, 2, TimeCut{Test: 0.4, Valid: 0.1, PerUser: 1}, SplitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ train, test int }{{10, 2}, {14, 2}} {
		w := windows[i]
		if w.TrainEvents != want.train || len(mustTest(t, w.Split)) != want.test {
			t.Errorf("window %d trains on %d events and asks %d questions, want %d and %d", i, w.TrainEvents, len(mustTest(t, w.Split)), want.train, want.test)
		}
	}
	if windows[0].Until != windows[1].From {
		t.Errorf("one window ends at %d, the next begins at %d", windows[0].Until, windows[1].From)
	}
}

// Whatever the log: nothing that training or a history holds comes after what is asked.
func TestNothingOfTheFutureIsKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var src memory
		for i := range rapid.IntRange(10, 60).Draw(t, "events") {
			user := rapid.SampledFrom([]string{"u", "v", "w", "x"}).Draw(t, "user")
			src.events = append(src.events, at(user, fmt.Sprint("i", i), rapid.Int64Range(1, 30).Draw(t, "second")))
		}
		windows, err := Rolling(src, rapid.IntRange(1, 3).Draw(t, "windows"), TimeCut{Test: 0.4, Valid: 0.2, PerUser: 3}, SplitOptions{})
		if errors.Is(err, ErrProtocol) {
			return // too few distinct times
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range windows {
			for _, seq := range w.Train {
				for _, e := range seq.Events {
					if e.Time >= w.ValidFrom {
						t.Fatalf("training knows an event of %d, validation begins at %d", e.Time, w.ValidFrom)
					}
				}
			}
			test, err := w.Test()
			if err != nil {
				t.Fatal(err)
			}
			per := map[string]int{}
			for _, q := range test {
				if per[q.User]++; per[q.User] > 3 || len(q.History) == 0 || q.History[len(q.History)-1].Time >= w.Until {
					t.Fatalf("question %+v in a window until %d", q, w.Until)
				}
			}
		}
	})
}

func TestCutsThatCannotBeAreRefused(t *testing.T) {
	good := memory{events: []Event{at("u", "a", 1), at("u", "b", 2), at("u", "c", 3), at("u", "d", 4), at("u", "e", 5)}}
	untimed := at("u", "a", 1)
	untimed.Synthetic = true
	for why, c := range map[string]struct {
		src     memory
		windows int
		cut     TimeCut
	}{
		"an empty log":       {memory{}, 1, TimeCut{}},
		"one time":           {memory{events: []Event{at("u", "a", 1), at("u", "b", 1), at("u", "c", 1), at("v", "c", 1)}}, 1, TimeCut{}},
		"times made up":      {memory{events: []Event{untimed, untimed, untimed}}, 1, TimeCut{}},
		"too many windows":   {good, MaxWindows + 1, TimeCut{}},
		"no window":          {good, 0, TimeCut{}},
		"windows too small":  {good, 4, TimeCut{Test: 0.4, Valid: 0.2}},
		"shares of all":      {good, 1, TimeCut{Test: 0.6, Valid: 0.4}},
		"a negative share":   {good, 1, TimeCut{Test: -0.1}},
		"questions below 0":  {good, 1, TimeCut{PerUser: -1}},
		"questions past all": {good, 1, TimeCut{PerUser: MaxPerUser + 1}},
	} {
		if _, err := Rolling(c.src, c.windows, c.cut, SplitOptions{}); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v, want ErrProtocol", why, err)
		}
	}
}
