package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/record"
)

// TestWhatIsOlderThanTheRetentionIsGoneAltogether moves the clock and holds the store
// against a list of what should be left.
func TestWhatIsOlderThanTheRetentionIsGoneAltogether(t *testing.T) {
	const day = 24 * time.Hour
	start := time.Now()
	now := start
	o := testOptions()
	o.Now = func() time.Time { return now }
	dir := t.TempDir()
	s, tenant := openTest(t, dir, o)
	rng := rand.New(rand.NewPCG(7, 0))
	type sent struct {
		record.Mutation
		user string
	}
	var all []sent
	for i := range 6000 { // more than two steps
		m := view(fmt.Sprint("e", i), fmt.Sprint("u", rng.IntN(20)), fmt.Sprint("i", rng.IntN(30)))
		m.Event.Time = start.Add(-time.Duration(rng.Int64N(int64(60 * day))))
		user := m.Event.User
		if i%5 == 0 { // of a session that is merged later
			m.Event.User, m.Event.Session = "", "phone of "+user
		}
		all = append(all, sent{m, user})
	}
	for at := 0; at < len(all); at += 500 {
		var batch []record.Mutation
		for _, x := range all[at : at+500] {
			batch = append(batch, x.Mutation)
		}
		mustAppend(t, tenant, batch...)
	}
	for u := range 20 {
		mustAppend(t, tenant, record.Mutation{Merge: &record.Merge{Session: fmt.Sprint("phone of u", u), User: fmt.Sprint("u", u)}},
			record.Mutation{Profile: &record.Profile{User: fmt.Sprint("u", u)}})
	}
	for i := range 40 { // a decision a day
		at := start.Add(-time.Duration(i) * day)
		if err := tenant.PutDecisions([]record.Decision{{ID: record.NewDecisionID(at, uint64(i)), Time: at}}); err != nil {
			t.Fatal(err)
		}
	}
	// Nothing is too old by the settings that it was written with.
	if out, err := tenant.ExpireEvents(t.Context(), nil); err != nil || out.Removed != 0 || out.Oldest.After(start.Add(-59*day)) {
		t.Errorf("before: %+v, %v", out, err)
	}
	settings := tenant.Settings()
	settings.Retention, settings.Kept.Decisions = 30*day, 12*day
	if _, err := s.UpdateTenant(t.Context(), settings); err != nil {
		t.Fatal(err)
	}
	now = start.Add(10 * day)
	left, owners := map[string]int{}, map[uint64]bool{}
	went := int64(0)
	for _, x := range all {
		if x.Event.Time.Before(now.Add(-30 * day)) {
			went++
		} else {
			left[x.user]++
		}
	}
	out, err := tenant.ExpireEvents(t.Context(), func(owner uint64) { owners[owner] = true })
	if err != nil || out.Removed != went || went < 3000 || out.Oldest.Before(now.Add(-30*day)) || len(owners) != 20 {
		t.Errorf("%+v of %d owners, want %d removed, %v", out, len(owners), went, err)
	}
	if out, err := tenant.ExpireDecisions(t.Context()); err != nil || out.Removed != 37 || out.Oldest.Before(now.Add(-12*day-time.Second)) {
		t.Errorf("decisions %+v, %v", out, err)
	}
	check := func() {
		t.Helper()
		for u, n := range left {
			number, _ := tenant.UserNumber(u, "")
			events, err := tenant.History(number, 0, 10_000)
			if err != nil || len(events) != n {
				t.Errorf("%s has %d events, want %d, %v", u, len(events), n, err)
			}
			if !owners[number] {
				t.Errorf("%s is not among those whose events went", u)
			}
		}
		if v := verified(t, s); !v.Whole() {
			t.Errorf("faults %v", v.Faults)
		}
	}
	check()
	// What went is refused by name when it comes again, what stayed is a duplicate.
	for _, x := range all[:200] {
		outcome := mustOutcome(t, tenant, x.Mutation)
		if x.Event.Time.Before(now.Add(-30 * day)) {
			if !errors.Is(outcome.Err, record.ErrExpired) {
				t.Errorf("event %s, which went: %+v", x.Event.ID, outcome)
			}
		} else if outcome.Status != record.Unchanged {
			t.Errorf("event %s, which stayed: %+v", x.Event.ID, outcome)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, tenant = openTest(t, dir, o)
	check()
}

// mustOutcome appends one mutation, which may be refused.
func mustOutcome(t *testing.T, tenant *Tenant, m record.Mutation) record.Outcome {
	t.Helper()
	out, _, err := tenant.Append(t.Context(), []record.Mutation{m})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}
