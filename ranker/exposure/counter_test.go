package exposure

import (
	"errors"
	"sync"
	"testing"
)

const noon = int64(20_000)*dayMicros + dayMicros/2

func TestADayCountsByItself(t *testing.T) {
	c, err := New(3000)
	if err != nil {
		t.Fatal(err)
	}
	for _, add := range []struct {
		item uint32
		n    int
		at   int64
	}{{5, 1, noon}, {5, 2, noon + 1}, {2999, 1, noon}, {5, 4, noon + dayMicros}, {5, 9, noon}} {
		if err := c.Add(add.item, add.n, add.at); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct {
		item uint32
		at   int64
		n    int64
	}{
		{5, noon + dayMicros, 4},                     // the new day
		{5, noon, 0},                                 // a day that is over is forgotten, and a late showing dropped
		{2999, noon, 1},                              // another item's word is its own
		{2999, noon + dayMicros/2 - 1, 1},            // the last moment of the day
		{2999, noon + dayMicros/2, 0},                // midnight
		{7, noon, 0}, {3000, noon, 0}, {5, -noon, 0}, // never shown, past the bound, before all days
	} {
		if got := c.Today(want.item, want.at); got != want.n {
			t.Errorf("item %d at %d: %d, want %d", want.item, want.at, got, want.n)
		}
	}
}

func TestACountIsFullAtItsEnd(t *testing.T) {
	c, _ := New(1)
	for range 3 {
		if err := c.Add(0, 1<<31, noon); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.Today(0, noon); got != mostCounted || c.Today(0, noon+dayMicros) != 0 {
		t.Errorf("%d, want %d, and the next day untouched", got, uint64(mostCounted))
	}
}

func TestManyWritersLoseNothing(t *testing.T) {
	c, _ := New(2048)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 1000 {
				if err := c.Add(uint32(i%2)*1500, 1, noon); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if a, b := c.Today(0, noon), c.Today(1500, noon); a != 4000 || b != 4000 {
		t.Errorf("%d and %d, want 4000 each", a, b)
	}
}

func TestBoundsAreKept(t *testing.T) {
	c, _ := New(10)
	if err := c.Add(10, 1, noon); !errors.Is(err, ErrItem) {
		t.Errorf("item past the bound: %v", err)
	}
	if err := c.Add(1, 0, noon); !errors.Is(err, ErrItem) || c.Today(1, noon) != 0 {
		t.Errorf("no showing: %v", err)
	}
	for _, n := range []int{0, -1, mostItems + 1} {
		if _, err := New(n); !errors.Is(err, ErrOptions) {
			t.Errorf("%d items: %v", n, err)
		}
	}
}
