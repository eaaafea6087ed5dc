// Package mt19937 is the part of numpy's legacy random generator that published splits depend on:
// numpy.random.RandomState(seed).permutation(n), bit for bit.
//
// The generator is the Mersenne Twister of Matsumoto and Nishimura, "Mersenne Twister: a 623-dimensionally equidistributed
// uniform pseudo-random number generator" (1998), seeded by their init_genrand; numpy shuffles with it from the end (Fisher
// and Yates), drawing bounded numbers by mask and rejection.
package mt19937

import "math/bits"

const (
	words  = 624
	middle = 397
)

// RandomState is numpy.random.RandomState(seed). It is not safe for concurrent use.
type RandomState struct {
	state [words]uint32
	next  int
}

// New seeds the generator as numpy does with a whole number of 32 bits.
func New(seed uint32) *RandomState {
	r := &RandomState{next: words}
	r.state[0] = seed
	for i := 1; i < words; i++ {
		before := r.state[i-1]
		r.state[i] = 1812433253*(before^before>>30) + uint32(i)
	}
	return r
}

// Uint32 is the next 32 random bits.
func (r *RandomState) Uint32() uint32 {
	if r.next == words {
		r.twist()
	}
	y := r.state[r.next]
	r.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

func (r *RandomState) twist() {
	for i := range r.state {
		y := r.state[i]&0x80000000 | r.state[(i+1)%words]&0x7fffffff
		r.state[i] = r.state[(i+middle)%words] ^ y>>1 ^ (y&1)*0x9908b0df
	}
	r.next = 0
}

// upTo draws from [0, max] as numpy's random_interval does: 32 bits at a time, masked, until it fits.
func (r *RandomState) upTo(max uint32) uint32 {
	mask := uint32(1)<<bits.Len32(max) - 1
	for {
		if v := r.Uint32() & mask; v <= max {
			return v
		}
	}
}

// Permutation is RandomState.permutation(n): the numbers 0 to n-1 in random order. n must lie in [0, 1<<31).
func (r *RandomState) Permutation(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	for i := n - 1; i > 0; i-- {
		j := r.upTo(uint32(i))
		p[i], p[j] = p[j], p[i]
	}
	return p
}
