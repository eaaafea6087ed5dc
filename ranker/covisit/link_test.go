package covisit

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// plainLink is link as it is meant, with a look at the whole list.
func plainLink(list []Neighbour, n Neighbour, most int) []Neighbour {
	least := -1
	for i := range list {
		if list[i].Item == n.Item {
			list[i].After += n.After
			list[i].Before += n.Before
			return list
		}
		if least < 0 || list[i].Weight() < list[least].Weight() {
			least = i
		}
	}
	if len(list) < most {
		return append(list, n)
	}
	held, brought := list[least].Weight(), n.Weight()
	if brought >= held {
		list[least] = n
		return list
	}
	left := (held - brought) / held
	list[least].After *= left
	list[least].Before *= left
	return list
}

// Equals, of which the first has to go, are frequent: evidence comes in few sizes.
func TestListsEqualThePlainOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.SampledFrom([]int{1, 3, 16, 17, 40}).Draw(t, "most")
		g, err := New(Options{MaxNeighbours: most})
		if err != nil {
			t.Fatal(err)
		}
		var want []Neighbour
		for range rapid.IntRange(1, 400).Draw(t, "acts") {
			switch what := rapid.IntRange(0, 100).Draw(t, "what"); what {
			case 0:
				g.rescale(1)
				for i := range want {
					want[i].After /= 2
					want[i].Before /= 2
				}
			case 1:
				kept, err := g.AppendBinary(nil)
				if err != nil {
					t.Fatal(err)
				}
				if g, err = Load(kept, g.options); err != nil {
					t.Fatal(err)
				}
			default:
				n := Neighbour{Item: uint32(rapid.IntRange(0, 2*most).Draw(t, "item"))}
				weight := float32(rapid.IntRange(1, 4).Draw(t, "weight")) / 4
				if what%2 == 0 {
					n.After = weight
				} else {
					n.Before = weight
				}
				g.grow(n.Item) // Add does: a checkpoint takes items that were counted
				g.link(0, n.Item, evidence{n.After, n.Before})
				want = plainLink(want, n, most)
			}
			if got := g.Neighbours(0, nil); !slices.Equal(got, want) {
				t.Fatalf("neighbours\n%v, want\n%v", got, want)
			}
		}
	})
}
