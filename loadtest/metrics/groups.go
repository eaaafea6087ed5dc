package metrics

import (
	"math"
	"slices"
)

// Smoothing is how much of the history's distribution is mixed into the list's, so that a
// category that the list lacks costs much and not infinitely much (Steck's α).
const Smoothing = 0.01

// Distribution adds to sum, by category, what items have of each: an item's one is shared
// evenly among its categories. It returns how many items had any; divide by that.
func Distribution(sum map[uint32]float64, categories [][]uint32) int {
	n := 0
	for _, of := range categories {
		if len(of) == 0 {
			continue
		}
		n++
		for _, c := range of {
			sum[c] += 1 / float64(len(of))
		}
	}
	return n
}

// Miscalibration is the Kullback-Leibler divergence, in nats, of the categories of a list from
// those of a history: Σ p·ln(p/((1−α)q+αp)), α being [Smoothing]. 0: the same mixture; at most
// ln(1/α), some 4.6. ok is false where either has no item with a category.
func Miscalibration(history, list [][]uint32) (kl float64, ok bool) {
	p, q := map[uint32]float64{}, map[uint32]float64{}
	np, nq := Distribution(p, history), Distribution(q, list)
	if np == 0 || nq == 0 {
		return 0, false
	}
	keys := make([]uint32, 0, len(p)) // sums in one order give one figure
	for c := range p {
		keys = append(keys, c)
	}
	slices.Sort(keys)
	for _, c := range keys {
		of := p[c] / float64(np)
		kl += of * math.Log(of/((1-Smoothing)*q[c]/float64(nq)+Smoothing*of))
	}
	return max(0, kl), true
}

// Share is what one group, such as a seller, has.
type Share struct {
	Group    uint32
	Catalog  float64 // share of the items of all groups
	Exposure float64 // share of the places of all groups
}

// Shares compares the places that groups' items had with how many items they have. group is
// the group of each item, 0 for none: such items do not count. Groups come in ascending order.
func Shares(group []uint32, places []int) []Share {
	at := map[uint32]int{}
	var shares []Share
	items, all := 0.0, 0.0
	for item, g := range group {
		if g == 0 {
			continue
		}
		i, known := at[g]
		if !known {
			i = len(shares)
			at[g] = i
			shares = append(shares, Share{Group: g})
		}
		shares[i].Catalog++
		shares[i].Exposure += float64(places[item])
		items++
		all += float64(places[item])
	}
	for i := range shares {
		shares[i].Catalog, shares[i].Exposure = ratio(shares[i].Catalog, items), ratio(shares[i].Exposure, all)
	}
	slices.SortFunc(shares, func(a, b Share) int { return int(int64(a.Group) - int64(b.Group)) })
	return shares
}

// Disparity is the total variation distance of exposure from catalog: the share of all places
// that would have to move for each group to have what its items are of the catalog. 0 to 1.
func Disparity(shares []Share) float64 {
	sum := 0.0
	for _, s := range shares {
		sum += math.Abs(s.Exposure - s.Catalog)
	}
	return sum / 2
}

// Terciles parts users by how active they are: 0 for the third with the fewest acts, 2 for
// that with the most. Users of equal activity are of one part, so the parts may differ in size.
func Terciles(activity []int) []uint8 {
	sorted := slices.Sorted(slices.Values(activity))
	n := len(sorted)
	of := make([]uint8, n)
	for i, a := range activity {
		first, _ := slices.BinarySearch(sorted, a)
		of[i] = uint8(first * 3 / n)
	}
	return of
}
