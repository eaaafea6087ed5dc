package simulate

import (
	"context"
	"math"
	"slices"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// neighbours recommends what others had together with what somebody had lately: item-to-item co-visitation with cosine
// weights (M. Deshpande, G. Karypis, "Item-based top-N recommendation algorithms", 2004), the baseline that a new system has to
// beat. Where too little is known it goes on with what is popular.
type neighbours struct {
	popular
	beside [][]scored // of each item, what was had together with it, how often; at most mostBeside
	had    []float64  // of each item, in how many histories it stands, counted at each act
	recent [][]int    // of each user, the last items, latest last, no item twice; at most mostRecent
	scores map[int]float64
}

const (
	mostBeside = 256
	mostRecent = 10
	fading     = 0.8 // of the weight of an item with each later one
)

func newNeighbours(w *World) *neighbours {
	return &neighbours{popular: popular{w: w}, recent: make([][]int, w.Users+w.Bots), scores: map[int]float64{}}
}

// Name implements Policy.
func (*neighbours) Name() string { return string(PolicyNeighbours) }

// Arrive implements Policy.
func (p *neighbours) Arrive(ctx context.Context, from, until int) error {
	p.beside = append(p.beside, make([][]scored, until-len(p.beside))...)
	p.had = append(p.had, make([]float64, until-len(p.had))...)
	return p.popular.Arrive(ctx, from, until)
}

// Learn implements Policy.
func (p *neighbours) Learn(ctx context.Context, acts []Act) error {
	for i := range acts {
		switch acts[i].Type {
		case dataset.TypeClick, dataset.TypeView, dataset.TypePurchase:
			p.meet(acts[i].UserNumber, acts[i].ItemNumber)
		}
	}
	return p.popular.Learn(ctx, acts)
}

func (p *neighbours) meet(user, item int) {
	p.had[item]++
	last := p.recent[user]
	if k := slices.Index(last, item); k >= 0 {
		last = slices.Delete(last, k, k+1)
	} else {
		for _, other := range last {
			p.join(item, other)
			p.join(other, item)
		}
	}
	if len(last) == mostRecent {
		last = slices.Delete(last, 0, 1)
	}
	p.recent[user] = append(last, item)
}

// join counts another item beside one. Where there is no room the rarest gives up its place and its count, so that what comes
// often gets in (the space-saving rule of A. Metwally, D. Agrawal, A. El Abbadi, 2005).
func (p *neighbours) join(item, other int) {
	list := p.beside[item]
	least := 0
	for i := range list {
		if list[i].item == other {
			list[i].score++
			return
		}
		if list[i].score < list[least].score {
			least = i
		}
	}
	if len(list) < mostBeside {
		p.beside[item] = append(list, scored{other, 1})
		return
	}
	list[least] = scored{other, list[least].score + 1}
}

// Show implements Policy.
func (p *neighbours) Show(_ context.Context, asks []Ask) ([]Shown, error) {
	all := make([]Shown, len(asks))
	for i, a := range asks {
		all[i].Items = p.fill(p.near(a), a)
	}
	return all, nil
}

func (p *neighbours) near(a Ask) []int {
	clear(p.scores)
	strength := 1.0
	for _, item := range slices.Backward(p.recent[a.Visit.User]) {
		for _, s := range p.beside[item] {
			p.scores[s.item] += strength * s.score / math.Sqrt(p.had[item]*p.had[s.item])
		}
		strength *= fading
	}
	ranked := make([]scored, 0, len(p.scores))
	for item, score := range p.scores {
		if !slices.Contains(a.Bought, int32(item)) {
			ranked = append(ranked, scored{item, score})
		}
	}
	slices.SortFunc(ranked, byScore)
	list := make([]int, 0, p.w.Limit)
	for _, s := range ranked[:min(len(ranked), p.w.Limit)] {
		list = append(list, s.item)
	}
	return list
}
