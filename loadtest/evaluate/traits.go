package evaluate

import (
	"math"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/loadtest/metrics"
	"github.com/kindred-rec/kindred/server/exact"
)

// traits are what figures beyond accuracy know of the items: [items] each. Codes are from 1,
// 0 is none.
type traits struct {
	labels     [][]uint32 // categories, tags and brand
	categories [][]uint32 // whole paths
	labelled   bool       // some item has a label
	maker      []uint32   // seller, or brand where no item has one
	by         string     // "seller", "brand", or "" where there are neither
	acts       []int      // of training
	met        []int      // users of training who met it
	users      int        // of training
	texts      *exact.Space
}

func newTraits(split *dataset.Split, texts *exact.Space) *traits {
	n := len(split.Items)
	t := &traits{labels: make([][]uint32, n), categories: make([][]uint32, n), maker: make([]uint32, n), acts: acts(split),
		met: make([]int, n), users: len(split.Train), texts: texts}
	codes := map[string]uint32{}
	code := func(kind, text string) uint32 {
		key := kind + "\x00" + text
		if _, known := codes[key]; !known {
			codes[key] = uint32(len(codes) + 1)
		}
		return codes[key]
	}
	for _, item := range split.Items {
		if item.Seller != "" {
			t.by = "seller"
			break
		}
		if item.Brand != "" {
			t.by = "brand"
		}
	}
	for i, item := range split.Items {
		for _, c := range item.Categories {
			t.categories[i] = append(t.categories[i], code("category", c))
		}
		t.labels[i] = append(t.labels[i], t.categories[i]...)
		for _, tag := range item.Tags {
			t.labels[i] = append(t.labels[i], code("tag", tag))
		}
		if item.Brand != "" {
			t.labels[i] = append(t.labels[i], code("brand", item.Brand))
		}
		t.labelled = t.labelled || len(t.labels[i]) > 0
		maker := item.Brand
		if t.by == "seller" {
			maker = item.Seller
		}
		if maker != "" {
			t.maker[i] = code("maker", maker)
		}
	}
	for _, sequence := range split.Train {
		for _, item := range distinctItems(sequence.Events, math.MaxInt) {
			t.met[item]++
		}
	}
	return t
}

// apart are the mean distances of the pairs of a list: by labels, and by vectors of texts.
func (t *traits) apart(list []uint32) (labels, vectors float64) {
	labels = metrics.IntraList(len(list), func(i, j int) float64 { return 1 - metrics.Jaccard(t.labels[list[i]], t.labels[list[j]]) })
	vectors = metrics.IntraList(len(list), func(i, j int) float64 {
		a, b := t.texts.Vector(list[i]), t.texts.Vector(list[j])
		if len(a) == 0 || len(a) != len(b) {
			return 1 // of an item without a text nothing is known
		}
		return 1 - dot(a, b)
	})
	return labels, vectors
}

// filed are the categories of items.
func (t *traits) filed(into [][]uint32, items []uint32) [][]uint32 {
	for _, item := range items {
		into = append(into, t.categories[item])
	}
	return into
}
