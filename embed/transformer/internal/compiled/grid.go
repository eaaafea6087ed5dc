package compiled

import "slices"

// Limits say which shapes are computed.
type Limits struct {
	Tokens   int // of a batch with its padding, at most, unless it is one text
	Batch    int // texts of a batch at most, a power of two
	Programs int // that are kept compiled at most
	Calls    int // that are under way at once at most
}

// Limits for the two kinds of device. On a processor a batch of 4,096 tokens runs at two
// thirds of the rate of one of 2,048, whose activations still fit the caches.
var (
	OnProcessor = Limits{Tokens: 1 << 11, Batch: 64, Programs: 64, Calls: 1}
	OnGPU       = Limits{Tokens: 1 << 16, Batch: 512, Programs: 128, Calls: 2}
)

// lengths are those that texts are padded to.
var lengths = []int{8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512}

// padded is the length that a text of so many tokens is padded to, of a model that reads
// at most so many.
func padded(tokens, most int) int {
	i, _ := slices.BinarySearch(lengths, tokens)
	if i == len(lengths) {
		return most
	}
	return min(lengths[i], most)
}

// batch is the largest batch for texts of a padded length.
func (l Limits) batch(length int) int {
	n := 1
	for 2*n <= l.Batch && 2*n*length <= l.Tokens {
		n *= 2
	}
	return n
}

// next is how many of n texts of a padded length to compute first, and in a batch of
// which size: a few of its places may stay empty.
func (l Limits) next(n, length int) (texts, size int) {
	size = 1
	for size < n {
		size *= 2
	}
	most := l.batch(length)
	if size > most {
		return most, most
	}
	if 8*n >= 7*size {
		return n, size
	}
	return size / 2, size / 2
}
