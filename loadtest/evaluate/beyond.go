package evaluate

import (
	"math"

	"github.com/viterin/vek/vek32"

	"github.com/kindred-rec/kindred/loadtest/dataset"
	"github.com/kindred-rec/kindred/loadtest/metrics"
)

func dot(a, b []float32) float64 { return float64(vek32.Dot(a, b)) }

// Beyond is what the first ten of the answers look like, whether they are right or not:
// see package metrics for the definitions.
type Beyond struct {
	// LabelDistance and VectorDistance are means over lists of the mean over their pairs of
	// one less the Jaccard index of labels (categories, tags, brand), and of one less the
	// cosine of text vectors. The first is absent where no item has a label.
	LabelDistance  *float64 `json:"label_distance_at_10,omitempty"`
	VectorDistance float64  `json:"vector_distance_at_10"`
	// Novelty in bits: −log2 of the share of the users of training who met what is shown.
	Novelty float64 `json:"novelty_at_10"`
	// Popularity is the mean number of acts of training of what is shown.
	Popularity float64 `json:"popularity_at_10"`
	// Gini index of places over the whole catalog, 0 to 1.
	Gini float64 `json:"gini_at_10"`
	// Exposure is the share of places of each tenth of the items, the most popular first.
	Exposure [metrics.Deciles]float64 `json:"exposure_by_decile"`
	// Miscalibration, in nats, of the lists' categories from the histories', over the
	// questions where both have some. Absent where none has.
	Miscalibration *float64 `json:"miscalibration_at_10,omitempty"`
	// Makers says how places go to sellers or brands. Absent where items have neither.
	Makers *Makers `json:"makers,omitempty"`
	// ByActivity are the questions in thirds by how long their history is, the shortest
	// first; of equal length all are of one third. ActivityGap is the largest difference of
	// ndcg_at_10 between two of them.
	ByActivity  []Activity `json:"by_activity"`
	ActivityGap float64    `json:"activity_gap_ndcg_at_10"`
}

// Makers is how places go to those whose items they are.
type Makers struct {
	By string `json:"by"` // seller or brand
	// Count of makers in the catalog, and the share of them that no list shows.
	Count  int     `json:"count"`
	Unseen float64 `json:"unseen"`
	// Disparity is the share of places that would have to move for each maker to have as
	// large a share of them as of the catalog.
	Disparity float64 `json:"disparity"`
	// Largest is the share of places of the one that has most, and LargestCatalog what it
	// has of the catalog.
	Largest        float64 `json:"largest_exposure"`
	LargestCatalog float64 `json:"largest_catalog"`
}

// Activity is a part of the questions by the length of the history.
type Activity struct {
	Shortest int `json:"shortest_history"`
	Longest  int `json:"longest_history"`
	Figures
}

// beyond looks at what was shown, and returns with it the share of the catalog that was.
func (t *traits) beyond(queries []dataset.Query, answers []answer) (Beyond, float64) {
	var b Beyond
	exposure := metrics.NewExposure(t.acts)
	var history, list [][]uint32
	var items []uint32
	apart, miscalibration, calibrated := 0.0, 0.0, 0
	for i := range answers {
		shown := answers[i].list()
		exposure.Add(shown)
		labels, vectors := t.apart(shown)
		apart += labels
		b.VectorDistance += vectors
		b.Novelty += metrics.Novelty(shown, t.met, t.users)
		items = items[:0]
		for _, e := range queries[i].History {
			if _, positive := kindOf(e); positive {
				items = append(items, e.Item)
			}
		}
		history, list = t.filed(history[:0], items), t.filed(list[:0], shown)
		if kl, ok := metrics.Miscalibration(history, list); ok {
			miscalibration += kl
			calibrated++
		}
	}
	n := float64(max(1, len(answers)))
	b.VectorDistance, b.Novelty = b.VectorDistance/n, b.Novelty/n
	if apart /= n; t.labelled {
		b.LabelDistance = &apart
	}
	b.Popularity, b.Gini, b.Exposure = exposure.Popularity(), exposure.Gini(), exposure.ByDecile()
	if calibrated > 0 {
		miscalibration /= float64(calibrated)
		b.Miscalibration = &miscalibration
	}
	b.Makers = t.makers(exposure.Places())
	b.ByActivity = byActivity(queries, answers)
	b.ActivityGap = gap(b.ByActivity)
	return b, exposure.Coverage()
}

func (t *traits) makers(places []int) *Makers {
	if t.by == "" {
		return nil
	}
	shares := metrics.Shares(t.maker, places)
	m := &Makers{By: t.by, Count: len(shares), Disparity: metrics.Disparity(shares)}
	for _, s := range shares {
		if s.Exposure == 0 {
			m.Unseen += 1 / float64(len(shares))
		}
		if s.Exposure > m.Largest {
			m.Largest, m.LargestCatalog = s.Exposure, s.Catalog
		}
	}
	return m
}

func byActivity(queries []dataset.Query, answers []answer) []Activity {
	length := make([]int, len(queries))
	for i := range queries {
		length[i] = len(queries[i].History)
	}
	third := metrics.Terciles(length)
	var parts []Activity
	for part := range uint8(3) {
		a := Activity{Shortest: math.MaxInt}
		var own []answer
		for i := range answers {
			if third[i] == part {
				own = append(own, answers[i])
				a.Shortest, a.Longest = min(a.Shortest, length[i]), max(a.Longest, length[i])
			}
		}
		if len(own) > 0 {
			a.Figures = figures(own, everyAnswer)
			parts = append(parts, a)
		}
	}
	return parts
}

func gap(parts []Activity) float64 {
	widest := 0.0
	for _, a := range parts {
		for _, b := range parts {
			widest = max(widest, a.NDCG10-b.NDCG10)
		}
	}
	return widest
}
