package ranker

import (
	"math"

	"github.com/kindred-rec/kindred/ranker/catalog"
)

// labelKinds are the fields of a row that label it: tags, categories, brand.
const labelKinds = 3

// labels holds the weight of each label by kind and code: ln(items/items that
// bear it), so that what all share says nothing. It is immutable: counted when a
// pipeline is made and by Recount; labels that came later have no say until then.
type labels [labelKinds][]float32

func countLabels(c Catalog) *labels {
	var l labels
	rows := 0
	var single [1]uint32
	for item := range c.Len() {
		row := c.Row(item)
		if row == nil {
			continue
		}
		rows++
		for kind := range l {
			for _, code := range codesOf(row, kind, &single) {
				l[kind] = extend(l[kind], code)
				l[kind][code]++
			}
		}
	}
	for kind := range l {
		for code, count := range l[kind] {
			if count > 0 {
				l[kind][code] = float32(math.Log(float64(rows) / float64(count)))
			}
		}
	}
	return &l
}

func extend(weights []float32, code uint32) []float32 {
	if int(code) < len(weights) {
		return weights
	}
	return append(weights, make([]float32, int(code)+1-len(weights))...)
}

// codesOf are the labels of one kind; single is room for the brand.
func codesOf(row *catalog.Row, kind int, single *[1]uint32) []uint32 {
	switch kind {
	case 0:
		return row.Tags
	case 1:
		return row.Categories
	}
	if row.Brand == 0 {
		return nil
	}
	single[0] = row.Brand
	return single[:]
}

// A labelCell is what a run knows of a label.
type labelCell struct {
	weight float32 // as of run.labels
	recent float32 // of the first SimilarAnchors anchors: influence times weight
	habit  float32 // of all anchors: the root of their influence
	after  float32 // of the candidates with it: how probable they are next
}

// labelColumns fills LabelSimilarity, which is out, and the other columns of labels: a
// row's labels are read once for all.
func labelColumns(r *run, out []float32) {
	if !r.labels.any() {
		return
	}
	r.weighLabels()
	norm, habit := r.addAnchorLabels()
	r.addEvidenceLabels()
	tags, categories, brands := r.columns[TagAffinity], r.columns[CategoryAffinity], r.columns[BrandAffinity]
	evidence := r.columns[LabelEvidence]
	for i, row := range r.rows {
		if row == nil {
			continue
		}
		own := r.evidenceAfter(i)
		a, b, c := sumLabels(row.Tags, r.profile[0], own), sumLabels(row.Categories, r.profile[1], own), labelSums{}
		if row.Brand != 0 {
			c = sumLabels([]uint32{row.Brand}, r.profile[2], own)
		}
		tags[i], categories[i], brands[i] = a.share(habit), b.share(habit), c.share(habit)
		if shared := a.recent + b.recent + c.recent; shared > 0 {
			out[i] = shared / sqrt((a.square+b.square+c.square)*norm)
		}
		if after := a.after + b.after + c.after; after > 0 {
			evidence[i] = logShare(after / (a.weight + b.weight + c.weight))
		}
	}
	r.clearLabels()
}

func (l *labels) any() bool {
	for kind := range l {
		if len(l[kind]) > 0 {
			return true
		}
	}
	return false
}

// weighLabels gives the cells the weights of the labels as they were counted last.
func (r *run) weighLabels() {
	if r.weighed == r.labels {
		return
	}
	for kind, weights := range r.labels {
		r.profile[kind] = zeros(r.profile[kind], len(weights))
		for code, weight := range weights {
			r.profile[kind][code].weight = weight
		}
	}
	r.weighed = r.labels
}

// labelSums are over some labels of a row: of their weights, of the squares of these, and of
// weight times what the run knows of each label, apart from the row's own evidence.
type labelSums struct{ weight, square, recent, habit, after float32 }

func sumLabels(codes []uint32, cells []labelCell, own float32) (sum labelSums) {
	for _, code := range codes {
		if int(code) >= len(cells) {
			continue
		}
		c := &cells[code]
		sum.weight += c.weight
		sum.square += c.weight * c.weight
		sum.recent += c.weight * c.recent
		sum.habit += c.weight * c.habit
		sum.after += c.weight * max(0, c.after-own)
	}
	return sum
}

// share is how much of all that was done went to the labels.
func (s *labelSums) share(all float32) float32 {
	if s.habit == 0 {
		return 0
	}
	return s.habit / (s.weight * all)
}

// addAnchorLabels adds the anchors' labels and returns the squared length of what is
// recent, and the sum of the roots of all influences.
func (r *run) addAnchorLabels() (norm, habit float32) {
	for i := range r.anchors {
		a := &r.anchors[i]
		root, recent := sqrt(a.influence), a.influence
		if i >= r.world.Settings.SimilarAnchors {
			recent = 0
		}
		habit += root
		r.eachLabel(a.row, func(c *labelCell) {
			x := recent * c.weight
			norm += x * (2*c.recent + x)
			c.recent += x
			c.habit += root
		})
	}
	return norm, habit
}

// addEvidenceLabels adds what co-visitation says of the candidates to their labels.
func (r *run) addEvidenceLabels() {
	for i, row := range r.rows {
		after := r.evidenceAfter(i)
		if after <= 0 || row == nil {
			continue
		}
		addAfter(row.Tags, r.profile[0], after)
		addAfter(row.Categories, r.profile[1], after)
		if row.Brand != 0 {
			addAfter([]uint32{row.Brand}, r.profile[2], after)
		}
	}
}

func addAfter(codes []uint32, cells []labelCell, after float32) {
	for _, code := range codes {
		if int(code) < len(cells) {
			cells[code].after += after
		}
	}
}

// clearLabels leaves the weights alone.
func (r *run) clearLabels() {
	for i := range r.anchors {
		r.eachLabel(r.anchors[i].row, func(c *labelCell) { c.recent, c.habit = 0, 0 })
	}
	for i, row := range r.rows {
		if row == nil || r.evidenceAfter(i) <= 0 {
			continue
		}
		zeroAfter(row.Tags, r.profile[0])
		zeroAfter(row.Categories, r.profile[1])
		if row.Brand != 0 {
			zeroAfter([]uint32{row.Brand}, r.profile[2])
		}
	}
}

func zeroAfter(codes []uint32, cells []labelCell) {
	for _, code := range codes {
		if int(code) < len(cells) {
			cells[code].after = 0
		}
	}
}

// evidenceAfter is how probable candidate i is next, by co-visitation.
func (r *run) evidenceAfter(i int) float32 {
	if at := r.candidates[i].evidence; at >= 0 {
		return r.evidence[at].after
	}
	return 0
}

// eachLabel visits what the run knows of the labels of a row, which may be nil.
func (r *run) eachLabel(row *catalog.Row, visit func(*labelCell)) {
	if row == nil {
		return
	}
	for kind, codes := range [labelKinds - 1][]uint32{row.Tags, row.Categories} {
		for _, code := range codes {
			if int(code) < len(r.profile[kind]) {
				visit(&r.profile[kind][code])
			}
		}
	}
	if brand := r.profile[labelKinds-1]; row.Brand != 0 && int(row.Brand) < len(brand) {
		visit(&brand[row.Brand])
	}
}
