package index

import (
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/index/internal/simd"
)

// The checks below are shared by the engines, so that all refuse alike.

// CheckVector returns ErrDimension or ErrNotFinite unless v is a vector of
// dim finite elements whose squared length is a finite float32.
func CheckVector(v []float32, dim int) error {
	if len(v) != dim {
		return fmt.Errorf("%w: vector has %d elements, index has %d", ErrDimension, len(v), dim)
	}
	// A NaN or an infinity anywhere makes the sum of squares one, too: a single
	// pass at full speed instead of a test of each element.
	if s := float64(simd.Dot(v, v)); !math.IsNaN(s) && !math.IsInf(s, 0) {
		return nil
	}
	for i, x := range v {
		if x64 := float64(x); math.IsNaN(x64) || math.IsInf(x64, 0) {
			return fmt.Errorf("%w: element %d is %v", ErrNotFinite, i, x)
		}
	}
	return fmt.Errorf("%w: its squared length overflows float32; scale it to unit length", ErrNotFinite)
}

// CheckID returns ErrID unless id is below maxItems.
func CheckID(id uint32, maxItems int) error {
	if int64(id) >= int64(maxItems) {
		return fmt.Errorf("%w: item %d, numbers must be below MaxItems = %d", ErrID, id, maxItems)
	}
	return nil
}

// Check returns ErrQuery unless K and Effort are in range.
func (q Query) Check() error {
	if q.K < 1 {
		return fmt.Errorf("%w: K is %d, must be at least 1", ErrQuery, q.K)
	}
	if q.Effort < 0 {
		return fmt.Errorf("%w: Effort is %d, must be 0 (the default) or more", ErrQuery, q.Effort)
	}
	return nil
}

// Allows reports whether the query may find id.
func (q Query) Allows(id uint32) bool {
	if q.Allow == nil {
		return true
	}
	word := int(id / 64)
	return word < len(q.Allow) && q.Allow[word]>>(id%64)&1 != 0
}
