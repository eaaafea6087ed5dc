package filter

import (
	"math"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// A threshold is a literal on the line of integers: floor is the largest
// integer not above it, exact whether it is that integer. What lies past the
// ends of int64 is floored to the end and inexact.
type threshold struct {
	floor int64
	exact bool
}

// integerThreshold is the threshold of a number, false for other values.
func integerThreshold(value ref.Val) (threshold, bool) {
	switch value := value.(type) {
	case types.Int:
		return threshold{int64(value), true}, true
	case types.Uint:
		return threshold{int64(min(value, math.MaxInt64)), value <= math.MaxInt64}, true
	case types.Double:
		floor := math.Floor(float64(value))
		switch {
		case floor >= 1<<63:
			return threshold{math.MaxInt64, false}, true
		case floor < -1<<63:
			return threshold{math.MinInt64, false}, true
		}
		return threshold{int64(floor), floor == float64(value)}, true
	}
	return threshold{}, false
}

// timeThreshold is the threshold of a time in unix microseconds.
func timeThreshold(value ref.Val) (threshold, bool) {
	at, ok := value.(types.Timestamp)
	if !ok {
		return threshold{}, false
	}
	return threshold{at.UnixMicro(), at.Nanosecond()%int(time.Microsecond) == 0}, true
}
