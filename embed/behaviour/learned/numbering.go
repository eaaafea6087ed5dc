package learned

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
)

// Numbering says which rows of a transformer's tables an event has. Its zero value is that
// of transformers without such tables. It is written into the file of a model.
type Numbering struct {
	// Types are the names of events by row, such as "view". An empty name stands for all
	// that are not listed; without one, such events are left out.
	Types []string `json:"types,omitempty"`

	// Gaps are bounds of the time since the event before, in seconds, ascending. Row 0 is
	// that of a time that is not known, row 1 of one below the first bound.
	Gaps []float64 `json:"gaps,omitempty"`

	// Values are bounds of an event's weight, ascending. Row 0 is that of a weight below
	// the first bound.
	Values []float32 `json:"values,omitempty"`
}

const maxBounds = 1 << 10

// Validate returns an error that wraps [ErrModel] if a list is too long, a name stands
// twice, or bounds do not ascend.
func (n Numbering) Validate() error {
	if len(n.Types) > maxBounds || len(n.Gaps) > maxBounds || len(n.Values) > maxBounds {
		return fmt.Errorf("%w: %d types, %d gaps and %d values, at most %d each", ErrModel, len(n.Types), len(n.Gaps), len(n.Values), maxBounds)
	}
	seen := map[string]bool{}
	for i, name := range n.Types {
		if seen[name] {
			return fmt.Errorf("%w: type %.60q stands twice, the second time at row %d", ErrModel, name, i)
		}
		seen[name] = true
	}
	for i, bound := range n.Gaps {
		if !(bound >= 0) || math.IsInf(bound, 0) || i > 0 && bound <= n.Gaps[i-1] {
			return fmt.Errorf("%w: gap bound %d is %g s; bounds are at least 0, finite and ascend", ErrModel, i, bound)
		}
	}
	for i, bound := range n.Values {
		if math.IsNaN(float64(bound)) || math.IsInf(float64(bound), 0) || i > 0 && bound <= n.Values[i-1] {
			return fmt.Errorf("%w: value bound %d is %g; bounds are finite and ascend", ErrModel, i, bound)
		}
	}
	return nil
}

// Rows are how many rows each table needs: 0 where nothing is listed.
func (n Numbering) Rows() (types, gaps, values int) {
	if len(n.Gaps) > 0 {
		gaps = len(n.Gaps) + 2
	}
	if len(n.Values) > 0 {
		values = len(n.Values) + 1
	}
	return len(n.Types), gaps, values
}

// goesWith refuses a transformer whose tables have other sizes.
func (n Numbering) goesWith(c causal.Config) error {
	types, gaps, values := n.Rows()
	var errs []error
	for _, t := range []struct {
		name      string
		has, want int
	}{{"types", c.Types, types}, {"gaps", c.Gaps, gaps}, {"values", c.Values, values}} {
		if t.has != 0 && t.has != t.want {
			errs = append(errs, fmt.Errorf("%w: it has %d %s, the numbering %d", ErrModel, t.has, t.name, t.want))
		}
	}
	return errors.Join(errs...)
}

// Type is the row of an event's name. False: it has none.
func (n Numbering) Type(name string) (row int, ok bool) {
	row = -1
	for i, t := range n.Types {
		if t == name {
			return i, true
		}
		if t == "" {
			row = i
		}
	}
	return max(row, 0), row >= 0
}

// Gap is the row of a time since the event before; below 0: it is not known.
func (n Numbering) Gap(since time.Duration) int {
	if since < 0 {
		return 0
	}
	row := 1
	for _, bound := range n.Gaps {
		if since.Seconds() >= bound {
			row++
		}
	}
	return row
}

// Value is the row of an event's weight.
func (n Numbering) Value(weight float32) int {
	row := 0
	for _, bound := range n.Values {
		if weight >= bound {
			row++
		}
	}
	return row
}
