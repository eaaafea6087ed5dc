package selfcheck

import (
	"math"
	"math/rand/v2"

	"github.com/kindred-rec/kindred/loadtest/ope"
)

// table is a world of single choices: reward probabilities by context and action.
type table struct {
	reward [][]float64 // [contexts][actions]
}

// newTable draws reward probabilities between half and one and a half times the mean.
func newTable(contexts, actions int, mean float64, seed uint64) table {
	rng := rand.New(rand.NewPCG(seed, 1))
	t := table{reward: make([][]float64, contexts)}
	for x := range t.reward {
		t.reward[x] = make([]float64, actions)
		for a := range t.reward[x] {
			t.reward[x][a] = mean * (0.5 + rng.Float64())
		}
	}
	return t
}

// softmax prefers actions by the sharpness times their reward probability. 0: uniform.
func (t table) softmax(sharpness float64) []*policy {
	policies := make([]*policy, len(t.reward))
	for x, reward := range t.reward {
		policies[x] = softmax(reward, sharpness)
	}
	return policies
}

func softmax(score []float64, sharpness float64) *policy {
	best := math.Inf(-1)
	for _, s := range score {
		best = max(best, s)
	}
	p, sum := make([]float64, len(score)), 0.0
	for a, s := range score {
		p[a] = math.Exp(sharpness * (s - best))
		sum += p[a]
	}
	for a := range p {
		p[a] /= sum
	}
	return &policy{p}
}

// value of a policy, contexts being equally frequent.
func (t table) value(policies []*policy) float64 {
	sum := 0.0
	for x, reward := range t.reward {
		for a, r := range reward {
			sum += policies[x].p[a] * r
		}
	}
	return sum / float64(len(t.reward))
}

// world draws decisions in runs of perUser that share an amount, swing up or down, by which their rewards are likelier.
func (t table) world(name, what string, decisions int, log, target []*policy, perUser int, swing float64) World {
	return World{Name: name, What: what, Decisions: decisions, Lists: ope.Cascade, Truth: t.value(target),
		Draw: func(rng *rand.Rand, decisions int) (*ope.Log, ope.Chooser) {
			l := &ope.Log{Actions: len(t.reward[0]), Slots: 1, MaxReward: 1}
			if perUser > 1 {
				l.Cluster = make([]int32, decisions)
			}
			chooser := &tableTarget{}
			mood := 0.0
			for d := range decisions {
				if d%perUser == 0 {
					mood = swing * (2*bernoulli(rng, 0.5) - 1)
				}
				if perUser > 1 {
					l.Cluster[d] = int32(d / perUser)
				}
				x := rng.IntN(len(t.reward))
				a := draw(rng, log[x].p)
				l.Rows = append(l.Rows, ope.Row{Decision: int32(d), Action: int32(a), Propensity: log[x].p[a], Reward: bernoulli(rng, t.reward[x][a]+mood)})
				chooser.add(a, target[x])
			}
			return l, chooser
		}}
}
