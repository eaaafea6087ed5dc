package simulate

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// Ask is one visit that wants a list.
type Ask struct {
	Visit  Visit
	Bought []int32 // numbers of the items that the user bought, in order
	mood   *mood   // the truth: for the oracle alone
	has    []int32 // products that the user bought
}

// Policy decides what is shown in one copy of the world. It is called by one goroutine.
type Policy interface {
	// Name is short and unlike those of others.
	Name() string
	// Arrive brings items to the shelves: those with numbers from and up to, but not, until.
	Arrive(ctx context.Context, from, until int) error
	// Show answers visits of different users, each with at most World.Limit items that are on the shelves.
	Show(ctx context.Context, asks []Ask) ([]Shown, error)
	// Learn is told what happened, in order, before the next Show.
	Learn(ctx context.Context, acts []Act) error
	// EndDay comes after the last visit of a day; -1 is the last day of the history.
	EndDay(ctx context.Context, day int) error
}

// PolicyName names a policy that this package brings.
type PolicyName string

// The policies.
const (
	PolicyKindred    PolicyName = "kindred"    // the server
	PolicyPopularity PolicyName = "popularity" // most wanted lately
	PolicyRandom     PolicyName = "random"
	PolicyNeighbours PolicyName = "neighbours" // co-visitation
	PolicyOracle     PolicyName = "oracle"     // the truth
)

// PolicyNames lists them in the order of reports.
func PolicyNames() []PolicyName {
	return []PolicyName{PolicyKindred, PolicyNeighbours, PolicyPopularity, PolicyRandom, PolicyOracle}
}

// quiet has the parts of a policy that most leave empty.
type quiet struct{}

func (quiet) Arrive(context.Context, int, int) error { return nil }
func (quiet) Learn(context.Context, []Act) error     { return nil }
func (quiet) EndDay(context.Context, int) error      { return nil }

// random shows any items that the user has not bought.
type random struct {
	quiet
	w *World
}

func (random) Name() string { return string(PolicyRandom) }

func (r random) Show(_ context.Context, asks []Ask) ([]Shown, error) {
	all := make([]Shown, len(asks))
	for i, a := range asks {
		d := keyed(r.w.Seed, forList, a.Visit.key(), 0)
		list := make([]int, 0, r.w.Limit)
		for tries := 0; len(list) < r.w.Limit && tries < 20*maxLimit; tries++ {
			if n := d.below(r.w.OnShelf(a.Visit.Day)); !slices.Contains(list, n) && !slices.Contains(a.Bought, int32(n)) {
				list = append(list, n)
			}
		}
		all[i].Items = list
	}
	return all, nil
}

// knowing shows the best list of the truth.
type knowing struct {
	quiet
	o *oracle
}

func (knowing) Name() string { return string(PolicyOracle) }

func (k knowing) Show(_ context.Context, asks []Ask) ([]Shown, error) {
	all := make([]Shown, len(asks))
	for i, a := range asks {
		all[i].Items = slices.Clone(k.o.show(a.mood, a.has, a.Visit.Day))
	}
	return all, nil
}

// weight is what an act says about wanting an item, as the server has it by default.
func weight(a *Act) float64 {
	switch a.Type {
	case "view", "click", "comment":
		return 1
	case "add_to_cart":
		return 3
	case "purchase":
		return 4
	case "rating":
		return (a.Value - 2.5) * 1.2
	}
	return 0
}

// scored is an item and how much speaks for it.
type scored struct {
	item  int
	score float64
}

func byScore(a, b scored) int {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.item, b.item))
}

// popular counts acts, with a half-life of a week.
type popular struct {
	w      *World
	counts []float64
	ranked []scored // of those with a count, best first; nil: to be made
}

const popularityKept = 7.0 // days after which a count is half

func (*popular) Name() string { return string(PolicyPopularity) }

func (p *popular) Arrive(_ context.Context, _, until int) error {
	p.counts = append(p.counts, make([]float64, until-len(p.counts))...)
	p.ranked = nil
	return nil
}

func (p *popular) Learn(_ context.Context, acts []Act) error {
	for i := range acts {
		p.counts[acts[i].ItemNumber] += weight(&acts[i])
	}
	p.ranked = nil
	return nil
}

func (p *popular) EndDay(context.Context, int) error {
	for i := range p.counts {
		p.counts[i] *= math.Exp2(-1 / popularityKept)
	}
	return nil
}

// ranking is lent until the next Learn.
func (p *popular) ranking() []scored {
	if p.ranked == nil {
		for i, c := range p.counts {
			if c > 0 {
				p.ranked = append(p.ranked, scored{i, c})
			}
		}
		slices.SortFunc(p.ranked, byScore)
	}
	return p.ranked
}

func (p *popular) Show(_ context.Context, asks []Ask) ([]Shown, error) {
	all := make([]Shown, len(asks))
	for i, a := range asks {
		all[i].Items = p.fill(nil, a)
	}
	return all, nil
}

// fill brings a list to its length with what is popular, and with any items where too little is.
func (p *popular) fill(list []int, a Ask) []int {
	for _, s := range p.ranking() {
		if len(list) == p.w.Limit {
			return list
		}
		if !slices.Contains(list, s.item) && !slices.Contains(a.Bought, int32(s.item)) {
			list = append(list, s.item)
		}
	}
	for n := 0; n < p.w.OnShelf(a.Visit.Day) && len(list) < p.w.Limit; n++ {
		if !slices.Contains(list, n) && !slices.Contains(a.Bought, int32(n)) {
			list = append(list, n)
		}
	}
	return list
}
