package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kindred-rec/kindred/server/record"
)

func testEvents[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	full := record.Event{
		ID: "e1", User: "ann", Session: "s1", Item: "i1", Type: record.TypeRating,
		Value: 4.5, HasValue: true, Text: "très bon", Time: f.now.Add(-time.Hour),
		RecommendationID: "r1", Position: 3, Surface: "home", Context: map[string]string{"device": "phone", "b": ""},
	}
	first := f.put(record.Added, of(full))
	if !first.Unjoined || first.Seq == 0 {
		t.Errorf("outcome %+v: the item is not in the catalog and the event has a place", first)
	}
	again := f.put(record.Unchanged, of(full))
	if again.Seq != first.Seq {
		t.Errorf("a repetition has place %d, the first has %d", again.Seq, first.Seq)
	}
	// Whatever the caller says is content.
	for name, change := range map[string]func(*record.Event){
		"user": func(e *record.Event) { e.User = "bob" }, "session": func(e *record.Event) { e.Session = "s2" },
		"item": func(e *record.Event) { e.Item = "i2" }, "type": func(e *record.Event) { e.Type = record.TypeLike },
		"value": func(e *record.Event) { e.Value = 4 }, "no value": func(e *record.Event) { e.HasValue = false },
		"text": func(e *record.Event) { e.Text = "" }, "time": func(e *record.Event) { e.Time = e.Time.Add(1) },
		"synthetic":      func(e *record.Event) { e.Synthetic = true },
		"recommendation": func(e *record.Event) { e.RecommendationID = "r2" },
		"position":       func(e *record.Event) { e.Position = 4 }, "surface": func(e *record.Event) { e.Surface = "" },
		"context": func(e *record.Event) { e.Context = map[string]string{"device": "phone"} },
	} {
		other := full
		change(&other)
		if o := f.refuse(record.ErrConflict, of(other)); o.Seq != first.Seq {
			t.Errorf("other %s: the refusal names place %d, the first is at %d", name, o.Seq, first.Seq)
		}
	}
	// The time that the service gave is none of the content.
	stamped := f.event("e2", "ann", "i1")
	stamped.Stamped = true
	f.put(record.Added, of(stamped))
	stamped.Time = stamped.Time.Add(time.Minute)
	f.put(record.Unchanged, of(stamped))

	number, item := f.number("ann", ""), uint32(0)
	events, err := f.tenant.History(number, 0, 10)
	if err != nil || len(events) != 2 {
		t.Fatalf("history: %d events, %v", len(events), err)
	}
	want := record.Stored{Event: full, Seq: first.Seq, Received: f.now, UserNumber: number, ItemNumber: item}
	if d := cmp.Diff(want, events[1]); d != "" {
		t.Errorf("what was stored (-) came back as (+):\n%s", d)
	}
	// Within one batch the first stands, too.
	a, b := f.event("e3", "ann", "i1"), f.event("e3", "ann", "i2")
	out := f.write(of(a), of(a), of(b))
	if out[0].Status != record.Added || out[1].Status != record.Unchanged || out[1].Seq != out[0].Seq || out[2].Status != record.Refused {
		t.Errorf("one id three times in a batch: %+v", out)
	}
	// A search has no item; a long text comes back whole.
	long := record.Event{ID: "e4", User: "ann", Type: record.TypeSearch, Text: string(make([]byte, 8<<10)), Time: f.now}
	if o := f.put(record.Added, of(long)); o.Unjoined {
		t.Error("an event without an item cannot lack it")
	}
	events, err = f.tenant.History(number, 0, 1)
	if err != nil || len(events) != 1 || events[0].Text != long.Text || events[0].ItemNumber != record.NoItem {
		t.Errorf("the search came back as %.100v, %v", events, err)
	}
	if _, token, err := f.tenant.Append(t.Context(), nil); err != nil || token != f.tenant.Head() {
		t.Errorf("an empty batch: %v, %v", token, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := f.tenant.Append(ctx, []record.Mutation{of(f.event("e9", "ann", "i1"))}); err == nil {
		t.Error("a batch was taken for a caller who had left")
	}
	if got := f.history(number); !slices.Equal(got, []string{"e4", "e3", "e2", "e1"}) {
		t.Errorf("history %v", got)
	}
}

func testConcurrentDuplicates[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	const writers, ids = 8, 50
	added := make([][]uint64, writers)
	var wg sync.WaitGroup
	for w := range writers {
		added[w] = make([]uint64, ids)
		wg.Go(func() {
			for i := range ids {
				e := f.event(fmt.Sprint("e", i), "ann", fmt.Sprint("i", i%5))
				out, _, err := f.tenant.Append(t.Context(), []record.Mutation{of(e)})
				if err != nil {
					t.Errorf("append: %v", err)
					return
				}
				added[w][i] = out[0].Seq
				if s := out[0].Status; s != record.Added && s != record.Unchanged {
					t.Errorf("outcome %v", out[0])
				}
			}
		})
	}
	wg.Wait()
	for w := range writers {
		if !slices.Equal(added[w], added[0]) {
			t.Errorf("writers %d and 0 were told different places for the same events", w)
		}
	}
	if n := len(f.history(f.number("ann", ""))); n != ids {
		t.Errorf("%d events of %d ids", n, ids)
	}
}

func testRetention[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	old := f.event("old", "ann", "i1")
	old.Time = f.now.Add(-record.DefaultRetention - time.Second)
	f.refuse(record.ErrExpired, of(old))
	if _, known := f.tenant.UserNumber("ann", ""); known {
		t.Error("a refused event left a user behind")
	}
	old.Time = f.now.Add(-record.DefaultRetention + time.Minute)
	f.put(record.Added, of(old))

	// By the clock of the log an old log is as good as a new one, and what is old
	// is what lies behind its newest event.
	f.tenant = f.create(record.Tenant{Name: "museum", Clock: record.ClockLog, Retention: 30 * 24 * time.Hour})
	at := time.Date(1998, 3, 1, 0, 0, 0, 0, time.UTC)
	e := f.event("a", "ann", "i1")
	e.Time = at
	f.put(record.Added, of(e))
	e.ID, e.Time = "b", at.Add(40*24*time.Hour)
	f.put(record.Added, of(e))
	e.ID, e.Time = "c", at.Add(9*24*time.Hour)
	f.refuse(record.ErrExpired, of(e))
	e.ID, e.Time = "d", at.Add(11*24*time.Hour)
	f.put(record.Added, of(e))
	if got := f.history(f.number("ann", "")); !slices.Equal(got, []string{"d", "b", "a"}) {
		t.Errorf("history %v", got)
	}
}

func testNameSpaces[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	user, session, both := f.event("u", "x", "i1"), f.event("s", "", "i1"), f.event("b", "x", "i1")
	session.Session, both.Session = "x", "y"
	f.write(of(user), of(session), of(both))
	asUser, asSession := f.number("x", ""), f.number("", "x")
	if asUser == asSession {
		t.Fatal("a user and a session of one id have one number")
	}
	if got := f.number("x", "x"); got != asUser {
		t.Error("where a user is named the session does not matter")
	}
	if got := f.history(asUser); !slices.Equal(got, []string{"b", "u"}) {
		t.Errorf("history of the user %v", got)
	}
	if got := f.history(asSession); !slices.Equal(got, []string{"s"}) {
		t.Errorf("history of the session %v", got)
	}
	if u, s, known := f.tenant.Name(asUser); u != "x" || s != "" || !known {
		t.Errorf("name of the user: %q %q %v", u, s, known)
	}
	if u, s, known := f.tenant.Name(asSession); u != "" || s != "x" || !known {
		t.Errorf("name of the session: %q %q %v", u, s, known)
	}
	for _, who := range [][2]string{{"", ""}, {"nobody", ""}, {"", "nowhere"}, {"nobody", "x"}} {
		if n, known := f.tenant.UserNumber(who[0], who[1]); known {
			t.Errorf("%q has number %d", who, n)
		}
	}
	// The session of an event that names a user is not the user's by that alone.
	events, err := f.tenant.History(asUser, 0, 1)
	if err != nil || events[0].Session != "y" || events[0].User != "x" {
		t.Errorf("event %+v, %v", events, err)
	}
	if got := f.history(f.number("", "y")); len(got) != 0 {
		t.Errorf("the session got the user's events %v", got)
	}
}

func testHistoryPages[S Store[T], T Tenant](t *testing.T, f *fixture[S, T]) {
	var seqs []uint64
	for i := range 10 {
		e := f.event(fmt.Sprint("e", i), "ann", "i1")
		e.Time = f.now.Add(time.Duration(i%5) * time.Minute) // not the order of the log
		seqs = append(seqs, f.put(record.Added, of(e)).Seq)
		f.put(record.Added, of(f.event(fmt.Sprint("o", i), "bob", "i1")))
	}
	number := f.number("ann", "")
	var got []string
	for before := uint64(0); ; {
		page, err := f.tenant.History(number, before, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			got = append(got, e.ID)
		}
		before = page[len(page)-1].Seq
	}
	if want := []string{"e9", "e8", "e7", "e6", "e5", "e4", "e3", "e2", "e1", "e0"}; !slices.Equal(got, want) {
		t.Errorf("pages %v, want %v", got, want)
	}
	page, err := f.tenant.HistoryUntil(number, seqs[9], 3, f.now.Add(time.Minute))
	if err != nil || len(page) != 3 || page[0].ID != "e6" || page[1].ID != "e5" || page[2].ID != "e1" {
		t.Errorf("as of a time: %v, %v", page, err)
	}
	if _, err := f.tenant.History(number, 0, 0); err == nil {
		t.Error("a limit of 0 was taken")
	}
	if page, err := f.tenant.History(12345, 0, 5); err != nil || len(page) != 0 {
		t.Errorf("an unknown number has history %v, %v", page, err)
	}
}
