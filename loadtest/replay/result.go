package replay

import (
	"time"
)

// Result is the outcome of a replay. Encoded, it is one JSON object.
type Result struct {
	Events  int `json:"events"`
	WarmUp  int `json:"warm_up_events"`
	Users   int `json:"users"`
	Items   int `json:"items"` // of the log
	Catalog int `json:"catalog_items"`

	// Figures over all asks.
	Figures
	// Coverage is the share of the catalog that stood in some first ten; 0 where the catalog's size is not known.
	Coverage float64 `json:"coverage"`
	Shown    int     `json:"items_shown"`
	// Tenths are equal parts of the log after the warm-up, in time order.
	Tenths []Tenth `json:"tenths"`

	EventsPerS float64 `json:"events_per_s"` // asked where due, and written
	Seconds    float64 `json:"seconds"`
	// Rejected counts rows that the server did not take; Reasons has some.
	Rejected int64    `json:"rejected"`
	Reasons  []string `json:"reject_reasons,omitempty"`

	Limit    int     `json:"limit"`
	Seen     string  `json:"seen_policy"`
	WarmPart float64 `json:"warm_up"`
	Window   int     `json:"window"`
	Parallel int     `json:"parallel"`
	Seed     uint64  `json:"seed"`
}

// Tenth is one part of the log.
type Tenth struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"` // of its last event
	Figures
}

func (r *replay) result(took time.Duration) *Result {
	users, items := map[person]struct{}{}, map[string]struct{}{}
	for p := range r.had {
		users[p.person] = struct{}{}
		if p.item != "" {
			items[p.item] = struct{}{}
		}
	}
	res := &Result{
		Events: len(r.log), WarmUp: r.warmUp, Users: len(users), Items: len(items), Catalog: int(r.catalogSize),
		Figures: r.all.figures(), Shown: len(r.shown), Seconds: took.Seconds(), EventsPerS: float64(len(r.log)) / took.Seconds(),
		Rejected: r.rejected, Reasons: r.reasons, Limit: r.Limit, Seen: SeenName(r.Seen), WarmPart: r.Options.WarmUp, Window: r.Window,
		Parallel: r.Parallel, Seed: r.Seed,
	}
	if r.catalogSize > 0 {
		res.Coverage = float64(len(r.shown)) / float64(r.catalogSize)
	}
	for i, s := range r.tenths {
		from, to := r.tenth(i), r.tenth(i+1)
		if from < to {
			res.Tenths = append(res.Tenths, Tenth{From: r.log[from].Time, To: r.log[to-1].Time, Figures: s.figures()})
		}
	}
	return res
}

// tenth is the place where a tenth begins: the first whose tenth, as count has it, is i.
func (r *replay) tenth(i int) int {
	n := len(r.log) - r.warmUp
	return r.warmUp + (i*n+segments-1)/segments
}
