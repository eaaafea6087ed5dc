package simulate

import (
	"math"
	"time"
)

// Item is what is known of one item. It follows from the world's seed and its number alone.
type Item struct {
	Number int
	// Product is the number of the item that stands for all its variants; Number where there are none.
	Product int
	Variant int // 0 for an item without variants, else its place among them, from 1

	Topic, Style, Brand, Material, Seller int
	Words                                 [3]int // of the topic's, the first is what it is

	Cents int64 // its price
	// logPrice is the natural logarithm of the price by what is usual in its topic.
	logPrice float64
	quality  float64 // mean 0, variance 1: shows after the click
	appeal   float64 // mean 0, variance 0.25: shows in the list

	// Arrival is the day on which it comes to the shelves, 0 the first day of the comparison; below 0: before.
	Arrival int
}

const (
	variantsPerProduct = 4
	variantShare       = 0.3 // of blocks of four numbers are one product
	oldestItem         = 365 // days before the history begins
)

// Item computes an item. n is 0 or more. It takes no memory and does not allocate.
func (w *World) Item(n int) Item {
	it := Item{Number: n, Product: n}
	block := keyed(w.Seed, forBlock, uint64(n/variantsPerProduct), 0)
	if block.unit() < variantShare {
		it.Product = n - n%variantsPerProduct
		it.Variant = 1 + n%variantsPerProduct
	}
	d := keyed(w.Seed, forItem, uint64(it.Product), 0)
	it.Topic, it.Style = d.pick(w.topicSums), d.below(len(styles))
	it.Brand, it.Material, it.Seller = d.below(brandsPerTopic), d.below(len(materials)), d.below(w.sellers())
	it.Words = threeOf(&d, wordsPerTopic)
	it.logPrice = 0.45*d.normal() + 0.25*w.brandTier(it.Topic, it.Brand) + 0.08*float64(it.Variant)
	it.Cents = max(49, int64(float64(topics[it.Topic].cents)*math.Exp(it.logPrice))/10*10+9)
	it.quality = 0.8*d.normal() + 0.6*w.brandTier(it.Topic, it.Brand)
	own := keyed(w.Seed, forVariant, uint64(n), 0) // what variants do not share
	it.appeal = 0.5 * own.normal()
	it.Arrival = w.arrival(n, &own)
	return it
}

// threeOf draws three different numbers below n.
func threeOf(d *draws, n int) (three [3]int) {
	three[0] = d.below(n)
	three[1] = (three[0] + 1 + d.below(n-1)) % n
	for three[2] = three[0]; three[2] == three[0] || three[2] == three[1]; {
		three[2] = d.below(n)
	}
	return three
}

// sellers grow slowly with the shop.
func (w *World) sellers() int { return 5 + int(math.Sqrt(float64(w.Items))) }

// brandTier is about -1 to 1: dear and good, or cheap and less so.
func (w *World) brandTier(topic, brand int) float64 {
	d := keyed(w.Seed, forBrands, uint64(topic), uint64(brand))
	return 2*d.unit() - 1
}

func (w *World) arrival(n int, d *draws) int {
	if n < w.Items {
		return -w.HistoryDays - 1 - d.below(oldestItem)
	}
	if w.NewItems == 0 {
		return math.MaxInt
	}
	return (n - w.Items) / w.NewItems
}

// OnShelf is how many items there are on a day: those with numbers below it.
func (w *World) OnShelf(day int) int {
	if day < 0 {
		return w.Items
	}
	return w.Items + (min(day, w.Days-1)+1)*w.NewItems
}

// Created is when an item came to be.
func (w *World) Created(it Item) time.Time {
	d := keyed(w.Seed, forVariant, uint64(it.Number), 1)
	return w.dayStart(it.Arrival).Add(time.Duration(d.below(6*3600)) * time.Second)
}

// vector writes the latent vector of an item, [dims] float32 of unit length, into v: its topic, what its words, style and
// brand add, and what no text says.
func (w *World) vector(it *Item, v []float32) {
	copy(v, w.topicVectors[it.Topic])
	for i, word := range it.Words {
		addScaled(v, w.wordVectors[it.Topic*wordsPerTopic+word], wordScale[i])
	}
	addScaled(v, w.styleVectors[it.Style], 0.3)
	addScaled(v, w.brandVectors[it.Topic*brandsPerTopic+it.Brand], 0.25)
	noise := make([]float32, 0, maxDims)[:len(v)]
	d := keyed(w.Seed, forVector, uint64(it.Product), 0)
	d.direction(noise, 0.35)
	addScaled(v, noise, 1)
	stretch(v, 1)
}

// wordScale: what an item is counts more than what it comes with.
var wordScale = [3]float32{0.45, 0.25, 0.2}
