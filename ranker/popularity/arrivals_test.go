package popularity

import (
	"errors"
	"slices"
	"testing"
)

func TestArrivalsKeepsTheNewest(t *testing.T) {
	a, err := NewArrivals(3)
	if err != nil {
		t.Fatal(err)
	}
	for item, at := range []int64{10, 40, 20, 40, 30} {
		a.Add(uint32(item), at)
	}
	if got := a.Newest(); !slices.Equal(got, []uint32{1, 3, 4}) {
		t.Errorf("%v, want 1 and 3 (at 40), then 4 (at 30)", got)
	}
	a.Add(1, 5) // the last word on an item counts
	a.Remove(3)
	if got := a.Newest(); !slices.Equal(got, []uint32{4, 1}) {
		t.Errorf("%v, want 4 then 1", got)
	}
	if _, err := NewArrivals(0); !errors.Is(err, ErrOptions) {
		t.Errorf("%v, want ErrOptions", err)
	}
}
