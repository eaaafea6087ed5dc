package hnsw

import "math"

// siftMiss is the share of the k best that may be missed, as expected.
const siftMiss = .035

// forecast says how many items of high score are to be expected among those not
// scored yet.
type forecast struct {
	items [256]int32 // of the sample, by their sum
	each  float64    // allowed items that one of the sample stands for
	// The least-squares line from sums to scores, as moments.
	n, x, y, xx, xy, yy float64
}

func (f *forecast) learn(sums []uint8, scores []float32) {
	for i, sum := range sums {
		x, y := float64(sum), float64(scores[i])
		f.n++
		f.x += x
		f.y += y
		f.xx += x * x
		f.xy += x * y
		f.yy += y * y
	}
}

// levelOf is the highest sum that n allowed items reach.
func (f *forecast) levelOf(n float64) int {
	level := 255
	for above := 0.; level > 0; level-- {
		if above += float64(f.items[level]) * f.each; above >= n {
			break
		}
	}
	return level
}

// reach is the level below which at most siftMiss of the k best are expected;
// best are the k best of the items that reach low, which were all scored.
func (f *forecast) reach(best []uint64, low int) int {
	line, ok := f.line()
	if !ok {
		return 0
	}
	// Those not scored will push some of these out: with i items above a score,
	// and as many expected below low that no more than k are, that is the bar.
	k := len(best)
	i, end := 1, k
	for i < end {
		half := (i + end + 1) / 2
		if above, _ := f.above(line, scoreOf(best[half-1]), low, math.Inf(1)); float64(half)+above <= float64(k) {
			i = half
		} else {
			end = half - 1
		}
	}
	_, level := f.above(line, scoreOf(best[i-1]), low, siftMiss*float64(k))
	return level
}

// above is how many items with sums below low are expected to score above bar,
// counted from the lowest sum up until they exceed limit, at level.
func (f *forecast) above(l line, bar float32, low int, limit float64) (n float64, level int) {
	for level := range low {
		if f.items[level] == 0 {
			continue
		}
		z := (float64(bar) - l.at - l.slope*float64(level)) / l.deviation
		if n += float64(f.items[level]) * f.each * upperTail(z); n > limit {
			return n, level
		}
	}
	return n, low
}

// line is score = at + slope*sum, and how far scores lie from it.
type line struct{ at, slope, deviation float64 }

func (f *forecast) line() (line, bool) {
	sxx, sxy, syy := f.xx-f.x*f.x/f.n, f.xy-f.x*f.y/f.n, f.yy-f.y*f.y/f.n
	l := line{slope: sxy / sxx}
	l.at = (f.y - l.slope*f.x) / f.n
	l.deviation = math.Sqrt(max(syy-l.slope*sxy, 0) / f.n)
	return l, l.slope > 0 && l.deviation > 0 && l.deviation < math.Inf(1)
}

// upperTail is the share of a normal distribution above z deviations.
func upperTail(z float64) float64 {
	const last = len(tails) - 1
	at := z * tailSteps
	if at < 0 {
		return 1 - upperTail(-z)
	}
	if !(at < float64(last)) {
		return tails[last]
	}
	i := int(at)
	return tails[i] + (at-float64(i))*(tails[i+1]-tails[i])
}

const tailSteps = 16 // table entries for one deviation

var tails = func() (t [6*tailSteps + 1]float64) {
	for i := range t {
		t[i] = math.Erfc(float64(i)/tailSteps/math.Sqrt2) / 2
	}
	return t
}()
