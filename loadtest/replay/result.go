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
	// OutOfOrder counts events that came after a later one in the file; Disorder is the furthest behind, in seconds.
	OutOfOrder int     `json:"out_of_order"`
	Disorder   float64 `json:"disorder_s"`

	// Figures over all asks.
	Figures
	Reach
	// Exposure says which share of the slots went to which share of the catalog, the most shown items first.
	Exposure []ExposurePoint `json:"exposure"`
	// Tenths are equal parts of the log after the warm-up, in time order.
	Tenths []Tenth `json:"tenths"`
	// Segments are parts of the asks, by user or item; they overlap.
	Segments []Segment `json:"segments"`

	EventsPerS float64 `json:"events_per_s"` // asked where due, and written
	Seconds    float64 `json:"seconds"`      // of all parts, if the replay was ended and went on
	// LateMax is by how much a step was furthest behind its time, in seconds, where a speed was asked for.
	LateMax float64 `json:"late_max_s"`
	// Rejected counts rows that the server did not take; Reasons has some.
	Rejected int64    `json:"rejected"`
	Reasons  []string `json:"reject_reasons,omitempty"`

	Limit    int     `json:"limit"`
	Seen     string  `json:"seen_policy"`
	WarmPart float64 `json:"warm_up"`
	Window   int     `json:"window"`
	Parallel int     `json:"parallel"`
	Speed    float64 `json:"speed"` // multiple of real time; 0: as fast as it went
	Seed     uint64  `json:"seed"`
}

// Reach is how much of the catalog was shown.
type Reach struct {
	Shown int `json:"items_shown"`
	// Coverage is the share of the catalog that stood in some first ten; 0 where the catalog's size is not known.
	Coverage float64 `json:"coverage"`
	// Gini is the inequality of the exposure over the catalog: 0 if all items were shown alike, towards 1 if one had all.
	Gini float64 `json:"exposure_gini"`
}

// Tenth is one part of the log.
type Tenth struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"` // of its last event
	Figures
	Reach
}

// Segment is a part of the asks. Tenths are its parts of Result.Tenths.
type Segment struct {
	Name string `json:"name"`
	Quality
	Tenths []Quality `json:"tenths"`
}

func (r *replay) result() *Result {
	seconds := r.seconds()
	res := &Result{
		Events: len(r.log), WarmUp: r.warmUp, Users: len(r.past.ofPerson), Items: len(r.past.ofItem), Catalog: int(r.catalogSize),
		OutOfOrder: r.disorder.events, Disorder: r.disorder.furthest.Seconds(),
		Figures: r.all.figures(), Seconds: seconds, EventsPerS: float64(len(r.log)) / seconds, LateMax: r.pace.late.Seconds(),
		Rejected: r.rejected, Reasons: r.reasons, Limit: r.Limit, Seen: SeenName(r.Seen), WarmPart: r.Options.WarmUp, Window: r.Window,
		Parallel: r.Parallel, Speed: r.Speed, Seed: r.Seed,
	}
	all := exposure{}
	for i, s := range r.tenths {
		for id, n := range r.shown[i] {
			all[id] += n
		}
		if from, to := r.tenth(i), r.tenth(i+1); from < to {
			reach, _ := r.reach(r.shown[i])
			res.Tenths = append(res.Tenths, Tenth{From: r.log[from].Time, To: r.log[to-1].Time, Figures: s.figures(), Reach: reach})
		}
	}
	res.Reach, res.Exposure = r.reach(all)
	res.Segments = r.segments()
	return res
}

func (r *replay) reach(shown exposure) (Reach, []ExposurePoint) {
	counts := shown.counts(int(r.catalogSize))
	reach := Reach{Shown: len(shown), Gini: gini(counts)}
	if r.catalogSize > 0 {
		reach.Coverage = float64(len(shown)) / float64(r.catalogSize)
	}
	return reach, curve(counts)
}

func (r *replay) segments() []Segment {
	list := make([]Segment, segmentCount)
	for n := range list {
		list[n] = Segment{Name: segmentNames[n], Quality: r.parts[n][tenths].quality()}
		for i := range tenths {
			if r.tenth(i) < r.tenth(i+1) {
				list[n].Tenths = append(list[n].Tenths, r.parts[n][i].quality())
			}
		}
	}
	return list
}

// tenth is the place where a tenth begins: the first whose tenth, as count has it, is i.
func (r *replay) tenth(i int) int {
	n := len(r.log) - r.warmUp
	return r.warmUp + (i*n+tenths-1)/tenths
}
