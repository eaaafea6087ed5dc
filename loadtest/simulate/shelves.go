package simulate

import "slices"

// shelves hold all items of a world that will ever come, ready for the truth: about 4*dims + 80 bytes each. They do not change and
// may be read by many goroutines.
type shelves struct {
	*World
	goods    []good
	products []int32 // of each item
}

// maxShelved bounds the items of a comparison, and with them memory.
const maxShelved = 2_000_000

func newShelves(w *World) (*shelves, error) {
	n := w.OnShelf(w.Days - 1)
	if n > maxShelved {
		return nil, bad("%d items in all: a comparison holds them in memory, at most %d; files of any size are written with --write", n, maxShelved)
	}
	s := &shelves{World: w, goods: make([]good, n), products: make([]int32, n)}
	vectors := make([]float32, n*w.Dims)
	for i := range s.goods {
		it := w.Item(i)
		s.goods[i] = w.good(&it, vectors[i*w.Dims:(i+1)*w.Dims:(i+1)*w.Dims])
		s.products[i] = int32(it.Product)
	}
	return s, nil
}

func (s *shelves) at(n int) (*good, int32) { return &s.goods[n], s.products[n] }

// lender computes items when asked, for worlds too large to be held. What it gives holds until the next call.
type lender struct {
	w      *World
	vector []float32
	good   good
}

func newLender(w *World) *lender { return &lender{w: w, vector: make([]float32, w.Dims)} }

func (l *lender) at(n int) (*good, int32) {
	it := l.w.Item(n)
	l.good = l.w.good(&it, l.vector)
	return &l.good, int32(it.Product)
}

// goods is where the truth about items comes from: shelves or a lender. The second result is the item's product.
type goods interface{ at(n int) (*good, int32) }

// judge computes what lists are worth. Not safe for concurrent use.
type judge struct {
	*World
	goods
	click, reward [maxLimit]float64
}

// worth is the expected value of a list of item numbers for a mood, given the products that the user has.
func (j *judge) worth(m *mood, has []int32, list []int) float64 {
	for k, n := range list {
		g, product := j.at(n)
		click, purchase := m.chances(g, slices.Contains(has, product))
		j.click[k], j.reward[k] = click, j.Goal.reward(purchase)
	}
	return j.Clicks.value(j.click[:len(list)], j.reward[:len(list)])
}
