package audit

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestForgettingTakesOldActsWithTheirEndsFromBothFiles(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{NoSync: true, MaxBytes: 8 << 10})
	day := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for i := range 60 { // fills the first file, and some of the second
		id := begin(t, l, Entry{Tenant: "shop", Time: day.AddDate(0, 0, i), Target: strings.Repeat("x", 40)})
		if i%7 == 0 {
			continue // it did not end
		}
		if err := l.End("shop", id, fmt.Sprint("OK ", i), time.Second); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := list(t, l, "shop", 0, 1000)
	cut := day.AddDate(0, 0, 50)
	removed, oldest, err := l.Forget("shop", cut)
	after, _ := list(t, l, "shop", 0, 1000)
	if err != nil || len(after) != 10 || removed != int64(len(before)-10) || !oldest.Equal(cut) {
		t.Fatalf("removed %d of %d, %d are left, the oldest of %s, %v", removed, len(before), len(after), oldest, err)
	}
	for i, e := range after {
		if e != before[i] {
			t.Errorf("%+v, before %+v", e, before[i])
		}
	}
	// All are too old: the newest stays, and ids go on, also in a new process.
	if removed, oldest, err := l.Forget("shop", day.AddDate(1, 0, 0)); err != nil || removed != 9 || !oldest.Equal(day.AddDate(0, 0, 59)) {
		t.Errorf("removed %d, the oldest of %s, %v", removed, oldest, err)
	}
	l = open(t, dir, Options{NoSync: true, MaxBytes: 8 << 10})
	if id := begin(t, l, Entry{Tenant: "shop", Time: day}); id != 61 {
		t.Errorf("the next act has id %d", id)
	}
	if removed, _, err := l.Forget("shop", time.Time{}); err != nil || removed != 0 {
		t.Errorf("without a time %d went, %v", removed, err)
	}
	if _, oldest, err := l.Forget("quiet", cut); err != nil || !oldest.IsZero() {
		t.Errorf("a tenant without acts: %s, %v", oldest, err)
	}
}
