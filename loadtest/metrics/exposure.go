package metrics

import "slices"

// Deciles items are parted into by popularity.
const Deciles = 10

// Exposure counts the places that each item of a catalog had. It is not safe for concurrent
// use.
type Exposure struct {
	popularity []int
	places     []int // by item
	decile     []uint8
	lists      int
	popular    float64 // sum over lists of the mean popularity of what stands there
}

// NewExposure is of a catalog whose items have so many acts of training each. Ties of
// popularity go to the smaller number.
func NewExposure(popularity []int) *Exposure {
	e := &Exposure{popularity: popularity, places: make([]int, len(popularity)), decile: make([]uint8, len(popularity))}
	order := make([]uint32, len(popularity))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortStableFunc(order, func(a, b uint32) int { return popularity[b] - popularity[a] })
	for at, item := range order {
		e.decile[item] = uint8(at * Deciles / len(order))
	}
	return e
}

// Add counts a list.
func (e *Exposure) Add(list []uint32) {
	if len(list) == 0 {
		return
	}
	sum := 0
	for _, item := range list {
		e.places[item]++
		sum += e.popularity[item]
	}
	e.lists++
	e.popular += float64(sum) / float64(len(list))
}

// Places are how many places each item had: [items].
func (e *Exposure) Places() []int { return e.places }

// Coverage is the share of the catalog that stood in any list.
func (e *Exposure) Coverage() float64 {
	n := 0
	for _, places := range e.places {
		if places > 0 {
			n++
		}
	}
	return ratio(float64(n), float64(len(e.places)))
}

// Popularity is the mean over lists of the mean acts of training of what stands there.
func (e *Exposure) Popularity() float64 { return ratio(e.popular, float64(e.lists)) }

// ByDecile is the share of places that goes to each tenth of the items, the most popular
// first.
func (e *Exposure) ByDecile() [Deciles]float64 {
	var sum [Deciles]float64
	all := 0
	for item, n := range e.places {
		sum[e.decile[item]] += float64(n)
		all += n
	}
	for i := range sum {
		sum[i] = ratio(sum[i], float64(all))
	}
	return sum
}

// Gini is the Gini index of places over all items of the catalog: see [Gini].
func (e *Exposure) Gini() float64 { return Gini(e.places) }

// Gini is the Gini index of counts, which are not negative: 0 where all are equal, near 1
// where one has all; 0 where there is nothing to share.
func Gini(counts []int) float64 {
	sorted := slices.Sorted(slices.Values(counts))
	weighted, all := 0.0, 0.0
	for i, n := range sorted {
		weighted += float64(2*(i+1)-len(sorted)-1) * float64(n)
		all += float64(n)
	}
	return ratio(weighted, all*float64(len(sorted)))
}

// ratio is 0 where there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
