package simulate

import (
	"math"

	"github.com/viterin/vek/vek32"
)

// good is an item as the truth reads it.
type good struct {
	vector                    []float32 // [dims], unit length
	topic                     int32
	cents                     int64
	logPrice, quality, appeal float64
}

func (w *World) good(it *Item, vector []float32) good {
	w.vector(it, vector)
	return good{vector, int32(it.Topic), it.Cents, it.logPrice, it.quality, it.appeal}
}

// The log odds of a click on an item that is looked at, and of a purchase after the click. Affinity is the inner product of
// taste and item: about 0 between strangers, 0.6 and more within a topic that somebody cares for.
const (
	clickBase, clickByAffinity         = -4.2, 6.0
	purchaseBase, purchaseByAffinity   = -3.0, 3.0
	clickByPrice, purchaseByPrice      = 0.4, 0.8
	purchaseByQuality                  = 0.6
	boughtAgain                        = 0.02 // what is left of the interest in a product that somebody has
	botClicks                          = 0.9
	opinionByAffinity, opinionByQualty = 2.5, 0.7
)

func (m *mood) affinity(g *good) float64 { return float64(vek32.Dot(m.taste, g.vector)) }

// clickOdds and purchaseOdds are in log odds. They take nothing from what happened before.
func (m *mood) clickOdds(g *good, affinity float64) float64 {
	return clickBase + clickByAffinity*affinity + g.appeal + m.demand[g.topic] - clickByPrice*m.thrift*g.logPrice
}

func (m *mood) purchaseOdds(g *good, affinity float64) float64 {
	return purchaseBase + purchaseByAffinity*affinity + purchaseByQuality*g.quality - purchaseByPrice*m.thrift*g.logPrice
}

// liking is how much somebody likes what they bought: about -2 to 3.
func (m *mood) liking(g *good) float64 {
	return opinionByAffinity*(m.affinity(g)-0.35) + opinionByQualty*g.quality
}

// chances are the true probabilities of a click on an item that is looked at, and of a purchase after a click. has says that
// the user has bought the product before.
func (m *mood) chances(g *good, has bool) (click, purchase float64) {
	if m.isABot {
		return botClicks, 0
	}
	affinity := m.affinity(g)
	click, purchase = sigmoid(m.clickOdds(g, affinity)), sigmoid(m.purchaseOdds(g, affinity))
	if has {
		click *= boughtAgain
	}
	return click, purchase
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// reward is what a click is worth for the goal.
func (g Goal) reward(purchase float64) float64 {
	if g == GoalClicks {
		return 1
	}
	return purchase
}
