package simulate

import "math"

// maxLimit bounds the length of a list: the oracle keeps a choice for each length in one word.
const maxLimit = 50

// Clicks is how a list is read: which slots are looked at. A slot that is looked at is clicked with the probability of its
// item. The zero value is no model; use PositionBased or Cascade.
type Clicks struct {
	Model ClickModel `json:"model"`
	// Eta: of position, slot k from 1 is looked at with probability k^-Eta, whatever was clicked. 0 to 5.
	Eta float64 `json:"eta,omitempty"`
	// After and Without: of cascade, having looked at a slot, the next one is looked at with probability After where the slot
	// was clicked, and Without where it was not. 0 to 1. The first slot is always looked at.
	After   float64 `json:"after,omitempty"`
	Without float64 `json:"without,omitempty"`
}

// ClickModel names a model.
type ClickModel string

// The models of N. Craswell, O. Zoeter, M. Taylor, B. Ramsey, "An experimental comparison of click position-bias models" (2008); the
// cascade goes on after a click as in F. Guo, C. Liu, Y. M. Wang, "Efficient multiple-click models in web search" (2009), with the same
// probability in all slots.
const (
	ModelPosition ClickModel = "position"
	ModelCascade  ClickModel = "cascade"
)

// PositionBased is the model in which slots are looked at independently.
func PositionBased(eta float64) Clicks { return Clicks{Model: ModelPosition, Eta: eta} }

// Cascade is the model in which a list is read from the top.
func Cascade(after, without float64) Clicks {
	return Clicks{Model: ModelCascade, After: after, Without: without}
}

func (c Clicks) validate() error {
	switch {
	case c.Model == ModelPosition && c.Eta >= 0 && c.Eta <= 5:
		return nil
	case c.Model == ModelPosition:
		return bad("eta %v: must be 0 to 5", c.Eta)
	case c.Model != ModelCascade:
		return bad("click model %q: must be %s or %s", c.Model, ModelPosition, ModelCascade)
	case !(c.After >= 0 && c.After <= 1 && c.Without >= 0 && c.Without <= 1):
		return bad("going on after a click %v, and without one %v: must be 0 to 1", c.After, c.Without)
	case c.After > c.Without:
		// The order of the best list rests on it.
		return bad("going on after a click %v: must not be above %v, that of going on without one", c.After, c.Without)
	}
	return nil
}

// goesOn is the probability that the slot after one that was looked at is looked at too, given the click probability of its
// item: of cascade.
func (c Clicks) goesOn(click float64) float64 { return c.Without - (c.Without-c.After)*click }

// looked writes the probability that each slot is looked at, given those of a click there, into p; both [slots].
func (c Clicks) looked(click, p []float64) {
	if c.Model == ModelPosition {
		for k := range click {
			p[k] = math.Pow(float64(k+1), -c.Eta)
		}
		return
	}
	here := 1.0
	for k := range click {
		p[k] = here
		here *= c.goesOn(click[k])
	}
}

// value is the expected reward of a list: click has the probabilities of a click on what is looked at, reward what a click
// is worth; both [slots].
func (c Clicks) value(click, reward []float64) float64 {
	var looked [maxLimit]float64
	c.looked(click, looked[:len(click)])
	sum := 0.0
	for k := range click {
		sum += looked[k] * click[k] * reward[k]
	}
	return sum
}

// read lets somebody read a list of n items. sees draws, for a slot from 0, a number of [0, 1) that decides about looking;
// clicks says whether a slot that is looked at is clicked. It appends the slots clicked.
func (c Clicks) read(n int, sees func(slot int) float64, clicks func(slot int) bool, to []int) []int {
	goesOn := 1.0
	for k := range n {
		looks := goesOn
		if c.Model == ModelPosition {
			looks = math.Pow(float64(k+1), -c.Eta)
		}
		if sees(k) >= looks {
			if c.Model == ModelCascade {
				break
			}
			continue
		}
		goesOn = c.Without
		if clicks(k) {
			to = append(to, k)
			goesOn = c.After
		}
	}
	return to
}
