package kernel

import "math"

// Mask says which elements of an array drop out: those whose number's hash is below a
// threshold. It is made of a key alone, so that a backward pass makes the same one
// again and nothing is kept. A Mask is a plain value.
type Mask struct {
	low, high uint32
	threshold uint32 // of 31 bits
	scale     float32
}

// NewMask drops an element with probability p, from 0 to below 1, and multiplies the
// others by 1/(1-p). Masks of different keys are unrelated.
func NewMask(p float32, key uint64) Mask {
	key = (key ^ key>>30) * 0xbf58476d1ce4e5b9 // the finalizer of SplitMix64, since keys that are near each other are common
	key = (key ^ key>>27) * 0x94d049bb133111eb
	key ^= key >> 31
	return Mask{low: uint32(key), high: uint32(key >> 32), threshold: uint32(math.Round(float64(p) * (1 << 31))), scale: 1 / (1 - p)}
}

// Off reports whether nothing drops out.
func (m Mask) Off() bool { return m.threshold == 0 }

// Apply drops elements of x, of which the first has the number first.
func (m Mask) Apply(x []float32, first int) {
	if m.Off() {
		return
	}
	n := whole(len(x))
	if n > 0 {
		dropoutFast(x[:n], m, uint32(first))
	}
	m.plain(x[n:], uint32(first+n))
}

func (m Mask) plain(x []float32, first uint32) {
	for i := range x {
		if m.drops(first + uint32(i)) {
			x[i] = 0
		} else {
			x[i] *= m.scale
		}
	}
}

// Drops reports whether the element of that number drops out.
func (m Mask) Drops(number int) bool { return m.drops(uint32(number)) }

func (m Mask) drops(number uint32) bool {
	h := number*0x9e3779b1 + m.low
	h ^= h >> 16
	h *= 0x7feb352d
	h ^= h >> 15
	h ^= m.high
	h *= 0x846ca68b
	h ^= h >> 16
	return h>>1 < m.threshold
}
