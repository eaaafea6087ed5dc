package learned

import (
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/embed/behaviour/causal"
	"github.com/kindred-rec/kindred/embed/behaviour/transition"
	"github.com/kindred-rec/kindred/embed/internal/kernel"
)

// workspace is the memory of one call.
type workspace struct {
	scratch []*causal.Scratch
	states  []*causal.State
	texts   []float32          // [textDim]
	all     []causal.Event     // the events, numbered; Type is -1 where the name has no row
	attract []bool             // of each of them
	some    []causal.Event     // those that a tower reads
	steps   []transition.Event // those that a head reads
}

// take returns memory for a call. As much is kept as calls can run at once.
func (e *Encoder) take() *workspace {
	select {
	case w := <-e.idle:
		return w
	default:
	}
	w := &workspace{texts: make([]float32, e.textDim)}
	for _, t := range e.towers {
		w.scratch, w.states = append(w.scratch, t.NewScratch()), append(w.states, t.NewState())
	}
	return w
}

func (e *Encoder) put(w *workspace) {
	clear(w.all[:cap(w.all)]) // they point at the caller's vectors
	clear(w.some[:cap(w.some)])
	clear(w.steps[:cap(w.steps)])
	select {
	case e.idle <- w:
	default:
	}
}

// choose returns the last events that a tower reads.
func (w *workspace) choose(c causal.Config) []causal.Event {
	w.some = w.some[:0]
	for i, v := range w.all {
		known := v.Item >= 0 && c.Items > 0 || len(v.Text) > 0 && c.TextDim > 0
		if known && (w.attract[i] || c.Types > 0) && (v.Type >= 0 || c.Types == 0) {
			w.some = append(w.some, v)
		}
	}
	return w.some[max(0, len(w.some)-c.Window):]
}

// step sets steps to the events that a head reads.
func (w *workspace) step(h *Head) {
	w.steps = w.steps[:0]
	for i, v := range w.all {
		if known := v.Item >= 0 && h.Input != nil || len(v.Text) > 0 && h.InputText != nil; known && w.attract[i] {
			w.steps = append(w.steps, transition.Event{Item: v.Item, Text: v.Text})
		}
	}
}

// length of a vector.
func length(v []float32) float64 {
	var squares float64
	for _, x := range v {
		squares += float64(x) * float64(x)
	}
	return math.Sqrt(squares)
}

// toUnit scales a vector to unit length; false: it is zeros, and stays so.
func toUnit(v []float32) (ok bool, err error) {
	n := length(v)
	if math.IsInf(n, 0) || math.IsNaN(n) {
		clear(v)
		return false, fmt.Errorf("%w: the user's vector is not finite", ErrEvent)
	}
	if n < shortest {
		clear(v)
		return false, nil
	}
	kernel.Scale(v, float32(1/n))
	return true, nil
}

// shortest is the length below which a vector has no direction to speak of.
const shortest = 1e-18
