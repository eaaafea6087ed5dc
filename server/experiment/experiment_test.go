package experiment

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// units look like ids do: they differ in few places.
func units(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("user-%06d", i)
	}
	return list
}

// TestBucketsAreWhatTheyWere holds the hash in place: another one would give everybody
// another variant.
func TestBucketsAreWhatTheyWere(t *testing.T) {
	for _, c := range []struct {
		salt, unit string
		want       int
	}{{"", "u", 4683}, {"tea", "u1", 9672}, {"tea", "u2", 7088}, {"coffee", "u1", 4002}, {"tea", "é", 3308}} {
		if got := Bucket(c.salt, c.unit); got != c.want {
			t.Errorf("Bucket(%q, %q) is %d, it was %d", c.salt, c.unit, got, c.want)
		}
	}
	if Bucket("ab", "c") == Bucket("a", "bc") && Bucket("x", "yz") == Bucket("xy", "z") {
		t.Error("salt and unit run into one another")
	}
}

// chiSquare is the statistic of counts that should be equal, in standard deviations of
// its distribution from its mean.
func chiSquare(counts []int) float64 {
	n := 0
	for _, c := range counts {
		n += c
	}
	want, sum := float64(n)/float64(len(counts)), 0.0
	for _, c := range counts {
		sum += (float64(c) - want) * (float64(c) - want) / want
	}
	free := float64(len(counts) - 1)
	return (sum - free) / math.Sqrt(2*free)
}

func TestBucketsAreUniform(t *testing.T) {
	for _, salt := range []string{"", "tea", "a-long-salt-with-many-letters-in-it"} {
		counts := make([]int, Buckets)
		for _, u := range units(400_000) {
			counts[Bucket(salt, u)]++
		}
		if z := chiSquare(counts); math.Abs(z) > 5 {
			t.Errorf("salt %q: %.1f standard deviations from uniform", salt, z)
		}
	}
}

// TestExperimentsAreIndependent crosses two experiments of neighbouring salts: each pair
// of tenths has a hundredth of the people.
func TestExperimentsAreIndependent(t *testing.T) {
	counts := make([]int, 100)
	for _, u := range units(300_000) {
		counts[Bucket("test-1", u)/1000*10+Bucket("test-2", u)/1000]++
	}
	if z := chiSquare(counts); math.Abs(z) > 5 {
		t.Errorf("%.1f standard deviations from independent", z)
	}
}

func sizes(a Allocation) map[string]int {
	n := map[string]int{}
	for _, s := range a {
		n[s.Variant] += s.Until - s.From
	}
	return n
}

func TestSharesAreHadExactly(t *testing.T) {
	a := Allocate(nil, []Share{{"control", 5000}, {"b", 1}, {"c", 0}, {"d", 4999}})
	if n := sizes(a); n["control"] != 5000 || n["b"] != 1 || n["c"] != 0 || n["d"] != 4999 {
		t.Errorf("shares %v", n)
	}
	if a := Allocate(nil, nil); a.Variant(0) != "" || a.Variant(Buckets-1) != "" {
		t.Errorf("without shares: %v", a)
	}
	if a := Allocate(nil, []Share{{"all", Buckets}}); len(a) != 1 || a.Variant(0) != "all" || a.Variant(Buckets-1) != "all" {
		t.Errorf("one for all: %v", a)
	}
}

// TestAGrowingShareMovesPeopleIntoItAlone is what assignments are kept for.
func TestAGrowingShareMovesPeopleIntoItAlone(t *testing.T) {
	before := Allocate(nil, []Share{{"control", 4000}, {"b", 1000}, {"c", 4000}})
	after := Allocate(before, []Share{{"control", 4000}, {"b", 2000}, {"c", 4000}})
	moved := 0
	for b := range Buckets {
		old, now := before.Variant(b), after.Variant(b)
		if old == now {
			continue
		}
		if moved++; now != "b" || old != "" {
			t.Fatalf("bucket %d moved from %q to %q", b, old, now)
		}
	}
	if moved != 1000 {
		t.Errorf("%d buckets moved, 1000 had to", moved)
	}
}

// TestNoMoreMoveThanMust changes shares at random, names too: only variants that shrank
// give, only those that grew take, and each changes by the difference alone.
func TestNoMoreMoveThanMust(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	names := []string{"control", "b", "c", "d", "e"}
	draw := func() []Share {
		left, list := Buckets, []Share{}
		for _, n := range names {
			if r.IntN(4) == 0 {
				continue
			}
			size := r.IntN(left + 1)
			left -= size
			list = append(list, Share{n, size})
		}
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	}
	var before Allocation
	for range 300 {
		shares := draw()
		after := Allocate(before, shares)
		old, now := sizes(before), sizes(after)
		for _, s := range shares {
			if now[s.Variant] != s.Buckets {
				t.Fatalf("%s has %d buckets, %d were asked for", s.Variant, now[s.Variant], s.Buckets)
			}
		}
		gave, took := map[string]int{}, map[string]int{}
		for b := range Buckets {
			if from, to := before.Variant(b), after.Variant(b); from != to {
				gave[from]++
				took[to]++
			}
		}
		for _, n := range names {
			if gave[n] != max(0, old[n]-now[n]) || took[n] != max(0, now[n]-old[n]) {
				t.Fatalf("%s went from %d to %d buckets, gave %d and took %d", n, old[n], now[n], gave[n], took[n])
			}
		}
		before = after
	}
}

func TestBucketAllocatesNothing(t *testing.T) {
	a := Allocate(nil, []Share{{"control", 5000}, {"b", 5000}})
	if n := testing.AllocsPerRun(100, func() { a.Variant(Bucket("salt", "somebody@example.com")) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkBucket(b *testing.B) {
	for b.Loop() {
		if Bucket("salt", "somebody@example.com") >= Buckets {
			b.Fatal("past the end")
		}
	}
}
