package selfcheck

import (
	"math/rand/v2"

	"github.com/kindred-rec/kindred/loadtest/ope"
)

// World is where logs come from.
type World struct {
	Name, What string
	// Decisions of a log.
	Decisions int
	Lists     ope.Lists
	// Truth is the value of the target.
	Truth float64
	// Draw draws a log and gives the target to judge by it.
	Draw func(rng *rand.Rand, decisions int) (*ope.Log, ope.Chooser)
}

// Worlds lists what is checked.
func Worlds() []World {
	near := newTable(4, 8, 0.25, 1)
	rare := newTable(4, 8, 0.02, 2)
	far := newTable(3, 10, 0.2, 3)
	greedy := newTable(4, 5, 0.3, 4)
	return []World{
		near.world("near", "target and log both prefer good actions, the target more so", 1000, near.softmax(1), near.softmax(3), 1, 0),
		rare.world("rare", "2% of the decisions are rewarded; uniform log", 4000, rare.softmax(0), rare.softmax(60), 1, 0),
		far.world("far", "the log prefers good actions, the target is uniform", 2000, far.softmax(10), far.softmax(0), 1, 0),
		greedy.world("greedy", "the target takes the best action, always", 1000, greedy.softmax(2), greedy.softmax(1e6), 1, 0),
		near.world("users", "ten decisions a user, whose rewards go up and down together", 2000, near.softmax(1), near.softmax(4), 10, 0.12),
		newLists(3, 6, 3, 5).world("lists", "three slots drawn one after the other; an item like the one above it is clicked less", 1500, 1, 0.5),
		newSlots(3, 6, 3, 6).world("slots", "three slots from three shelves, independent of each other", 1000, 1, 3),
	}
}

// draw gives an index with the given probabilities, which sum to 1.
func draw(rng *rand.Rand, p []float64) int {
	u := rng.Float64()
	for i, v := range p {
		if u -= v; u < 0 {
			return i
		}
	}
	for i := len(p) - 1; ; i-- { // rounding left a crumb of u
		if p[i] > 0 {
			return i
		}
	}
}

func bernoulli(rng *rand.Rand, p float64) float64 {
	if rng.Float64() < p {
		return 1
	}
	return 0
}

// tableTarget chooses by a row of a table: of the context of a row of the log, and its slot.
type tableTarget struct {
	action []int32   // [rows] logged
	policy []*policy // [rows] what the target does there
}

// policy is a distribution over actions.
type policy struct {
	p []float64 // [actions]
}

func (t *tableTarget) Probability(row int) float64 { return t.policy[row].p[t.action[row]] }

func (t *tableTarget) Choices(row int, dst []ope.Choice) []ope.Choice {
	for a, p := range t.policy[row].p {
		if p > 0 {
			dst = append(dst, ope.Choice{Action: int32(a), Probability: p})
		}
	}
	return dst
}

func (t *tableTarget) add(action int, p *policy) {
	t.action, t.policy = append(t.action, int32(action)), append(t.policy, p)
}
