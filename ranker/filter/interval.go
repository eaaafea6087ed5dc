package filter

import (
	"math"

	"cel.dev/cel-go/common/operators"
)

// An interval holds the values from lo to hi, both included; it is empty when
// lo is above hi. A comparison of a number with a literal is a list of
// intervals, and no interval holds the absent value: that is how a comparison
// over it is false, whatever the operator.
type interval[T int64 | float64] struct{ lo, hi T }

// holds reports whether one of the intervals holds v.
func holds[T int64 | float64](intervals []interval[T], v T) bool {
	for _, i := range intervals {
		if i.lo <= v && v <= i.hi {
			return true
		}
	}
	return false
}

// everyNumber and everyInteger hold all values but the absent one.
var (
	everyNumber  = []interval[float64]{{math.Inf(-1), math.Inf(1)}} // NaN is in none
	everyInteger = []interval[int64]{{absentInteger + 1, math.MaxInt64}}
)

// numberIntervals are the numbers v for which "v operator x" holds.
func numberIntervals(operator string, x float64) []interval[float64] {
	lowest, highest := math.Inf(-1), math.Inf(1)
	below := interval[float64]{lowest, math.Nextafter(x, lowest)}
	above := interval[float64]{math.Nextafter(x, highest), highest}
	switch operator {
	case operators.Equals:
		return []interval[float64]{{x, x}}
	case operators.NotEquals:
		return []interval[float64]{below, above}
	case operators.Less:
		return []interval[float64]{below}
	case operators.LessEquals:
		return []interval[float64]{{lowest, x}}
	case operators.Greater:
		return []interval[float64]{above}
	}
	return []interval[float64]{{x, highest}} // GreaterEquals
}

// integerIntervals are the integers v for which "v operator x" holds.
func integerIntervals(operator string, x threshold) []interval[int64] {
	const lowest, highest = absentInteger + 1, math.MaxInt64
	upTo := interval[int64]{lowest, x.floor} // v <= x
	above := interval[int64]{x.floor + 1, highest}
	if x.floor == highest {
		above = interval[int64]{highest, lowest}
	}
	below, equal, from := upTo, interval[int64]{highest, lowest}, above
	if x.exact {
		equal = interval[int64]{max(lowest, x.floor), x.floor}
		from = interval[int64]{max(lowest, x.floor), highest}
		below = interval[int64]{lowest, max(lowest, x.floor) - 1} // empty at the lowest
	}
	switch operator {
	case operators.Equals:
		return []interval[int64]{equal}
	case operators.NotEquals:
		return []interval[int64]{below, above}
	case operators.Less:
		return []interval[int64]{below}
	case operators.LessEquals:
		return []interval[int64]{upTo}
	case operators.Greater:
		return []interval[int64]{above}
	}
	return []interval[int64]{from} // GreaterEquals
}
