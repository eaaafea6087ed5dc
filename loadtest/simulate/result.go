package simulate

// Result is the outcome of a comparison. Encoded, it is one JSON object.
type Result struct {
	Config  Config  `json:"world"`
	Seeds   int     `json:"seeds"`
	Window  int     `json:"window"`
	Seconds float64 `json:"seconds"`
	// Against is the policy that differences are to.
	Against string `json:"differences_to"`
	// Over says what intervals are over: users or seeds.
	Over     string         `json:"intervals_over"`
	DaysDone int            `json:"days_done"`
	Policies []PolicyResult `json:"policies"`
	Server   *ServerResult  `json:"server,omitempty"`
	Failure  *Failure       `json:"failure,omitempty"`
}

// PolicyResult is how one policy fared, over all days that ended.
type PolicyResult struct {
	Name string `json:"policy"`
	// Figures and their differences to Result.Against, by name.
	Figures     map[string]Estimate `json:"figures"`
	Differences map[string]Estimate `json:"differences,omitempty"`
	Gini        Estimate            `json:"exposure_gini"`
	Coverage    Estimate            `json:"coverage"` // items shown at least once, by those on the shelves
	// Deciles are the shares of exposures by how wanted items were when their day began, the most wanted tenth first.
	Deciles [10]float64 `json:"exposure_by_popularity_decile"`
	Visits  float64     `json:"visits"`
	Days    []Day       `json:"days"`
}

// Day is a day under one policy, a mean over seeds.
type Day struct {
	Day               int     `json:"day"`
	Visits            float64 `json:"visits"`
	ClicksPerVisit    float64 `json:"clicks_per_visit"`
	PurchasesPerVisit float64 `json:"purchases_per_visit"`
	ValuePerVisit     float64 `json:"value_per_visit"`
	RegretPerVisit    float64 `json:"regret_per_visit"`
	Retention         float64 `json:"retention"` // at its end
	Gini              float64 `json:"exposure_gini"`
	TopDecile         float64 `json:"top_decile_share"` // of exposures
	NewShare          float64 `json:"new_item_share"`   // of exposures
	NewOnShelf        float64 `json:"new_items_by_shelf"`
}

// ServerResult is how the server answered.
type ServerResult struct {
	Replies    int            `json:"replies"`
	Lagging    int            `json:"lagging"` // that did not reflect the last write
	Tiers      map[string]int `json:"tiers"`
	TrainEvery int            `json:"train_every_days"`
	Training   []Training     `json:"training,omitempty"`
}

// fill computes the figures of what was done.
func (r *Result) fill(o Options, worlds []*worldRun) {
	r.Against, r.Over = string(o.Policies[0]), "users"
	reference := 0
	for i, p := range o.Policies {
		if p == PolicyKindred {
			reference, r.Against = i, string(p)
		}
	}
	if len(worlds) == 0 {
		return
	}
	if len(worlds) >= seedsForInterval {
		r.Over = "seeds"
	}
	r.DaysDone = worlds[0].daysDone
	for i, name := range o.Policies {
		copies := each(worlds, func(w *worldRun) *shopCopy { return w.copies[i] })
		against := each(worlds, func(w *worldRun) *shopCopy { return w.copies[reference] })
		r.Policies = append(r.Policies, policyResult(string(name), copies, against, i == reference))
	}
	r.fillServer(o, worlds)
}

func (r *Result) fillServer(o Options, worlds []*worldRun) {
	for _, w := range worlds {
		if w.kindred == nil {
			continue
		}
		if r.Server == nil {
			r.Server = &ServerResult{Tiers: map[string]int{}, TrainEvery: o.Server.TrainEvery}
		}
		r.Server.Replies += w.kindred.replies
		r.Server.Lagging += w.kindred.lagging
		r.Server.Training = append(r.Server.Training, w.kindred.training...)
		for tier, n := range w.kindred.tiers {
			r.Server.Tiers[tier] += n
		}
	}
}

func policyResult(name string, copies, against []*shopCopy, isReference bool) PolicyResult {
	p := PolicyResult{Name: name, Figures: map[string]Estimate{}}
	totals := func(c *shopCopy) []sums { return c.total }
	users, others := each(copies, totals), each(against, totals)
	if !isReference {
		p.Differences = map[string]Estimate{}
	}
	for _, f := range figures {
		p.Figures[f.name] = f.ratio.estimate(users)
		if !isReference {
			p.Differences[f.name] = f.ratio.difference(users, others)
		}
	}
	exposure := func(c *shopCopy) []int64 { return c.exposed[:c.days[len(c.days)-1].onShelf] }
	p.Gini = overSeeds(each(copies, func(c *shopCopy) float64 { return gini(exposure(c)) }))
	p.Coverage = overSeeds(each(copies, func(c *shopCopy) float64 { return covered(exposure(c)) }))
	for _, c := range copies {
		p.addDeciles(c.deciles, len(copies))
	}
	for k := range copies[0].days {
		p.Days = append(p.Days, dayOf(each(copies, func(c *shopCopy) dayFigures { return c.days[k] }), copies[0].Items))
		p.Visits += p.Days[k].Visits
	}
	return p
}

func covered(exposed []int64) float64 {
	n := 0
	for _, k := range exposed {
		if k > 0 {
			n++
		}
	}
	return float64(n) / float64(len(exposed))
}

func (p *PolicyResult) addDeciles(exposures [10]int64, worlds int) {
	all := int64(0)
	for _, n := range exposures {
		all += n
	}
	for i, n := range exposures {
		if all > 0 {
			p.Deciles[i] += float64(n) / float64(all) / float64(worlds)
		}
	}
}

// dayOf is the mean of a day over worlds.
func dayOf(all []dayFigures, items int) Day {
	d := Day{Day: all[0].day}
	mean := func(to *float64, f func(*dayFigures) (a, b float64)) {
		for i := range all {
			if a, b := f(&all[i]); b > 0 {
				*to += a / b / float64(len(all))
			}
		}
	}
	by := func(over, under int) func(*dayFigures) (float64, float64) {
		return func(f *dayFigures) (float64, float64) { return f.sums[over], f.sums[under] }
	}
	mean(&d.Visits, func(f *dayFigures) (float64, float64) { return f.sums[sumVisits], 1 })
	mean(&d.ClicksPerVisit, by(sumClicks, sumVisits))
	mean(&d.PurchasesPerVisit, by(sumPurchases, sumVisits))
	mean(&d.ValuePerVisit, by(sumWorth, sumVisits))
	mean(&d.RegretPerVisit, func(f *dayFigures) (float64, float64) { return regret(&f.sums), f.sums[sumVisits] })
	mean(&d.Retention, by(sumHere, sumUser))
	mean(&d.Gini, func(f *dayFigures) (float64, float64) { return f.gini, 1 })
	mean(&d.TopDecile, func(f *dayFigures) (float64, float64) { return float64(f.deciles[0]), f.sums[sumShown] })
	mean(&d.NewShare, by(sumNew, sumShown))
	mean(&d.NewOnShelf, func(f *dayFigures) (float64, float64) { return float64(f.onShelf - items), float64(f.onShelf) })
	return d
}
