package ranker

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestNeighbourCacheMeetsANewItemWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vectors := boardVectors(20)
		cache := must(NewNeighbourCache(exact{vectors}, vectors, 64, 3))
		hidden := vectors[10]
		vectors[10] = nil
		if got := numbers(cache.Neighbours(8)); !slices.Equal(got, []uint32{6, 4, 12}) && !slices.Equal(got, []uint32{6, 12, 4}) {
			t.Errorf("neighbours of 8 before: %v, want 6, 4 and 12", got)
		}
		if got := cache.Neighbours(10); len(got) != 0 {
			t.Errorf("neighbours of an item without a vector: %v", got)
		}
		vectors[10] = hidden
		time.Sleep(time.Minute)
		if slices.Contains(numbers(cache.Neighbours(8)), 10) {
			t.Error("the list was found anew although nothing was said to have changed")
		}
		cache.Changed()
		if got := numbers(cache.Neighbours(8)); len(got) != 3 || !slices.Contains(got, 10) || !slices.Contains(got, 6) {
			t.Errorf("neighbours of 8 after: %v, want 6 and 10 and one more", got)
		}
		// It moves to the other crowd; within the second the old list may stand.
		vectors[10] = vectors[11]
		cache.Changed()
		time.Sleep(2 * time.Second)
		if slices.Contains(numbers(cache.Neighbours(8)), 10) || !slices.Contains(numbers(cache.Neighbours(11)), 10) {
			t.Errorf("8 has %v, 11 has %v", cache.Neighbours(8), cache.Neighbours(11))
		}
	})
}

func TestNeighbourCacheKeepsItemsApartThatShareASlot(t *testing.T) {
	vectors := boardVectors(20)
	cache := must(NewNeighbourCache(exact{vectors}, vectors, 4, 3))
	wide := must(NewNeighbourCache(exact{vectors}, vectors, 64, 3))
	for range 3 {
		for item := range uint32(20) {
			if got, want := cache.Neighbours(item), wide.Neighbours(item); !slices.Equal(got, want) {
				t.Fatalf("item %d: %v, want %v", item, got, want)
			}
		}
	}
}

func numbers(list []Scored) []uint32 {
	var out []uint32
	for _, s := range list {
		out = append(out, s.Item)
	}
	return out
}

func TestNeighbourCacheRefusesBadBounds(t *testing.T) {
	vectors := boardVectors(2)
	for _, c := range [][2]int{{0, 3}, {5, 0}, {5, 2000}} {
		if _, err := NewNeighbourCache(exact{vectors}, vectors, c[0], c[1]); !errors.Is(err, ErrWorld) {
			t.Errorf("%v: %v, want ErrWorld", c, err)
		}
	}
}
