package behaviour

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const day = 24 * time.Hour

// east, north and up are three items that have nothing in common.
var (
	east  = []float32{1, 0, 0}
	north = []float32{0, 1, 0}
	up    = []float32{0, 0, 1}
)

func encode(t testing.TB, e Encoder, dim int, touches ...Touch) ([]float32, bool) {
	t.Helper()
	dst := slices.Repeat([]float32{float32(math.NaN())}, dim)
	ok, err := e.Encode(dst, touches)
	if err != nil {
		t.Fatal(err)
	}
	return dst, ok
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func near(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) < 1e-4 })
}

// unit is v scaled to unit length.
func unit(v ...float32) []float32 {
	length := float32(math.Sqrt(dot(v, v)))
	out := make([]float32, len(v))
	for i := range v {
		out[i] = v[i] / length
	}
	return out
}

func TestWeightedMean(t *testing.T) {
	plain := Mean{RankDecay: 1, Repulsion: 1}
	for _, c := range []struct {
		why     string
		mean    Mean
		touches []Touch
		want    []float32
	}{
		{"one touch is its item", plain, []Touch{{east, 0.1, 0}}, east},
		{"weights weigh", plain, []Touch{{east, 3, 0}, {north, 1, 0}}, unit(3, 1, 0)},
		{"a half-life halves", Mean{HalfLife: day, RankDecay: 1}, []Touch{{east, 1, 2 * day}, {north, 1, day}}, unit(1, 2, 0)},
		{"a long time away changes nothing", Mean{HalfLife: day, RankDecay: 1}, []Touch{{east, 1, 3652 * day}, {north, 1, 3651 * day}}, unit(1, 2, 0)},
		{"unknown age is that of the next newer", Mean{HalfLife: day, RankDecay: 1}, []Touch{{east, 1, -1}, {north, 1, day}, {up, 1, 0}}, unit(1, 1, 2)},
		{"unknown age at the end is the youngest", Mean{HalfLife: day, RankDecay: 1}, []Touch{{east, 1, 2 * day}, {north, 1, day}, {up, 1, -1}}, unit(1, 2, 2)},
		{"rank decays from the newest", Mean{RankDecay: 0.5}, []Touch{{east, 1, 0}, {north, 1, 0}, {up, 1, 0}}, unit(1, 2, 4)},
		{"what has no vector or weight takes no rank", Mean{RankDecay: 0.5}, []Touch{{east, 1, 0}, {nil, 9, 0}, {make([]float32, 3), 9, 0}, {up, 0, 0}, {north, 1, 0}}, unit(1, 2, 0)},
		{"what has no vector or weight is not the youngest", Mean{HalfLife: day, RankDecay: 1}, []Touch{{east, 1, 3 * day}, {north, 1, 2 * day}, {nil, 1, 0}, {up, 0, 0}}, unit(1, 2, 0)},
		{"a rank decay of 0 leaves the newest", Mean{}, []Touch{{east, 9, 0}, {north, 1, 0}}, north},
		{"only the recent ones", Mean{RankDecay: 1, Recent: 2}, []Touch{{east, 9, 0}, {north, 1, 0}, {up, 1, 0}}, unit(0, 1, 1)},
		{"the signs are counted apart", Mean{RankDecay: 0.5, Repulsion: 1, Recent: 2}, []Touch{{east, 1, 0}, {north, 2, 0}, {up, -0.5, 0}, {up, -0.5, 0}}, unit(0.5, 2, -0.75)},
		{"a dislike is subtracted", plain, []Touch{{east, 2, 0}, {north, -1, 0}}, unit(2, -1, 0)},
		{"dislikes weigh no more than their share", Mean{RankDecay: 1, Repulsion: 0.5}, []Touch{{east, 2, 0}, {north, -4, 0}, {up, -12, 0}}, unit(2, -0.25, -0.75)},
		{"no repulsion ignores them", Mean{RankDecay: 1}, []Touch{{east, 2, 0}, {north, -4, 0}}, east},
	} {
		if got, ok := encode(t, c.mean, 3, c.touches...); !ok || !near(got, c.want) {
			t.Errorf("%s: got %v %v, want %v", c.why, got, ok, c.want)
		}
	}
}

func TestNothingToSay(t *testing.T) {
	for _, c := range []struct {
		why     string
		touches []Touch
	}{
		{"no history", nil},
		{"no vector", []Touch{{nil, 1, 0}, {make([]float32, 3), 1, 0}}},
		{"no weight", []Touch{{east, 0, 0}}},
		{"only dislikes", []Touch{{east, -1, 0}, {north, -2, 0}}},
		{"liked and disliked alike", []Touch{{east, 1, 0}, {east, -1, 0}}},
		{"opposites", []Touch{{east, 1, 0}, {[]float32{-1, 0, 0}, 1, 0}}},
	} {
		got, ok := encode(t, Mean{RankDecay: 1, Repulsion: 1}, 3, c.touches...)
		if ok || !slices.Equal(got, []float32{0, 0, 0}) {
			t.Errorf("%s: got %v %v, want zeros and false", c.why, got, ok)
		}
	}
}

