package report

import (
	"math"
	"strconv"
	"strings"
)

// Axis is one direction of a chart.
type Axis struct {
	Label string
	// Log spaces by ratio. Values must be above 0.
	Log bool
	// Zero lets a linear axis begin at 0 even if no value is near it.
	Zero bool
	// Ticks replace the marks that the axis would choose. Those outside the values are left out.
	Ticks []Tick
}

// Tick is a mark on an axis.
type Tick struct {
	At   float64
	Text string
}

// scale maps values to the unit interval.
type scale struct {
	axis      Axis
	low, high float64 // of values, after log10 if the axis is logarithmic
}

// newScale covers the values, widened to ticks. ok is false if no value can be drawn.
func newScale(axis Axis, values []float64) (s scale, ok bool) {
	s = scale{axis: axis, low: math.Inf(1), high: math.Inf(-1)}
	for _, v := range values {
		if u, can := s.unscaled(v); can {
			s.low, s.high = min(s.low, u), max(s.high, u)
		}
	}
	if s.low > s.high {
		return s, false
	}
	if axis.Zero && !axis.Log {
		s.low = min(s.low, 0)
	}
	if s.low == s.high {
		if axis.Log || s.low == 0 {
			s.high++
		} else {
			s.low, s.high = min(s.low, 0), max(s.high, 0)
		}
	}
	s.widen()
	return s, true
}

// widen moves the ends outward to the next tick, where ticks are ours to choose.
func (s *scale) widen() {
	if len(s.axis.Ticks) > 0 {
		return
	}
	if s.axis.Log {
		s.low, s.high = logFloor(s.low), logCeil(s.high)
		return
	}
	step := tickStep(s.high - s.low)
	s.low, s.high = math.Floor(s.low/step+1e-9)*step, math.Ceil(s.high/step-1e-9)*step
}

// The marks of a logarithmic axis stand at 1, 2 and 5 times powers of ten.
var logMarks = []float64{0, math.Log10(2), math.Log10(5), 1}

// logFloor is the last mark at or below u, logCeil the first at or above it, both as log10.
func logFloor(u float64) float64 {
	whole := math.Floor(u + 1e-9)
	best := whole
	for _, m := range logMarks {
		if whole+m <= u+1e-9 {
			best = whole + m
		}
	}
	return best
}

func logCeil(u float64) float64 {
	whole := math.Floor(u + 1e-9)
	for _, m := range logMarks {
		if whole+m >= u-1e-9 {
			return whole + m
		}
	}
	return whole + 1
}

func (s scale) unscaled(v float64) (float64, bool) {
	if s.axis.Log {
		if !(v > 0) {
			return 0, false
		}
		v = math.Log10(v)
	}
	return v, !math.IsNaN(v) && !math.IsInf(v, 0)
}

// at gives the place of a value, 0 to 1 within the axis.
func (s scale) at(v float64) (float64, bool) {
	u, can := s.unscaled(v)
	return (u - s.low) / (s.high - s.low), can
}

// mostTicks is about how many marks fit.
const mostTicks = 6

func tickStep(span float64) float64 {
	raw := span / (mostTicks - 1)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*power*(1+1e-9) {
			return m * power
		}
	}
	return 10 * power
}

func (s scale) ticks() []Tick {
	if len(s.axis.Ticks) > 0 {
		var inside []Tick
		for _, t := range s.axis.Ticks {
			if at, can := s.at(t.At); can && at > -1e-6 && at < 1+1e-6 {
				inside = append(inside, t)
			}
		}
		return inside
	}
	if s.axis.Log {
		return s.logTicks()
	}
	step := tickStep(s.high - s.low)
	var ticks []Tick
	for i := math.Round(s.low / step); i*step <= s.high+step*1e-6; i++ {
		ticks = append(ticks, Tick{i * step, Number(i * step)})
	}
	return ticks
}

// mostPowers is how many powers of ten are marked before some are passed over.
const mostPowers = 8

func (s scale) logTicks() []Tick {
	marks := logMarks[:3]
	if s.high-s.low > 2.5 {
		marks = logMarks[:1] // whole powers alone
	}
	stride := max(1, math.Ceil((s.high-s.low)/mostPowers))
	var ticks []Tick
	for whole := math.Floor(s.low); whole <= s.high+1e-9; whole += stride {
		for _, m := range marks {
			if u := whole + m; u > s.low-1e-9 && u < s.high+1e-9 {
				v := math.Pow(10, u)
				ticks = append(ticks, Tick{v, Number(v)})
			}
		}
	}
	return ticks
}

// Number writes a number as people read it: three significant digits where it is small, thousands separated.
func Number(v float64) string {
	size := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case v == 0:
		return "0"
	case size >= 999.5:
		return grouped(strconv.FormatFloat(math.Round(v), 'f', 0, 64))
	case size >= 0.001:
		decimals := max(0, 2-int(math.Floor(math.Log10(size*(1+1e-12)))))
		text := strconv.FormatFloat(v, 'f', decimals, 64)
		if strings.Contains(text, ".") {
			text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
		}
		return text
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

func grouped(digits string) string {
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
