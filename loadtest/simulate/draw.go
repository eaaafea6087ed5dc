package simulate

import (
	"math"
	"math/bits"
)

// draws is a stream of random numbers that follows from its key alone: SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, "Fast
// splittable pseudorandom number generators", 2014). It takes 8 bytes and no set-up, so that each item, user and visit can
// have a stream of its own.
type draws uint64

// purpose keeps the streams of different things apart.
type purpose uint64

const (
	forTopics purpose = iota + 1
	forWords
	forStyles
	forBrands
	forItem
	forVariant
	forVector
	forBlock
	forUser
	forTaste
	forDay
	forVisit
	forLook
	forAttraction
	forPurchase
	forBrowsing
	forOpinion
	forLeaving
	forPool
	forList
	forAsk
	forTruth
)

const golden = 0x9e3779b97f4a7c15

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// keyed is the stream of one thing: same key, same numbers.
func keyed(seed uint64, p purpose, a, b uint64) draws {
	h := mix(seed + golden*uint64(p))
	h = mix(h ^ a*0xd6e8feb86659fd93)
	return draws(mix(h ^ b*0xa0761d6478bd642f))
}

func (d *draws) bits() uint64 {
	*d += golden
	return mix(uint64(*d))
}

// unit is at least 0 and below 1.
func (d *draws) unit() float64 { return float64(d.bits()>>11) / (1 << 53) }

// below is 0 to n-1. n is above 0; its bias, below n/2^64, does not matter here.
func (d *draws) below(n int) int {
	high, _ := bits.Mul64(d.bits(), uint64(n))
	return int(high)
}

// normal has mean 0 and variance 1 (Box and Muller; the second number is not kept, so that a stream has no state beside its
// place).
func (d *draws) normal() float64 {
	u, v := 1-d.unit(), d.unit()
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v)
}

// poisson counts arrivals of the given mean, which is small here.
func (d *draws) poisson(mean float64) int {
	n, p, bound := 0, d.unit(), math.Exp(-mean)
	for p > bound {
		n++
		p *= d.unit()
	}
	return n
}

// pick is a place of a table of rising sums, drawn by their steps.
func (d *draws) pick(sums []float64) int {
	x := d.unit() * sums[len(sums)-1]
	for i, s := range sums {
		if x < s {
			return i
		}
	}
	return len(sums) - 1
}

// direction fills v with a vector of the given length that points anywhere.
func (d *draws) direction(v []float32, length float64) {
	for i := range v {
		v[i] = float32(d.normal())
	}
	stretch(v, length)
}

// stretch gives v a length. A zero vector stays.
func stretch(v []float32, length float64) {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return
	}
	f := float32(length / math.Sqrt(sum))
	for i := range v {
		v[i] *= f
	}
}

func addScaled(to, v []float32, by float32) {
	for i, x := range v {
		to[i] += by * x
	}
}
