package conversion

// Rates tell the rates of items against those of the shop, at one moment. Make one with
// [Counter.Rates] for a loop over items.
type Rates struct {
	click, buy     float64 // the shop's: clicks an impression, purchases an opening; 0: not known
	factor         float64 // of raw counts
	prior          float64
	clicks, bought float64 // that the prior brings
}

// Rates are those as of now (unix microseconds).
func (c *Counter) Rates(now int64) Rates {
	total := c.total.read()
	r := Rates{factor: c.Factor(now), prior: c.options.Prior}
	if total[Shown] > 0 {
		r.click = total[Clicked] / total[Shown]
	}
	if total[Opened] > 0 {
		r.buy = total[Bought] / total[Opened]
	}
	r.clicks, r.bought = r.prior*r.click, r.prior*r.buy
	return r
}

// Click is an item's rate of clicks an impression over the shop's, of raw counts
// ([Counter.Raw]), drawn to 1 by the prior: above 0 and finite. 1 where the shop counted no
// clicks or no impressions, or the item had neither.
func (r *Rates) Click(raw Counts) float64 {
	return r.ratio(raw[Clicked], raw[Shown], r.click, r.clicks)
}

// Buy is the same of purchases an opening.
func (r *Rates) Buy(raw Counts) float64 { return r.ratio(raw[Bought], raw[Opened], r.buy, r.bought) }

func (r *Rates) ratio(hits, tries, mean, prior float64) float64 {
	if mean == 0 || hits == 0 && tries == 0 {
		return 1
	}
	return (hits*r.factor + prior) / ((tries*r.factor + r.prior) * mean)
}
