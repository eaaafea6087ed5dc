package simulate

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Estimate is a figure, with its 95% interval where one can be given.
type Estimate struct {
	Value    float64     `json:"value"`
	Interval *[2]float64 `json:"interval_95,omitempty"`
}

// ratio is a figure of users: a sum over another.
type ratio struct {
	over, under func(*sums) float64
}

func of(kind int) func(*sums) float64 { return func(s *sums) float64 { return s[kind] } }

// figure is a named figure of a policy.
type figure struct {
	name, title string
	ratio       ratio
	percent     bool
	lessIsBest  bool
}

func regret(s *sums) float64 { return s[sumBest] - s[sumWorth] }

// figures are those that have intervals over users, in the order of reports.
var figures = []figure{
	{"click_rate", "clicks by slot shown", ratio{of(sumClicks), of(sumShown)}, true, false},
	{"clicks_per_visit", "clicks by visit", ratio{of(sumClicks), of(sumVisits)}, false, false},
	{"purchases_per_visit", "purchases by visit", ratio{of(sumPurchases), of(sumVisits)}, false, false},
	{"purchases_per_user", "purchases by user", ratio{of(sumPurchases), of(sumUser)}, false, false},
	{"revenue_per_user", "revenue by user", ratio{func(s *sums) float64 { return s[sumCents] / 100 }, of(sumUser)}, false, false},
	{"value_per_visit", "expected value by visit", ratio{of(sumWorth), of(sumVisits)}, false, false},
	{"regret_per_visit", "regret by visit", ratio{regret, of(sumVisits)}, false, true},
	{"regret_share", "regret by what was possible", ratio{regret, of(sumBest)}, true, true},
	{"retention", "users still there", ratio{of(sumHere), of(sumUser)}, true, false},
	{"new_item_share", "new items by slot shown", ratio{of(sumNew), of(sumShown)}, true, false},
}

// value of a ratio over users; 0 where nothing is under it.
func (r ratio) value(users []sums) float64 {
	var a, b float64
	for i := range users {
		a, b = a+r.over(&users[i]), b+r.under(&users[i])
	}
	if b == 0 {
		return 0
	}
	return a / b
}

// influence writes how far each user moves the ratio: its linearization (the delta method with users as clusters).
func (r ratio) influence(users []sums) []float64 {
	value, under := r.value(users), 0.0
	for i := range users {
		under += r.under(&users[i])
	}
	z := make([]float64, len(users))
	if under == 0 {
		return z
	}
	mean := under / float64(len(users))
	for i := range users {
		z[i] = (r.over(&users[i]) - value*r.under(&users[i])) / mean
	}
	return z
}

// estimate is a ratio with an interval over users, or over seeds where there are enough of them. users is of each seed.
func (r ratio) estimate(users [][]sums) Estimate {
	if len(users) >= seedsForInterval {
		return overSeeds(each(users, r.value))
	}
	all := concat(users)
	return overUsers(r.value(all), r.influence(all))
}

// difference is that of two policies over the same users, who met the same chance: paired.
func (r ratio) difference(users, against [][]sums) Estimate {
	if len(users) >= seedsForInterval {
		a, b := each(users, r.value), each(against, r.value)
		for i := range a {
			a[i] -= b[i]
		}
		return overSeeds(a)
	}
	a, b := concat(users), concat(against)
	z, y := r.influence(a), r.influence(b)
	for i := range z {
		z[i] -= y[i]
	}
	return overUsers(r.value(a)-r.value(b), z)
}

// seedsForInterval: with so many seeds intervals are over seeds, each a world of its own, and so have in them that users of one
// world teach the same policy. With fewer they are over users.
const seedsForInterval = 3

func concat(users [][]sums) []sums {
	var all []sums
	for _, u := range users {
		all = append(all, u...)
	}
	return all
}

func each[T, U any](all []T, f func(T) U) []U {
	out := make([]U, len(all))
	for i, x := range all {
		out[i] = f(x)
	}
	return out
}

func overUsers(value float64, influence []float64) Estimate {
	n := float64(len(influence))
	sum := 0.0
	for _, z := range influence {
		sum += z * z
	}
	half := 1.959964 * math.Sqrt(sum/n/max(1, n-1))
	return Estimate{value, &[2]float64{value - half, value + half}}
}

func overSeeds(values []float64) Estimate {
	n := float64(len(values))
	mean, square := 0.0, 0.0
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		square += (v - mean) * (v - mean)
	}
	if n < seedsForInterval {
		return Estimate{Value: mean}
	}
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975) * math.Sqrt(square/(n-1)/n)
	return Estimate{mean, &[2]float64{mean - half, mean + half}}
}
