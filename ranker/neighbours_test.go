package ranker

import (
	"context"
	"errors"
	"slices"
	"testing"
)

func TestNeighbourCacheMeetsANewItemAtOnce(t *testing.T) {
	vectors := boardVectors(20)
	cache := must(NewNeighbourCache(exact{vectors}, vectors, 20, 3))
	hidden := vectors[10]
	vectors[10] = nil
	if err := cache.Fill(context.Background(), 20); err != nil {
		t.Fatal(err)
	}
	if got := numbers(cache.Neighbours(8)); !slices.Equal(got, []uint32{6, 4, 12}) && !slices.Equal(got, []uint32{6, 12, 4}) {
		t.Errorf("neighbours of 8 before: %v, want 6, 4 and 12", got)
	}
	if got := cache.Neighbours(10); got != nil {
		t.Errorf("neighbours of an item without a vector: %v", got)
	}
	vectors[10] = hidden
	cache.Put(10)
	if got := numbers(cache.Neighbours(8)); len(got) != 3 || !slices.Contains(got, 10) || !slices.Contains(got, 6) {
		t.Errorf("neighbours of 8 after: %v, want 6 and 10 and one more", got)
	}
	// It moves to the other crowd: its old neighbours let go of it.
	vectors[10] = vectors[11]
	cache.Put(10)
	if slices.Contains(numbers(cache.Neighbours(8)), 10) || !slices.Contains(numbers(cache.Neighbours(11)), 10) {
		t.Errorf("8 has %v, 11 has %v", cache.Neighbours(8), cache.Neighbours(11))
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
