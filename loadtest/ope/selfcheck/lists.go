package selfcheck

import (
	"math"
	"math/rand/v2"

	"github.com/kindred-rec/kindred/loadtest/ope"
)

// lists is a world of lists drawn by Plackett and Luce's model. An item below one of its own kind (of two) is clicked half as
// often: slots depend on those before them.
type lists struct {
	score [][]float64 // [contexts][items]; the click probability is a function of it
	slots int
}

func newLists(contexts, items, slots int, seed uint64) lists {
	rng := rand.New(rand.NewPCG(seed, 1))
	l := lists{score: make([][]float64, contexts), slots: slots}
	for x := range l.score {
		l.score[x] = make([]float64, items)
		for a := range l.score[x] {
			l.score[x][a] = rng.NormFloat64()
		}
	}
	return l
}

// click is the probability in context x of item a in a slot, below the item above (-1: none).
func (l lists) click(x, a, above, slot int) float64 {
	p := 0.5 / (1 + math.Exp(-l.score[x][a])) / float64(slot+1)
	if above >= 0 && above%2 == a%2 {
		p /= 2
	}
	return p
}

// next is the distribution of the next item, after those taken.
func (l lists) next(x int, taken uint, temperature float64) *policy {
	p, sum := make([]float64, len(l.score[x])), 0.0
	for a, s := range l.score[x] {
		if taken>>a&1 == 0 {
			p[a] = math.Exp(s / temperature)
			sum += p[a]
		}
	}
	for a := range p {
		p[a] /= sum
	}
	return &policy{p}
}

// value sums over all lists.
func (l lists) value(temperature float64) float64 {
	var below func(x int, taken uint, above, slot int) float64
	below = func(x int, taken uint, above, slot int) float64 {
		if slot == l.slots {
			return 0
		}
		sum := 0.0
		for a, p := range l.next(x, taken, temperature).p {
			if p > 0 {
				sum += p * (l.click(x, a, above, slot) + below(x, taken|1<<a, a, slot+1))
			}
		}
		return sum
	}
	sum := 0.0
	for x := range l.score {
		sum += below(x, 0, -1, 0)
	}
	return sum / float64(len(l.score))
}

func (l lists) world(name, what string, decisions int, logTemperature, temperature float64) World {
	return World{Name: name, What: what, Decisions: decisions, Lists: ope.Cascade, Truth: l.value(temperature),
		Draw: func(rng *rand.Rand, decisions int) (*ope.Log, ope.Chooser) {
			log, chooser := &ope.Log{Actions: len(l.score[0]), Slots: l.slots, MaxReward: 1}, &tableTarget{}
			for d := range decisions {
				x, taken, above := rng.IntN(len(l.score)), uint(0), -1
				for slot := range l.slots {
					p := l.next(x, taken, logTemperature).p
					a := draw(rng, p)
					log.Rows = append(log.Rows, ope.Row{Decision: int32(d), Action: int32(a), Slot: int32(slot), Propensity: p[a],
						Reward: bernoulli(rng, l.click(x, a, above, slot))})
					chooser.add(a, l.next(x, taken, temperature))
					taken, above = taken|1<<a, a
				}
			}
			return log, chooser
		}}
}

// shelves is a world of lists whose slots have shelves of their own, so that they are independent: one table a slot.
type shelves []table

func newSlots(contexts, items, slots int, seed uint64) shelves {
	s := make(shelves, slots)
	for slot := range s {
		s[slot] = newTable(contexts, items, 0.2, seed+uint64(slot))
	}
	return s
}

func (s shelves) world(name, what string, decisions int, logSharpness, sharpness float64) World {
	w := World{Name: name, What: what, Decisions: decisions, Lists: ope.Independent}
	logs, targets := make([][]*policy, len(s)), make([][]*policy, len(s))
	for slot, t := range s {
		logs[slot], targets[slot] = t.softmax(logSharpness), t.softmax(sharpness)
		w.Truth += t.value(targets[slot])
	}
	w.Draw = func(rng *rand.Rand, decisions int) (*ope.Log, ope.Chooser) {
		log, chooser := &ope.Log{Actions: len(s[0].reward[0]), Slots: len(s), MaxReward: 1}, &tableTarget{}
		for d := range decisions {
			x := rng.IntN(len(s[0].reward))
			for slot, t := range s {
				p := logs[slot][x].p
				a := draw(rng, p)
				log.Rows = append(log.Rows, ope.Row{Decision: int32(d), Action: int32(a), Slot: int32(slot), Propensity: p[a], Reward: bernoulli(rng, t.reward[x][a])})
				chooser.add(a, targets[slot][x])
			}
		}
		return log, chooser
	}
	return w
}
