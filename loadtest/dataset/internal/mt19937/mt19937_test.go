package mt19937

import (
	"slices"
	"testing"
)

// The expected values were made once with numpy 2.4.6:
//
//	p = numpy.random.RandomState(seed).permutation(n); p[:8]; p[-4:]; (p * numpy.arange(1, n + 1)).sum()
func TestPermutationIsNumpys(t *testing.T) {
	for _, c := range []struct {
		seed        uint32
		n           int
		first, last []int
		sum         int
	}{
		{1, 3231, []int{1613, 1710, 2906, 2087, 2380, 1273, 584, 3076}, []int{905, 1096, 235, 1061}, 8474126930},
		{0, 10, []int{2, 8, 4, 9, 1, 6, 7, 3}, []int{7, 3, 0, 5}, 230},
		{12345, 1000, []int{144, 833, 270, 468, 962, 186, 942, 516}, []int{129, 285, 485, 482}, 247866174},
		{4294967295, 700, []int{224, 305, 447, 532, 698, 70, 337, 38}, []int{71, 12, 290, 419}, 86380345},
	} {
		p := New(c.seed).Permutation(c.n)
		sum := 0
		for i, v := range p {
			sum += v * (i + 1)
		}
		if !slices.Equal(p[:8], c.first) || !slices.Equal(p[c.n-4:], c.last) || sum != c.sum {
			t.Errorf("seed %d, n %d: %v ... %v, weighted sum %d, want %+v", c.seed, c.n, p[:8], p[c.n-4:], sum, c)
		}
	}
}

func TestPermutationOfNothingAndOfOne(t *testing.T) {
	if p := New(1).Permutation(0); len(p) != 0 {
		t.Errorf("permutation of nothing is %v", p)
	}
	if p := New(1).Permutation(1); !slices.Equal(p, []int{0}) {
		t.Errorf("permutation of one is %v", p)
	}
}

// The first outputs of the reference implementation for its own default seed.
func TestUint32IsTheReferenceTwister(t *testing.T) {
	r := New(5489)
	for i, want := range []uint32{3499211612, 581869302, 3890346734, 3586334585, 545404204} {
		if got := r.Uint32(); got != want {
			t.Errorf("output %d is %d, want %d", i, got, want)
		}
	}
}