func TestBadTouchIsNamed(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		why, want string
		touch     Touch
	}{
		{"another model's vector", "touch 1 has 2 components, output has 3", Touch{Vector: []float32{1, 0}, Weight: 1}},
		{"an empty vector", "touch 1 has 0 components", Touch{Vector: []float32{}, Weight: 1}},
		{"a weight that is no number", "weight of touch 1", Touch{Vector: east, Weight: nan}},
		{"an infinite weight", "weight of touch 1", Touch{Vector: east, Weight: inf}},
		{"a vector that is no number", "not finite", Touch{Vector: []float32{nan, 0, 0}, Weight: 1}},
	} {
		dst := []float32{7, 7, 7}
		ok, err := DefaultMean().Encode(dst, []Touch{{north, 1, 0}, c.touch})
		if ok || !errors.Is(err, ErrTouch) || !strings.Contains(err.Error(), c.want) || !slices.Equal(dst, []float32{0, 0, 0}) {
			t.Errorf("%s: got %v, error %v, want zeros and %q", c.why, dst, err, c.want)
		}
	}
}

func TestBadConfigurationIsNamed(t *testing.T) {
	nan := float32(math.NaN())
	for _, m := range []Mean{{}, DefaultMean(), {RankDecay: 1, Repulsion: 1}} {
		if err := m.Validate(); err != nil {
			t.Errorf("%+v: %v", m, err)
		}
	}
	for name, bad := range map[string][]Mean{
		"HalfLife":  {{HalfLife: -1}},
		"RankDecay": {{RankDecay: -0.1}, {RankDecay: 1.1}, {RankDecay: nan}},
		"Repulsion": {{Repulsion: -0.1}, {Repulsion: 1.1}, {Repulsion: nan}},
		"Recent":    {{Recent: -1}},
	} {
		for _, m := range bad {
			if err := m.Validate(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), name) {
				t.Errorf("%+v: error %v, want one that names %s", m, err, name)
			}
		}
	}
}

const dim = 8

func drawVector(t *rapid.T) []float32 {
	v := rapid.SliceOfN(rapid.Float32Range(-1, 1), dim, dim).Draw(t, "vector")
	if dot(v, v) < 1e-3 {
		v[0] = 1
	}
	return unit(v...)
}

func drawTouches(t *rapid.T, lowest float32) []Touch {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Touch {
		touch := Touch{drawVector(t), rapid.Float32Range(lowest, 5).Draw(t, "weight"), time.Duration(rapid.Int64Range(-1, 400).Draw(t, "days")) * day}
		if rapid.IntRange(0, 9).Draw(t, "known") == 0 {
			touch.Vector = nil
		}
		return touch
	}), 0, 30).Draw(t, "touches")
}

func drawMean(t *rapid.T) Mean {
	m := Mean{
		HalfLife:  time.Duration(rapid.Int64Range(0, 100).Draw(t, "half-life")) * day,
		RankDecay: rapid.Float32Range(0, 1).Draw(t, "decay"),
		Repulsion: rapid.Float32Range(0, 1).Draw(t, "repulsion"),
		Recent:    rapid.IntRange(0, 20).Draw(t, "recent"),
	}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	return m
}

// twin computes the mean from the formula, in float64, the long way round.
func twin(m Mean, touches []Touch) []float64 {
	youngest := time.Duration(math.MaxInt64)
	for _, t := range touches {
		if t.Vector != nil && t.Weight != 0 && t.Age >= 0 {
			youngest = min(youngest, t.Age)
		}
	}
	sum := map[bool][]float64{true: make([]float64, dim), false: make([]float64, dim)}
	mass := map[bool]float64{}
	for i, t := range touches {
		if t.Vector == nil || t.Weight == 0 {
			continue
		}
		rank, age, ageKnown := 0, youngest, t.Age >= 0
		if ageKnown {
			age = t.Age
		}
		for _, newer := range touches[i+1:] {
			if newer.Vector == nil || newer.Weight == 0 {
				continue
			}
			if newer.Weight > 0 == (t.Weight > 0) {
				rank++
			}
			if !ageKnown && newer.Age >= 0 {
				age, ageKnown = newer.Age, true
			}
		}
		if m.Recent > 0 && rank >= m.Recent {
			continue
		}
		w := math.Abs(float64(t.Weight)) * math.Pow(float64(m.RankDecay), float64(rank))
		if m.HalfLife > 0 {
			w *= math.Exp2(-float64(age-youngest) / float64(m.HalfLife))
		}
		mass[t.Weight > 0] += w
		for k, x := range t.Vector {
			sum[t.Weight > 0][k] += w * float64(x)
		}
	}
	share := 1.0
	if mass[false] > 0 {
		share = min(1, float64(m.Repulsion)*mass[true]/mass[false])
	}
	out, squares := make([]float64, dim), 0.0
	for k := range out {
		out[k] = sum[true][k] - share*sum[false][k]
		squares += out[k] * out[k]
	}
	if mass[true] == 0 || math.Sqrt(squares)/mass[true] < 2*cancelled {
		return nil // cancelled, or near the bound
	}
	for k := range out {
		out[k] /= math.Sqrt(squares)
	}
	return out
}

func TestSameAsFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, touches := drawMean(t), drawTouches(t, -5)
		want := twin(m, touches)
		dst := make([]float32, dim)
		ok, err := m.Encode(dst, touches)
		if err != nil {
			t.Fatal(err)
		}
		if length := dot(dst, dst); ok && math.Abs(length-1) > 1e-5 || !ok && length != 0 {
			t.Fatalf("ok is %v, squared length %g", ok, length)
		}
		if want == nil {
			return
		}
		for k := range want {
			if !ok || math.Abs(float64(dst[k])-want[k]) > 2e-3 { // near cancelling, rounding is amplified
				t.Fatalf("got %v %v, want %v", dst, ok, want)
			}
		}
	})
}

func TestScaleOfWeightsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, touches := drawMean(t), drawTouches(t, 0)
		by := rapid.SampledFrom([]float32{1e-20, 1e-3, 7, 1e20}).Draw(t, "by")
		scaled := slices.Clone(touches)
		for i := range scaled {
			if 0 < touches[i].Weight && touches[i].Weight < 1e-3 {
				touches[i].Weight = 1e-3 // or it would underflow
			}
			scaled[i].Weight = touches[i].Weight * by
		}
		a, b := make([]float32, dim), make([]float32, dim)
		okA, errA := m.Encode(a, touches)
		okB, errB := m.Encode(b, scaled)
		if okA != okB || errA != nil || errB != nil || twin(m, touches) != nil && dot(a, b) < 1-1e-4 && okA {
			t.Fatalf("by %g: %v %v and %v %v", by, a, okA, b, okB)
		}
	})
}

func TestNewerTouchPullsToItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, touches := drawMean(t), drawTouches(t, 0)
		v := drawVector(t)
		before, after := make([]float32, dim), make([]float32, dim)
		ok, err := m.Encode(before, touches)
		if err != nil || !ok {
			return
		}
		// Of unknown age, so that no other's age changes: all else is decayed alike.
		if _, err := m.Encode(after, append(touches, Touch{v, rapid.Float32Range(0.1, 5).Draw(t, "w"), -1})); err != nil {
			t.Fatal(err)
		}
		if m.Recent == 0 && dot(after, v) < dot(before, v)-1e-4 {
			t.Fatalf("cosine to a touched item went from %g to %g", dot(before, v), dot(after, v))
		}
	})
}

func TestLaterOfTwoCountsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMean(t)
		if m.RankDecay > 0.99 {
			return
		}
		got := make([]float32, dim)
		a, b := make([]float32, dim), make([]float32, dim)
		a[0], b[1] = 1, 1
		if ok, err := m.Encode(got, []Touch{{a, 1, -1}, {b, 1, -1}}); !ok || err != nil || got[1] <= got[0] {
			t.Fatalf("older %g, newer %g, ok %v, error %v", got[0], got[1], ok, err)
		}
	})
}

func TestDislikePushesAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, touches := drawMean(t), drawTouches(t, 0)
		v := drawVector(t)
		before, after := make([]float32, dim), make([]float32, dim)
		okBefore, err := m.Encode(before, touches)
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.IntRange(0, len(touches)).Draw(t, "at")
		dislike := Touch{v, rapid.Float32Range(-5, -0.1).Draw(t, "w"), -1}
		okAfter, err := m.Encode(after, slices.Insert(slices.Clone(touches), at, dislike))
		if err != nil || okAfter && !okBefore {
			t.Fatalf("a dislike alone gave a vector, error %v", err)
		}
		if okAfter && dot(after, v) > dot(before, v)+1e-3 {
			t.Fatalf("cosine to a disliked item went from %g to %g", dot(before, v), dot(after, v))
		}
	})
}

func history(n, dim int) []Touch {
	r := rand.New(rand.NewPCG(1, 2))
	touches := make([]Touch, n)
	for i := range touches {
		v := make([]float32, dim)
		for k := range v {
			v[k] = float32(r.NormFloat64())
		}
		touches[i] = Touch{unit(v...), float32(i%5) - 0.5, time.Duration(n-i) * time.Hour}
	}
	return touches
}

func TestEncodeAllocatesNothing(t *testing.T) {
	touches, dst := history(50, 256), make([]float32, 256)
	var e Encoder = DefaultMean()
	if n := testing.AllocsPerRun(100, func() { _, _ = e.Encode(dst, touches) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, n := range []int{5, 20, 100} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			touches, dst := history(n, 256), make([]float32, 256)
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := DefaultMean().Encode(dst, touches); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
